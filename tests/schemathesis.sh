#!/usr/bin/env bash
# schemathesis against a server of its own, by the document that this server gives out: no 5xx, and no answer that the
# document does not promise. Usage: tests/schemathesis.sh [EXAMPLES]; KEYWARD_TEST_TOOLS names the directory of `st`.
set -euo pipefail
cd "$(dirname "$0")/.."
st=${KEYWARD_TEST_TOOLS:-target/test-tools/bin}/st
[ -x "$st" ] || st=$(command -v st) || { echo "SKIPPED: schemathesis is not installed: pip install -r tests/tools.txt"; exit 0; }
keyward=$PWD/${KEYWARD:-target/debug/keyward}
config=$PWD/tests/schemathesis.toml

home=$(mktemp -d)
# A server that ends still writes: it is waited for before its home goes.
trap 'kill "$server" 2>/dev/null || true; wait "$server" || true; rm -rf "$home"' EXIT
as() { env -i HOME="$home" PATH=/usr/bin:/bin "$keyward" "$@"; }
token=$(as operators create root --role platform-admin 2>/dev/null)
victim=$(as operators create victim --role platform-admin 2>/dev/null)
as projects create apollo >/dev/null 2>&1
key=$(as create holder --env production --scope invoices:read --project apollo --rate-limit none 2>/dev/null)
# Not by the function: then the process to be ended would be a shell.
env -i HOME="$home" PATH=/usr/bin:/bin "$keyward" serve --listen 127.0.0.1:0 --address-limit none 2>"$home/log" &
server=$!
until url=$(grep -oE 'http://[0-9.:]+' "$home/log"); do kill -0 "$server"; sleep 0.05; done

run() {
    OPERATOR=$1 KEY=$key "$st" --config-file "$config" run "$url/openapi.json" --max-examples "$examples" --seed 1 "${@:2}" \
        >"$home/out" 2>&1 || { cat "$home/out"; exit 1; }
    tail -n 4 "$home/out"
}
examples=${1:-5}
# Whoever may end operators ends itself: that comes last, by an operator of its own. A server that is given made-up requests must
# not be made to send anything anywhere: webhooks are left out.
run "$token" --exclude-path-regex '^/v1/(operators/|webhooks)'
run "$victim" --include-path-regex '^/v1/operators/'
