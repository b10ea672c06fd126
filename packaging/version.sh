#!/usr/bin/env bash
# Gives the next version to everything that names one: packaging/version.sh 0.2.0. The man pages and openapi.json follow by
# `KEYWARD_BLESS=1 cargo test`; the heading of CHANGELOG.md is written by hand.
. "$(dirname "$0")/common.sh"
next=${1:?the next version}
sed -i "0,/^version = \"$version\"/s//version = \"$next\"/" Cargo.toml
sed -i "s/\(default: \|@v\|keyward==\|keyward:\|keyward@\|keyward-\|\/v\)${version//./\\.}/\1$next/g" \
    packaging/github/*/action.yml packaging/github/example.yml packaging/gitlab/keyward.yml packaging/container/compose.yaml \
    packaging/kubernetes/*.yaml packaging/homebrew/keyward.rb
cargo update -q --offline -p keyward
git diff --stat
