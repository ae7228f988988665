#!/usr/bin/env bash
# A run on a TPU slice of a GKE cluster, the one that kubectl points to: fills in gke_jobset.yaml.
#
#   launch/gke.sh apply  [settings] --config=FILE [--workdir=/runs/RUN] [--config.a.b=value ...]
#   launch/gke.sh status | logs | delete [settings]
#
# Settings, as flags or as environment variables in capitals:
#   --image=IMAGE              with this code, from launch/Dockerfile      (no default)
#   --bucket=BUCKET            mounted at /runs, for all that the run writes (no default)
#   --name=NAME                of the JobSet; the run is /runs/NAME                               (scan-jax)
#   --accelerator=ACCELERATOR  the node pool's                             (tpu-v5-lite-podslice)
#   --topology=TOPOLOGY        the slice's                                 (4x4)
#   --chips=N                  of one machine                              (4)
#   --account=ACCOUNT          the Kubernetes service account              (default)
#   --restarts=N               after failures; preemptions do not count    (10)
#   --dry_run                  print the JobSet and the command, and run nothing

set -euo pipefail

folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
image=${IMAGE:-} bucket=${BUCKET:-} name=${NAME:-scan-jax} accelerator=${ACCELERATOR:-tpu-v5-lite-podslice}
topology=${TOPOLOGY:-4x4} chips=${CHIPS:-4} account=${ACCOUNT:-default} restarts=${RESTARTS:-10} dry_run=${DRY_RUN:-0}

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

usage() {
  sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
}

do_it() { # COMMAND...: or print it
  if [[ $dry_run != 0 ]]; then
    printf '%s\n' "$*"
  else
    "$@"
  fi
}

# shellcheck disable=SC2016 # nothing here is for this shell to expand
json() { # WORD: as YAML and JSON read it between double quotes; Kubernetes would replace $(X)
  printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g; s/\$(/$$(/g'
}

hosts() { # machines of the slice
  local sizes
  [[ $topology =~ ^[0-9]+(x[0-9]+){1,2}$ ]] || die "--topology=$topology is not like 4x4 or 2x2x4"
  [[ $chips =~ ^[1-9][0-9]*$ ]] || die "--chips=$chips is not a number of chips"
  sizes=$((${topology//x/*}))
  ((sizes % chips == 0)) || die "a slice of $topology has $sizes chips, which machines of $chips do not make up"
  echo $((sizes / chips))
}

filled_in() { # HOSTS
  local word more='' config_json workdir_json
  for word in ${overrides[@]+"${overrides[@]}"}; do
    word=$(json "$word")
    more+=", \"$word\""
  done
  config_json=$(json "$config")
  workdir_json=$(json "$workdir")
  # shellcheck disable=SC2016 # envsubst expands these and no others
  NAME=$name IMAGE=$image BUCKET=$bucket ACCOUNT=$account ACCELERATOR=$accelerator TOPOLOGY=$topology HOSTS=$1 CHIPS=$chips \
    RESTARTS=$restarts CONFIG=$config_json WORKDIR=$workdir_json OVERRIDES=$more envsubst \
    '$NAME $IMAGE $BUCKET $ACCOUNT $ACCELERATOR $TOPOLOGY $HOSTS $CHIPS $RESTARTS $CONFIG $WORKDIR $OVERRIDES' \
    < "$folder/gke_jobset.yaml"
}

apply() {
  local count jobset
  [[ -n $image ]] || die "the image is missing: --image=IMAGE or IMAGE=IMAGE; launch/Dockerfile makes one"
  [[ -n $bucket ]] || die "the bucket is missing: --bucket=NAME or BUCKET=NAME; a folder of the pods goes when they do"
  [[ $bucket =~ ^[a-z0-9][-_.a-z0-9]*[a-z0-9]$ ]] || die "--bucket=$bucket is not the bare name of a bucket"
  [[ -n $config ]] || die "--config=FILE is missing"
  [[ $workdir == /runs/?* ]] || die "--workdir=$workdir is not in the bucket, which is mounted at /runs: --workdir=/runs/RUN"
  [[ $restarts =~ ^[0-9]+$ ]] || die "--restarts=$restarts is not a number"
  count=$(hosts)
  command -v envsubst > /dev/null || die "envsubst is not installed; it is in the package gettext-base or gettext"
  jobset=$(filled_in "$count")
  if [[ $dry_run != 0 ]]; then
    printf '%s\n# kubectl apply --filename=-\n' "$jobset"
  else
    printf '%s\n' "$jobset" | kubectl apply --filename=-
  fi
}

status() {
  do_it kubectl get jobset "$name"
  do_it kubectl get pods "--selector=jobset.sigs.k8s.io/jobset-name=$name" --output=wide
}

logs() { # of process 0
  do_it kubectl logs --follow --tail=100 --container=train \
    "--selector=jobset.sigs.k8s.io/jobset-name=$name,batch.kubernetes.io/job-completion-index=0"
}

delete() { # every process is told, saves and ends; apply goes on from there
  do_it kubectl delete jobset "$name"
}

command=${1:-help}
shift || true
config='' workdir=''
overrides=()
for word in "$@"; do
  case $word in
    --dry_run) dry_run=1 ;;
    --image=*) image=${word#*=} ;;
    --bucket=*) bucket=${word#*=} ;;
    --name=*) name=${word#*=} ;;
    --accelerator=*) accelerator=${word#*=} ;;
    --topology=*) topology=${word#*=} ;;
    --chips=*) chips=${word#*=} ;;
    --account=*) account=${word#*=} ;;
    --restarts=*) restarts=${word#*=} ;;
    --config=*) config=${word#*=} ;;
    --workdir=*) workdir=${word#*=} ;;
    --distributed*) die "--distributed is this script's to say; leave it out" ;;
    *) overrides+=("$word") ;;
  esac
done

workdir=${workdir:-/runs/$name}
[[ $name =~ ^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$ ]] || die "--name=$name is not a name for Kubernetes: lower case, digits and -"
case $command in
  apply) ;;
  status | logs | delete) [[ ${#overrides[@]} == 0 ]] || die "$command takes no ${overrides[0]}" ;;
  help | -h | --help) usage && exit 0 ;;
  *) die "no command '$command'; there are apply, status, logs and delete" ;;
esac
if [[ $dry_run == 0 ]] && ! command -v kubectl > /dev/null; then
  die "kubectl is not installed; --dry_run shows what it would be given"
fi
"$command"
