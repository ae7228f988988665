#!/usr/bin/env bash
# Runs a command that answers SIGTERM by saving and exiting with 0, for a scheduler that takes 0 for "done" and would never
# start it again: passes SIGTERM on, waits, and exits with 143 if there was one, else as the command did.
#
#   bash launch/restartable.sh python -m scan_jax.main --config=... --workdir=...

set -euo pipefail

if [[ $# == 0 ]]; then
  echo "error: name the command to run, as in: bash launch/restartable.sh python -m scan_jax.main ..." >&2
  exit 1
fi

running='' stopped=0 told=0 status=0
trap 'stopped=1 told=1; kill -TERM "$running" 2> /dev/null || true' TERM
"$@" &
running=$!
[[ $stopped == 0 ]] || kill -TERM "$running"
wait "$running" || status=$?
while [[ $told == 1 && $status -gt 128 ]]; do # a trapped signal ends `wait`, not the command
  told=0 status=0
  wait "$running" || status=$?
done
if [[ $stopped == 1 && $status == 0 ]]; then
  status=143 # 128 + SIGTERM
fi
exit "$status"
