#!/usr/bin/env bash
# Kills keyward more often than `cargo test` has time for, and says how often: benches/kills.sh, or some of it:
# HARNESSES='whole:300 serve_kills:200' benches/kills.sh
#   rotation_steps  right before every single effect of a due run, with every kind of sink
#   rotation_kills  a due run over four sinks, a thousand times at some moment
#   crash           create, rotate, rekey and changes of slots, five hundred times at some moment
#   whole           files of keys, imports, declarations, backups that are put back, new keys of all kinds and passphrases
#   serve_kills     a server while three clients write, after some number of answers
#   holder_kills    `self rotate`, at some moment, before every effect, and with answers that are lost
#   roles           no kill: every role against every endpoint, by what the trail says that it did
set -euo pipefail
cd "$(dirname "$0")/.."
for harness in ${HARNESSES:-rotation_steps:1 rotation_kills:1000 crash:500 whole:300 serve_kills:200 holder_kills:1000 roles:1}; do
    echo "$harness"
    time KEYWARD_STRESS="${harness#*:}" cargo test --quiet --test it "${harness%:*}::" -- --nocapture
done
