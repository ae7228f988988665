#!/usr/bin/env bash
# Trains a config on one GPU for so many minutes in all; the same command goes on where the last one stopped.
#
#   bash launch/gpu_train.sh CONFIG MINUTES [--out=DIR] [--from=RUN] [--dry_run] [arguments of scan_jax.main]
#
# RUN is a run folder that was carried there, and is copied to DIR (runs/CONFIG) where that is none yet. A checkpoint is
# saved every two minutes and half a minute before the end (EVERY=120 and RESERVE=30 seconds of the environment), and only
# the newest is kept; DIR, with the curves, is what has to come back. It ends with 1 where that is more than 60 MB.

set -euo pipefail

MOST_MB=60 EVERY=${EVERY:-120} RESERVE=${RESERVE:-30}

fail() {
  echo "error: $1" >&2
  exit 1
}

[[ $# -ge 2 && $1 != --* && $2 != --* ]] || fail "name a config and minutes, as in: bash launch/gpu_train.sh open 15"
config=$1 minutes=$2 from='' dry_run=0 others=()
shift 2
[[ $minutes =~ ^[1-9][0-9]*$ ]] || fail "the minutes must be a whole number from 1, not $minutes"
name=${config##*/}
out=runs/${name%.py}
for argument in "$@"; do
  case $argument in
    --out=*) out=$(realpath -m "${argument#*=}") ;;
    --from=*) from=$(realpath -m "${argument#*=}") ;;
    --dry_run) dry_run=1 ;;
    *) others+=("$argument") ;;
  esac
done
[[ -z $from || -d $from/checkpoints ]] || fail "$from is no run folder: it has no checkpoints"

cd "$(dirname "$0")/.."
command=("${PYTHON:-python}" -m scan_jax.main "--config=$config" "--workdir=$out" --config.training.keep=1
  "${others[@]}")
if [[ $dry_run == 1 ]]; then
  printf '%q ' "${command[@]}"
  echo
  exit 0
fi
if [[ -n $from && ! -d $out/checkpoints ]]; then
  mkdir -p "$out"
  cp -r "$from/." "$out"
fi

trap '' USR1 # which the trainer inherits, so that one that comes before its first step does nothing
"${command[@]}" &
running=$! status=0 told=0 end=$((60 * minutes)) next=$EVERY
trap 'kill -TERM "$running"' TERM INT
while kill -0 "$running" 2> /dev/null; do
  sleep 1
  if ((SECONDS >= end)); then
    kill -KILL "$running" 2> /dev/null || true # the checkpoint before counts
  elif ((SECONDS >= end - RESERVE && told == 0)); then
    told=1
    kill -TERM "$running" 2> /dev/null || true # saves and ends
  elif ((SECONDS >= next && told == 0)); then
    next=$((next + EVERY))
    kill -USR1 "$running" 2> /dev/null || true # saves
  fi
done
wait "$running" || status=$?
size=$(du -sm "$out" | cut -f1)
echo "$out has ${size} MB: $(find "$out/checkpoints" -mindepth 1 -maxdepth 1 -type d -printf '%f ' 2> /dev/null)"
[[ $status == 0 ]] || exit "$status"
((size <= MOST_MB)) || fail "more than $MOST_MB MB: python -m scan_jax export --run=$out --out=DIR has its networks alone"
