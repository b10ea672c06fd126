#!/usr/bin/env bash
# Looks at every file of this directory that is not run by a test: seconds. What looks is optional, and said where it is absent.
. "$(dirname "$0")/common.sh"
PATH=${KEYWARD_TEST_TOOLS:-$root/target/test-tools/bin}:$root/target/packaging-tools/bin:$PATH
looked=0
failed=0

look() {
    local program=$1
    shift
    if ! command -v "$program" >/dev/null; then
        echo "SKIPPED: $program is not installed: $*"
        return
    fi
    looked=$((looked + 1))
    "$program" "$@" >"$scratch/said" 2>&1 || {
        echo "FAILED: $program $*"
        cat "$scratch/said"
        failed=1
    }
}

look shellcheck -x -S warning .ci/run packaging/*.sh packaging/rpm/p* packaging/deb/postrm tests/*.sh benches/*.sh
look check-jsonschema -q --builtin-schema vendor.github-actions packaging/github/*/action.yml
look check-jsonschema -q --builtin-schema vendor.github-workflows packaging/github/example.yml
look check-jsonschema -q --builtin-schema vendor.compose-spec packaging/container/compose.yaml
sed '1,/^---$/d' packaging/gitlab/keyward.yml >"$scratch/gitlab.yml"
look check-jsonschema -q --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci "$scratch/gitlab.yml"
look ruby -c packaging/homebrew/keyward.rb
look nix-instantiate --parse packaging/nix/flake.nix
if python3 -c 'import yaml' 2>/dev/null; then
    looked=$((looked + 1))
    python3 packaging/lint.py packaging/kubernetes/*.yaml packaging/container/compose.yaml || failed=1
else
    echo "SKIPPED: python3 has no PyYAML: the manifests of Kubernetes"
fi
echo "looked at by $looked"
exit "$failed"
