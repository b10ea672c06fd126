#!/usr/bin/env bash
# Kills keyward more often than `cargo test` has time for, and says how often: benches/kills.sh
#   rotation_steps  right before every single effect of a due run, with every kind of sink
#   rotation_kills  a due run over four sinks, a thousand times at some moment
#   crash           create, rotate, rekey and changes of slots, five hundred times at some moment
set -euo pipefail
cd "$(dirname "$0")/.."
for harness in rotation_steps:1 rotation_kills:1000 crash:500; do
    echo "$harness"
    time KEYWARD_STRESS="${harness#*:}" cargo test --quiet --test it "${harness%:*}" -- --nocapture
done
