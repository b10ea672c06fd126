#!/usr/bin/env bash
# Whole-process figures: CPU time (user and system, so that a busy machine matters less) and memory of real commands.
# Short commands are run many times, and the median counts. Needs python3.
# Usage: benches/process.sh [BINARY] [BULK_KEYS]
set -euo pipefail
binary=$(realpath "${1:-target/release/keyward}")
bulk=${2:-100000}
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT

# Runs a command so many times; `@` in it becomes a new word each time. Tells CPU and wall time, and the peak of memory.
measure() { # NAME RUNS COMMAND...
    python3 - "$home" "$@" <<'PYTHON'
import os, statistics, sys, time
home, name, runs, command = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
null, out = os.open("/dev/null", os.O_RDWR), os.open(f"{home}/out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
streams = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
cpu, wall, peak = [], [], 0
for _ in range(runs):
    words = [word.replace("@", str(time.time_ns())) for word in command]
    began = time.perf_counter()
    _, status, used = os.wait4(os.posix_spawn(words[0], words, {"HOME": home}, file_actions=streams), 0)
    wall.append(time.perf_counter() - began)
    cpu.append(used.ru_utime + used.ru_stime)
    peak = max(peak, used.ru_maxrss)
    if status:
        sys.exit(f"{words}: status {status}")
unit, factor = ("ms", 1e3) if statistics.median(wall) < 1 else ("s", 1)
show = lambda values: f"{statistics.median(values) * factor:.2f} {unit}"
print(f"{name:<34} cpu {show(cpu):>10}   wall {show(wall):>10}   memory {peak / 1024:.0f} MB", flush=True)
PYTHON
}
rows() { # COUNT PREFIX: every tenth key ends within a second, so that there are expired ones to find
    echo "name,environment,owner,scopes,expires_in"
    seq "$1" | awk -v p="$2" '{ print p $1 ",production,owner" $1 % 50 ",audits:read," ($1 % 10 ? "90d" : "1s") }'
}

echo "binary                             $(stat -c %s "$binary" | awk '{ printf "%.1f MB", $1 / 1e6 }')"
measure /bin/true 100 /bin/true
measure --version 100 "$binary" --version
env -i HOME="$home" "$binary" -q init >/dev/null 2>&1
measure create 50 "$binary" create single-@
rows 950 few- >"$home/few.csv"
measure "create --from, 950 keys" 1 "$binary" create --from "$home/few.csv" --out "$home/few.jsonl"
for words in "list" "list -o json" "list -q" "list --count"; do
    # shellcheck disable=SC2086
    measure "$words, 1,000 keys" 50 "$binary" $words
done
rows "$bulk" many- >"$home/many.csv"
measure "create --from, $bulk keys" 1 "$binary" create --from "$home/many.csv" --out "$home/many.jsonl"
echo "size of the keystore a key         $(($(stat -c %s "$home/.local/share/keyward/keystore.db") / (bulk + 1000))) bytes"
for words in "list --expired --count" "list --owner owner7 -q" "list --count" "list -q" "list" "list -o csv" "audit verify"; do
    # shellcheck disable=SC2086
    measure "$words" 3 "$binary" $words
done
