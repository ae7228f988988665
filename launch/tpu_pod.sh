#!/usr/bin/env bash
# A run on a Cloud TPU slice of any size, from your own machine, with gcloud.
#
#   launch/tpu_pod.sh queue   [settings]       ask for the slice and wait in the queue for it; create: now or never
#   launch/tpu_pod.sh install [settings]       copy this folder's code to every worker and install what it needs
#   launch/tpu_pod.sh run     [settings] --config=FILE --workdir=/mnt/BUCKET/RUN [--config.a.b=value ...]
#   launch/tpu_pod.sh resume  [settings] --config=FILE --workdir=/mnt/BUCKET/RUN [...]    after a preemption: as run was
#   launch/tpu_pod.sh status | logs | stop | delete [settings]
#
# Settings, as flags or as environment variables in capitals:
#   --project=PROJECT  the Google Cloud project                       (no default)
#   --zone=ZONE        where it has TPUs                              (no default)
#   --name=NAME        of the slice and of its request                (scan-jax)
#   --type=TYPE        the accelerator                                (v5litepod-16)
#   --version=VERSION  the image of its machines                      (the one that fits TYPE)
#   --bucket=BUCKET    install, run and resume mount it at /mnt/BUCKET on every worker   (no default: a mount of your own)
#   --spot=1           cheaper, and taken away at any time            (0)
#   --worker=N         whose log `logs` follows, or all               (0)
#   --dry_run          print every command instead of running it      (DRY_RUN=1)
#   POLL_SECONDS=60    between two looks at the queue

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
project=${PROJECT:-} zone=${ZONE:-} name=${NAME:-scan-jax} type=${TYPE:-v5litepod-16} version=${VERSION:-}
bucket=${BUCKET:-} spot=${SPOT:-0} worker=${WORKER:-0} dry_run=${DRY_RUN:-0} poll=${POLL_SECONDS:-60}
arguments=() # of `python -m scan_jax.main`

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

usage() {
  sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
}

quoted() { # WORD...: as a shell reads them back
  local word line=''
  for word in "$@"; do
    case $word in
      '' | *[!A-Za-z0-9_./:=,@%+-]*) line+=" '$(printf '%s' "$word" | sed "s/'/'\\\\''/g")'" ;;
      *) line+=" $word" ;;
    esac
  done
  printf '%s\n' "${line# }"
}

do_it() { # COMMAND...: or print it
  if [[ $dry_run != 0 ]]; then
    quoted "$@"
  else
    "$@"
  fi
}

gcloud_tpus() { # GROUP COMMAND ARGUMENT...
  do_it gcloud compute tpus "$@" "--project=$project" "--zone=$zone"
}

on_workers() { # WHICH COMMAND: in the shell of each
  gcloud_tpus tpu-vm ssh "$name" "--worker=$1" "--command=$2"
}

image() { # of TYPE, or nothing
  case $type in
    v6e-*) echo v2-alpha-tpuv6e ;;
    v5p-*) echo v2-alpha-tpuv5 ;;
    v5litepod-*) echo v2-alpha-tpuv5-lite ;;
    v[234]-*) echo tpu-ubuntu2204-base ;;
    *) ;;
  esac
}

create() {
  local options=("--accelerator-type=$type" "--version=$version")
  [[ $spot == 0 ]] || options+=(--spot)
  gcloud_tpus tpu-vm create "$name" "${options[@]}"
}

request() {
  local options=("--node-id=$name" "--accelerator-type=$type" "--runtime-version=$version")
  [[ $spot == 0 ]] || options+=(--spot)
  gcloud_tpus queued-resources create "$name" "${options[@]}"
}

describe() { # the state of the request
  gcloud_tpus queued-resources describe "$name" '--format=value(state.state)'
}

state() { # the same; nothing where there is none
  describe 2> /dev/null || true
}

wait_for_slice() {
  local now
  if [[ $dry_run != 0 ]]; then
    printf '%s  # every %s s until it prints ACTIVE\n' "$(describe)" "$poll"
    return
  fi
  while true; do
    now=$(describe)
    printf '%s: %s\n' "$name" "$now"
    case $now in
      ACTIVE) return ;;
      FAILED | SUSPENDED | SUSPENDING) die "the request $name is $now; see why with status, then resume or delete it" ;;
      *) sleep "$poll" ;;
    esac
  done
}

queue() {
  request
  wait_for_slice
}

mounting() { # what mounts the bucket on a worker that does not have it, or has lost it; nothing without a bucket
  local at=/mnt/$bucket
  # Workers wait for each other's files: none may remember what was not there. Directories count without an object, too.
  [[ -z $bucket ]] || printf '%s' "mountpoint -q $at || { fusermount -uz $at 2> /dev/null; \
sudo mkdir -p $at && sudo chown \"\$(id -u)\" $at && gcsfuse --implicit-dirs --metadata-cache-ttl-secs=0 $bucket $at; } || exit 1; "
}

installing() { # gcsfuse: what installs it on a worker that does not have it; nothing without a bucket
  local site=https://packages.cloud.google.com/apt key=/usr/share/keyrings/cloud.google.asc
  local get='sudo apt-get -qy -o DPkg::Lock::Timeout=300' # a new machine updates itself first
  [[ -z $bucket ]] || printf '%s' "if ! command -v gcsfuse > /dev/null; then $get update; $get install curl lsb-release; \
sudo curl -fsSL -o $key $site/doc/apt-key.gpg; \
echo \"deb [signed-by=$key] $site gcsfuse-\$(lsb_release -c -s) main\" | sudo tee /etc/apt/sources.list.d/gcsfuse.list; \
$get update; $get install gcsfuse; fi; "
}

install() {
  local archive=scan_jax.tar.gz
  if [[ $dry_run == 0 ]]; then
    archive=$(mktemp)
    # shellcheck disable=SC2064 # this file, whatever the variable says by then
    trap "rm -f '$archive'" EXIT
  fi
  do_it tar -czf "$archive" -C "$root" --exclude=__pycache__ scan_jax configs requirements.txt
  gcloud_tpus tpu-vm scp "$archive" "$name:scan_jax.tar.gz" --worker=all
  # The images carry an older Python; uv brings its own.
  on_workers all "set -e; $(installing)$(mounting)mkdir -p scan_jax; tar -xzf scan_jax.tar.gz -C scan_jax; cd scan_jax; \
python3 -m pip install --quiet --user uv; ~/.local/bin/uv venv --quiet --allow-existing --python=3.13 .venv; \
~/.local/bin/uv pip install --quiet --python=.venv/bin/python -r requirements.txt 'jax[tpu]'; \
.venv/bin/python -c 'import jax; print(jax.__version__)'"
}

run() {
  # A folder that is not mounted would be written to each worker's own disk, apart from the others', and lost.
  # In a session of its own, away from the terminal: it outlives the connection. A second start beside the first is refused.
  on_workers all "$(mounting)workdir=$(quoted "$workdir"); mounted=\$workdir; \
until [ -d \"\$mounted\" ]; do mounted=\$(dirname \"\$mounted\"); done; \
if [ \"\$(stat -c %m \"\$mounted\")\" = / ]; then \
echo \"error: \$workdir is on this worker's own disk; mount what all workers see there, or say --bucket=NAME\" >&2; exit 1; fi; \
cd scan_jax || exit 1; \
if [ -e run.pid ] && kill -0 \"\$(cat run.pid)\" 2> /dev/null; then echo 'already running; stop it first'; exit 1; fi; \
nohup setsid .venv/bin/python -m scan_jax.main $(quoted "${arguments[@]}") --distributed=auto >> run.log 2>&1 < /dev/null & \
echo \$! > run.pid; echo \"started process \$!, log scan_jax/run.log\""
}

resume() {
  local now
  now=$(state)
  if [[ $dry_run != 0 ]]; then
    printf '%s  # refused where it prints ACTIVE: nothing was taken away\n' "$now"
  elif [[ $now == ACTIVE ]]; then
    die "$name is ACTIVE: nothing was taken away; install and run go on there"
  fi
  if [[ -n $now ]]; then
    gcloud_tpus queued-resources delete "$name" --force --quiet
  fi
  queue
  install
  run
}

status() {
  describe || true
  gcloud_tpus tpu-vm describe "$name" '--format=value(state,health,acceleratorType)'
  on_workers all "cd scan_jax && if kill -0 \"\$(cat run.pid)\" 2> /dev/null; then echo running; else echo stopped; fi; \
tail -n 1 run.log"
}

logs() {
  on_workers "$worker" 'tail -n 100 -F scan_jax/run.log'
}

stop() { # every process saves and ends; run goes on from there
  # shellcheck disable=SC2016 # the workers' shells expand it
  on_workers all 'kill -TERM "$(cat scan_jax/run.pid)"'
}

delete() { # of a slice that was queued its request, too
  local now
  now=$(state)
  if [[ $dry_run != 0 ]]; then
    printf '%s  # where it prints nothing, the slice was created, not queued: the last command, else the one before\n' "$now"
  fi
  if [[ -n $now ]]; then
    gcloud_tpus queued-resources delete "$name" --force --quiet
  fi
  if [[ -z $now || $dry_run != 0 ]]; then
    gcloud_tpus tpu-vm delete "$name" --quiet
  fi
}

command=${1:-help}
shift || true
config='' workdir=''
for word in "$@"; do
  case $word in
    --dry_run) dry_run=1 ;;
    --project=*) project=${word#*=} ;;
    --zone=*) zone=${word#*=} ;;
    --name=*) name=${word#*=} ;;
    --type=*) type=${word#*=} ;;
    --version=*) version=${word#*=} ;;
    --bucket=*) bucket=${word#*=} ;;
    --spot=*) spot=${word#*=} ;;
    --spot) spot=1 ;;
    --worker=*) worker=${word#*=} ;;
    --distributed*) die "--distributed is this script's to say; leave it out" ;;
    *)
      case $word in
        --config=?*) config=$word ;;
        --workdir=?*) workdir=${word#*=} ;;
        *) ;;
      esac
      arguments+=("$word")
      ;;
  esac
done

case $command in
  create | queue | install | run | resume | status | logs | stop | delete) ;;
  help | -h | --help) usage && exit 0 ;;
  *) die "no command '$command'; there are create, queue, install, run, resume, status, logs, stop and delete" ;;
esac
[[ -n $project ]] || die "the project is missing: --project=NAME or PROJECT=NAME"
[[ -n $zone ]] || die "the zone is missing: --zone=ZONE or ZONE=ZONE; gcloud compute tpus locations list shows them"
[[ $spot == 0 || $spot == 1 ]] || die "--spot=$spot is neither 0 nor 1"
[[ -z $bucket || $bucket =~ ^[a-z0-9][-_.a-z0-9]*[a-z0-9]$ ]] || die "--bucket=$bucket is not the bare name of a bucket"
[[ -n $version ]] || version=$(image)
[[ -n $version ]] || die "no image is known for --type=$type; name one: --version=VERSION"
case $command in
  run | resume)
    [[ -n $config ]] || die "--config=FILE is missing"
    [[ $workdir == /* ]] || die "--workdir is to be an absolute path that every worker sees and that outlives the slice:" \
      "--bucket=NAME --workdir=/mnt/NAME/RUN"
    ;;
  *) [[ ${#arguments[@]} == 0 ]] || die "$command takes no ${arguments[0]}" ;;
esac
if [[ $dry_run == 0 ]] && ! command -v gcloud > /dev/null; then
  die "gcloud is not installed; --dry_run shows the commands without it"
fi
"$command"
