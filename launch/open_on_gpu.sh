#!/usr/bin/env bash
# Trains configs/open.py on one GPU for a while; the same command goes on where the last one stopped.
#
#   bash launch/open_on_gpu.sh --data=DIR --workdir=DIR [--minutes=15] [--dry_run] [arguments of scan_jax.main]
#
# DIR of --data holds what `python -m scan_jax prepare open_photographs --source=DEBS --data_dir=DIR --size=448` made,
# 53 MB: all that has to be carried there beside a checkout. It saves every 2,000 steps, and when its time is over.

set -euo pipefail

fail() {
  echo "error: $1" >&2
  exit 1
}

data='' workdir='' minutes=15 dry_run=0 others=()
for argument in "$@"; do
  case $argument in
    --data=*) data=${argument#*=} ;;
    --workdir=*) workdir=${argument#*=} ;;
    --minutes=*) minutes=${argument#*=} ;;
    --dry_run) dry_run=1 ;;
    *) others+=("$argument") ;;
  esac
done
[[ -n $data && -n $workdir ]] || fail "give --data=DIR and --workdir=DIR, as in the first lines of $0"
[[ $minutes =~ ^[1-9][0-9]*$ ]] || fail "--minutes must be a whole number from 1, not $minutes"
[[ -d $data/open_photographs/448 ]] || fail "$data holds no open_photographs/448: python -m scan_jax prepare open_photographs --source=DEBS --data_dir=$data --size=448"

# SIGTERM makes the trainer save and exit with 0.
command=(timeout --foreground --preserve-status --signal=TERM "${minutes}m" "${PYTHON:-python}" -m scan_jax.main
  --config=configs/open.py --config.data.data_dir="$(realpath "$data")"
  --config.data.dataset=open_photographs/448 --workdir="$(realpath -m "$workdir")"
  --config.training.batch_size=32 --config.training.checkpoint_every=2000 "${others[@]}")
if [[ $dry_run == 1 ]]; then
  printf '%q ' "${command[@]}"
  echo
  exit 0
fi
cd "$(dirname "$0")/.."
"${command[@]}"
