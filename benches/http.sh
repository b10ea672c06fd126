#!/usr/bin/env bash
# Figures of the server: requests a second, CPU time a request, latencies, memory and start, with 1,000 and with very many
# keys, beside a bare axum handler and (where it is installed) nginx returning a constant. Same machine, run and client.
# Usage: cargo build --release; (cd benches/load && cargo build --release); benches/http.sh [BINARY] [LOAD] [KEYS] [SECONDS]
set -euo pipefail
binary=$(realpath "${1:-target/release/keyward}")
load=$(realpath "${2:-benches/load/target/release/keyward-load}")
many=${3:-1000000}
seconds=${4:-5}
home=$(mktemp -d)
running=()
stop() { for pid in "${running[@]}"; do kill "$pid" 2>/dev/null || true; done; }
trap 'stop; rm -rf "$home"' EXIT
cd "$home"
keyward() { env -i HOME="$home" PATH="$PATH" "$binary" "$@" 2>>"$home/said" </dev/null; }
started() { # LOG: the address that is named in it, once it is
    until grep -q 'listening on' "$1"; do sleep 0.05; done
    sed -n 's#.*listening on http://##p' "$1" | head -1
}
show() { # NAME ADDRESS PID KEYS
    local name=$1 address=$2 pid=$3 keys=$4
    for route in authz validate verify; do
        "$load" run "$address" "$route" "$keys" 1 16 >/dev/null
        "$load" run "$address" "$route" "$keys" "$seconds" 16 "$pid" | python3 -c '
import json, sys
told = json.load(sys.stdin)
cpu, rate, half, most, statuses, errors = (told[name] for name in
    ("cpu_micros_a_request", "per_second", "p50_micros", "p99_micros", "statuses", "errors"))
print(f"{sys.argv[1]:<18} {sys.argv[2]:<8} {cpu:6.2f} us CPU a request {rate:8.0f}/s  p50 {half} us  p99 {most} us  {statuses} errors {errors}")' "$name" "$route"
    done
}
rows() { # COUNT PREFIX
    echo "name,environment,scopes,rate_limit,no_expiry"
    seq "$1" | awk -v p="$2" '{ print p $1 ",production,a:read,1000000/h,true" }'
}
secrets() { # FILE: one a line
    python3 -c 'import json,sys
for line in sys.stdin: print(json.loads(line)["secret"])' <"$1"
}

"$load" bare 127.0.0.1:0 2>"$home/bare.log" &
bare=$!
running+=("$bare")
bare_at=$(started "$home/bare.log")

keyward -q init >/dev/null
KEYWARD_BEARER=$(keyward operators create gateway --role verifier)
export KEYWARD_BEARER
rows 1000 few- >few.csv
keyward create --from few.csv --out few.jsonl
secrets few.jsonl >few.txt

serve() { # LOG: starts a server, and says how long it took until it listens
    local began
    began=$(date +%s%N)
    env -i HOME="$home" PATH="$PATH" "$binary" -v serve --listen 127.0.0.1:0 --address-limit none 2>"$1" </dev/null &
    server=$!
    running+=("$server")
    server_at=$(started "$1")
    echo "start, $2 keys: $((($(date +%s%N) - began) / 1000000)) ms, resident memory $(awk '/VmRSS/ { printf "%.0f MB", $2 / 1024 }' "/proc/$server/status")"
}

serve "$home/few.log" 1,000
show "bare axum" "$bare_at" "$bare" few.txt
show "1,000 keys" "$server_at" "$server" few.txt
if command -v nginx >/dev/null; then
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    printf 'daemon off; pid %s/nginx.pid; error_log /dev/null; worker_processes 1; events {} http { access_log off; keepalive_requests 1000000000; server { listen 127.0.0.1:%s; location / { return 204; } } }' \
        "$home" "$port" >nginx.conf
    nginx -c "$home/nginx.conf" -g 'master_process off;' 2>/dev/null &
    nginx=$!
    running+=("$nginx")
    sleep 1
    show "nginx, a constant" "127.0.0.1:$port" "$nginx" few.txt
fi
echo "timing: $("$load" timing "$server_at" few.txt "$seconds")"
TOKEN=$(keyward operators create admin --role platform-admin)
for call in "GET keys?limit=1" "GET keys/few-7" "POST keys" "POST keys/few-7/deactivate" "POST keys/few-7/activate"; do
    python3 - "$server_at" "$TOKEN" "$server" "$call" <<'PYTHON'
import http.client, json, os, statistics, sys, time
address, token, pid, call = sys.argv[1:]
method, path = call.split(" ")
connection = http.client.HTTPConnection(address)
spent = lambda: sum(map(int, open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")
times, before, rounds = [], spent(), 100
for number in range(rounds):
    body = json.dumps({"name": f"made-{path.count('/')}-{number}"}) if call == "POST keys" else None
    began = time.perf_counter()
    connection.request(method, "/v1/" + path, body, {"Authorization": "Bearer " + token})
    connection.getresponse().read()
    times.append(time.perf_counter() - began)
print(f"{call:<28} {(spent() - before) / rounds * 1e3:.1f} ms CPU, {statistics.median(times) * 1e3:.1f} ms median")
PYTHON
done
few_kb=$(awk '/VmRSS/ { print $2 }' "/proc/$server/status")
kill "$server"
wait "$server" || true

rows "$many" many- >many.csv
began=$(date +%s)
keyward create --from many.csv --out many.jsonl
echo "created $many keys in $(($(date +%s) - began)) s"
secrets many.jsonl >many.txt
rm many.csv many.jsonl
serve "$home/many.log" "$many"
many_kb=$(awk '/VmRSS/ { print $2 }' "/proc/$server/status")
echo "memory a key: $(((many_kb - few_kb) * 1024 / many)) bytes (with what the start left behind)"
show "bare axum" "$bare_at" "$bare" many.txt
show "$many keys" "$server_at" "$server" many.txt
kill "$server"
wait "$server" || true
