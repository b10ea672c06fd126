#!/usr/bin/env bash
# Whole-process figures: the median of many runs, in milliseconds, beside /bin/true; then the bulk figures.
# Usage: benches/process.sh [BINARY] [BULK_KEYS]
set -euo pipefail
binary=$(realpath "${1:-target/release/keyward}")
bulk=${2:-100000}
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT

run() { env -i HOME="$home" "$@" >"$home/out" 2>/dev/null </dev/null; }
median() { # RUNS COMMAND...
    local runs=$1 start end
    shift
    for _ in $(seq "$runs"); do
        start=$(date +%s%N)
        run "$@"
        end=$(date +%s%N)
        echo $((end - start))
    done | sort -n | awk '{ all[NR] = $1 } END { printf "%.1f ms\n", all[int((NR + 1) / 2)] / 1e6 }'
}
seconds() { local start; start=$(date +%s%N); run "$@"; awk -v ns=$(($(date +%s%N) - start)) 'BEGIN { printf "%.2f s\n", ns / 1e9 }'; }
rows() { echo "name,environment,owner"; seq "$1" | awk -v p="$2" '{ print p $1 ",production,owner" $1 % 50 }'; }

run "$binary" init
echo "/bin/true            $(median 100 /bin/true)"
echo "--version            $(median 100 "$binary" --version)"
for n in $(seq 50); do
    start=$(date +%s%N); run "$binary" create "single-$n"; echo $(($(date +%s%N) - start))
done | sort -n | awk '{ all[NR] = $1 } END { printf "create               %.1f ms\n", all[25] / 1e6 }'
rows 950 few- >"$home/few.csv"
run "$binary" create --from "$home/few.csv" --out "$home/few.jsonl"
echo "list of 1,000 keys   $(median 50 "$binary" list)"
rows "$bulk" many- >"$home/many.csv"
echo "create --from $bulk  $(seconds "$binary" create --from "$home/many.csv" --out "$home/many.jsonl")"
echo "bytes a key          $(($(stat -c %s "$home/.local/share/keyward/keystore.db") / (bulk + 1000)))"
echo "list --expired       $(seconds "$binary" list --expired)"
echo "list --owner         $(seconds "$binary" list --owner owner7 -q)"
echo "audit verify         $(seconds "$binary" audit verify)"
