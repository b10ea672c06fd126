#!/usr/bin/env bash
# `identify --scan` over a large source tree and a log of 2 GiB with twenty planted secrets, beside ripgrep with the same
# expression in the same run: what is found, time, and the peak of memory. Needs python3, rg, and as much disk as both take.
# Usage: benches/scan.sh [BINARY] [TREE=~/.cargo/registry/src] [LOG_MEGABYTES=2048] [RUNS=3]
set -euo pipefail
binary=$(realpath "${1:-target/release/keyward}")
tree=$(realpath "${2:-$HOME/.cargo/registry/src}")
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
# A root of its own, with its own ignore file, so that nothing above it counts.
mkdir "$home/root"
cp -r "$tree" "$home/root/tree"
env -i PATH="$PATH" HOME="$home" python3 - "$binary" "$home/root" "${3:-2048}" "${4:-3}" <<'PYTHON'
import csv, io, json, os, random, statistics, subprocess, sys, time
binary, root, megabytes, runs = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
os.chdir(root)
keyward = lambda *words, **more: subprocess.run([binary, *words], capture_output=True, text=True, **more)
seed = random.Random(1)

# The keys: sixteen go in whole, four with one character changed.
secrets = {}
for at in range(20):
    made = keyward("-q", "create", f"planted-{at:02}", "--env", ["production", "staging", "development"][at % 3])
    assert made.returncode == 0, made.stderr
    secrets[f"planted-{at:02}"] = made.stdout.strip()
names = list(secrets)
damaged = lambda text: text[:-9] + ("x" if text[-9] != "x" else "y") + text[-8:]
expected = []

def plant_all():
    # The tree: nine secrets and three damaged ones, three of them in one line; the rest of every file stays as it is.
    files = [os.path.join(folder, name) for folder, _, names_in in os.walk("tree") for name in names_in if name.endswith(".rs")]
    files = seed.sample(sorted(file for file in files if not os.path.islink(file)), 8)
    def plant(file, pieces):
        lines = open(file, "rb").read().split(b"\n")
        at = seed.randrange(len(lines))
        line = b"// "
        for name, whole in pieces:
            if whole:
                expected.append((file, at + 1, len(line) + 1, name))
            line += (secrets[name] if whole else damaged(secrets[name])).encode() + b", "
        lines.insert(at, line)
        os.chmod(file, 0o644)
        open(file, "wb").write(b"\n".join(lines))
    plant(files[0], [(names[0], True), (names[1], True), (names[16], False), (names[2], True)])
    plant(files[1], [(names[17], False), (names[18], False)])
    for at in range(2, 8):
        plant(files[at], [(names[at + 1], True)])

    # The log: seven secrets and a damaged one, the last at the very end without a line break.
    if megabytes:
        lines = [f"2026-01-02T03:04:{at % 60:02}Z INFO request id={seed.getrandbits(64):016x} path=/v1/things/{at} kw=prod_{at} took={at % 997}us" for at in range(100_000)]
        block = ("\n".join(lines) + "\n").encode()
        blocks = max(8, megabytes * 1024 * 1024 // len(block))
        with open("service.log", "wb") as log:
            line = 1
            for at in range(blocks):
                log.write(block)
                line += len(lines)
                if at % (blocks // 8) == 0 and at // (blocks // 8) < 7:
                    part = at // (blocks // 8)
                    name = names[9 + part] if part < 6 else names[19]
                    if part < 6:
                        expected.append(("service.log", line, 16, name))
                    log.write(f"authorization: {secrets[name] if part < 6 else damaged(secrets[name])}\n".encode())
                    line += 1
            expected.append(("service.log", line, 5, names[15]))
            log.write(f"end {secrets[names[15]]}".encode())

# In a process of its own: what a child is said to have used at most begins with what its parent used.
read, write = os.pipe()
if os.fork() == 0:
    plant_all()
    os.write(write, json.dumps(expected).encode())
    os._exit(0)
os.close(write)
expected = [tuple(one) for one in json.loads(os.fdopen(read, "rb").read())]
os.wait()

def measure(words):
    """Wall and CPU seconds, the peak of memory in megabytes, and what it printed."""
    read, write = os.pipe()
    began = time.perf_counter()
    child = os.posix_spawnp(words[0], words, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_CLOSE, read)])
    os.close(write)
    printed = os.fdopen(read, "rb").read().decode()
    _, status, used = os.wait4(child, 0)
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, printed, os.waitstatus_to_exitcode(status)

rule = keyward("scan-rule", "--format", "regex").stdout.strip()
def both(what, *paths):
    size = sum(os.path.getsize(os.path.join(folder, name)) for path in paths for folder, _, names_in in
               (os.walk(path) if os.path.isdir(path) else [("", [], [path])]) for name in names_in if not os.path.islink(os.path.join(folder, name)))
    scan = [binary, "-q", "-o", "csv", "--columns", "file,line,column,name", "identify", "--scan", *paths]
    grep = ["rg", "--no-config", "--hidden", "--no-require-git", "--glob", "!.git", "--no-heading", "--with-filename",
            "--line-number", "--column", "--only-matching", "--regexp", rule, *paths]
    ours, theirs = [], []
    for _ in range(runs + 1):
        ours.append(measure(scan))
        theirs.append(measure(grep))
    found = {(row[0], int(row[1]), int(row[2]), row[3]) for row in list(csv.reader(io.StringIO(ours[-1][3])))[1:]}
    wanted = {one for one in expected if any(one[0] == path or one[0].startswith(path + "/") for path in paths)}
    verdict = "exactly the intact ones" if found == wanted else f"WRONG: missing {wanted - found}, too many {found - wanted}"
    # The first run of each only warms the cache.
    median = lambda rows, at: statistics.median(row[at] for row in rows[1:])
    print(f"{what}, {size / 1e6:.0f} MB: {len(found)} found, {verdict}; ripgrep prints {len(theirs[-1][3].splitlines())} places", flush=True)
    for name, rows in (("keyward", ours), ("ripgrep", theirs)):
        print(f"  {name}  wall {median(rows, 0):6.2f} s   cpu {median(rows, 1):6.2f} s   memory {max(row[2] for row in rows):4.0f} MB")
    print(f"  wall {median(ours, 0) / median(theirs, 0):.2f} and cpu {median(ours, 1) / median(theirs, 1):.2f} times ripgrep's", flush=True)
    return found == wanted

good = both("the tree", "tree")
if megabytes:
    good &= both("the log", "service.log")
    good &= both("both", "tree", "service.log")
sys.exit(0 if good else 1)
PYTHON
