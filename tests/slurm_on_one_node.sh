#!/usr/bin/env bash
# Runs launch/slurm.sbatch under a real Slurm on this machine: a cluster of one node with two pretended GPUs, of its own
# folder and ports, started here and stopped at the end. Needs root and Debian's or Ubuntu's packages:
#
#   apt-get install -y slurm-wlm munge && bash tests/slurm_on_one_node.sh [PYTHON]
#
# At the time limit both tasks are told, the job is queued again and goes on; a failure ends the job with its exit code;
# scancel lets them save and queues nothing. Then the trainer itself, whose two processes find each other.
# Exit code 0 if all of that happened, 77 where Slurm cannot be started.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=$(command -v "${1:-python3}")
[[ $EUID == 0 ]] || { echo "skipped: slurmctld, slurmd and munged are started as root" && exit 77; }
for program in munged slurmctld slurmd sbatch; do
  command -v "$program" > /dev/null || { echo "skipped: no $program; apt-get install -y slurm-wlm munge" && exit 77; }
done

box=$(mktemp -d)
chmod 755 "$box"
daemons=()
clean_up() {
  local status=$? daemon
  [[ $status == 0 ]] || tail -n 30 "$box"/*/slurm*.log "$box"/*.log >&2 || true
  scancel --user=root 2> /dev/null || true
  for _ in {1..60}; do [[ -n $(squeue --noheader 2> /dev/null) ]] || break; sleep 0.5; done # else they would outlive us
  for daemon in "${daemons[@]}"; do kill "$daemon" 2> /dev/null || true; done
  wait
  rm -rf "$box"
}
trap clean_up EXIT

die() {
  echo "failed: $*" >&2
  exit 1
}

wait_until() { # SECONDS WORDS COMMAND...: until the command is content
  local end=$((SECONDS + $1)) words=$2
  shift 2
  until "$@" > /dev/null 2>&1; do
    ((SECONDS < end)) || die "waited in vain until $words"
    sleep 0.5
  done
}

start_slurm() {
  local host
  host=$(hostname -s)
  mkdir -m 755 "$box/munge" "$box/state" "$box/spool" "$box/daemons"
  dd if=/dev/urandom of="$box/munge/key" bs=128 count=1 2> /dev/null
  chmod 400 "$box/munge/key"
  cat > "$box/gres.conf" << END
Name=gpu File=/dev/null Flags=nvidia_gpu_env
Name=gpu File=/dev/zero Flags=nvidia_gpu_env
END
  cat > "$box/slurm.conf" << END
ClusterName=one_node
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=26817
SlurmdPort=26818
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$box/munge/socket
CryptoType=crypto/munge
StateSaveLocation=$box/state
SlurmdSpoolDir=$box/spool
SlurmctldPidFile=$box/slurmctld.pid
SlurmdPidFile=$box/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=5
GresTypes=gpu
KillWait=20
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 Gres=gpu:2 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
  export SLURM_CONF=$box/slurm.conf
  munged --foreground --key-file="$box/munge/key" --socket="$box/munge/socket" --pid-file="$box/munge/pid" \
    --log-file="$box/munge/munged.log" --seed-file="$box/munge/seed" &> "$box/daemons/munged.log" &
  daemons+=($!)
  wait_until 20 "munged answers" test -S "$box/munge/socket"
  slurmctld -D &> "$box/daemons/slurmctld.log" &
  daemons+=($!)
  slurmd -D &> "$box/daemons/slurmd.log" &
  daemons+=($!)
  wait_until 60 "the node is idle" bash -c "sinfo --noheader --format=%T | grep -qx idle"
}

submit() { # LOG OPTION... -- ARGUMENT...: the job's number
  local log=$1 options=()
  shift
  while [[ $1 != -- ]]; do options+=("$1") && shift; done
  shift
  sbatch --parsable --output="$log" --gpus-per-node=2 --ntasks-per-node=2 --cpus-per-task=2 \
    "${options[@]}" launch/slurm.sbatch "$@"
}

state() { # JOB
  scontrol show job "$1" | grep -o 'JobState=[A-Z]*'
}

is() { # JOB STATE
  [[ $(state "$1") == "JobState=$2" ]]
}

start_again() { # JOB: now, and not after the two minutes that Slurm lets a job wait; within its second slurmd would refuse
  wait_until 60 "the job waits" is "$1" PENDING
  sleep 3
  scontrol update "JobId=$1" StartTime=now 2> /dev/null || true
}

in_log() { # LOG COUNT WORDS: as many lines have the words
  [[ $(grep -c -- "$3" "$1") == "$2" ]] || die "$1: not $2 lines with '$3':"$'\n'"$(cat "$1")"
}

stand_in() { # in the place of Python: a program of the trainer's manners
  cat > "$box/stand_in" << 'END'
#!/usr/bin/env bash
for word in "$@"; do [[ $word != --workdir=* ]] || cd "${word#*=}" || exit; done
[[ " $* " == *" --distributed=auto "* ]] || exit 8
echo "process $SLURM_PROCID of $SLURM_NTASKS sees $CUDA_VISIBLE_DEVICES"
[[ " $* " != *" --fail "* || $SLURM_PROCID != 1 ]] || exit 3 # the other one waits for it
[[ ! -e saved_$SLURM_PROCID ]] || { echo "process $SLURM_PROCID goes on and ends" && exit 0; }
trap '[[ -z $stopped ]] || exit 9; stopped=1' TERM # a second SIGTERM is impatience
stopped=''
touch "running_$SLURM_PROCID"
until [[ -n $stopped ]]; do sleep 0.1; done
sleep 3
touch "saved_$SLURM_PROCID"
echo "process $SLURM_PROCID saved"
END
  chmod +x "$box/stand_in"
}

start() { # NAME OPTION... -- ARGUMENT...: the stand-in's job, of a folder and a log of that name
  mkdir "$box/$1"
  PYTHON=$box/stand_in submit "$box/$1.log" "${@:2}" --config=any "--workdir=$box/$1"
}

test_time_limit() {
  local job log="$box/time limit.log"
  job=$(start "time limit" --time=1 --signal=B:USR1@45 --)
  wait_until 150 "the job is queued again" grep -q "queued again" "$log"
  start_again "$job"
  wait_until 200 "the job is done" is "$job" COMPLETED
  in_log "$log" 2 "process 0 of 2 sees 0,1"
  in_log "$log" 2 "process 1 of 2 sees 0,1"
  in_log "$log" 2 "process [01] saved"
  in_log "$log" 2 "process [01] goes on and ends"
  in_log "$log" 1 "start 2 of job $job"
  echo "ok: two processes saved before the time limit, were queued again and went on"
}

test_failure() {
  local job
  job=$(start failure -- --fail)
  wait_until 90 "the job failed" is "$job" FAILED
  scontrol show job "$job" | grep -q 'ExitCode=3:0' || die "exit code: $(scontrol show job "$job" | grep ExitCode)"
  scontrol show job "$job" | grep -q 'Restarts=0' || die "a failed job was queued again"
  echo "ok: a process that fails ends the job with its exit code"
}

test_cancel() {
  local job
  job=$(start cancel --)
  wait_until 60 "both processes run" test -e "$box/cancel/running_0" -a -e "$box/cancel/running_1"
  scancel "$job"
  wait_until 60 "the job is cancelled" is "$job" CANCELLED
  wait_until 30 "both saved" test -e "$box/cancel/saved_0" -a -e "$box/cancel/saved_1"
  echo "ok: scancel lets both save and queues nothing"
}

test_requeue() { # what a preemption does: the processes are told, and the job is queued again
  local job
  job=$(start requeue --)
  wait_until 60 "both processes run" test -e "$box/requeue/running_0" -a -e "$box/requeue/running_1"
  scontrol requeue "$job"
  wait_until 60 "both saved" test -e "$box/requeue/saved_0" -a -e "$box/requeue/saved_1"
  start_again "$job"
  wait_until 200 "the job is done" is "$job" COMPLETED
  in_log "$box/requeue.log" 2 "process [01] goes on and ends"
  echo "ok: a job that Slurm takes back saves, and goes on when it is started again"
}

trainer() { # NAME STEPS: the job's number
  PYTHON=$python submit "$box/$1.log" -- --config=configs/demo.py "--workdir=$box/$1" --config.training.steps="$2" \
    --config.training.batch_size=4 --config.training.{checkpoint,pictures}_every=1000000 --config.training.log_every=5 \
    --config.data.size=32 --config.method.{width,critic_width}=4 --config.method.stages=1 --config.method.blocks=0 \
    "--config.method.attention=()" --config.method.prior=none --config.evaluation.photographs=2 --config.evaluation.holes_per_bucket=1
}

steps_of() { # NAME: that have a whole checkpoint
  find "$box/$1/checkpoints" -maxdepth 1 -name '[0-9]*' -printf '%f\n' | sort -n | tr '\n' ' '
}

test_trainer() {
  local job step lines
  job=$(trainer stopped 1000000)
  wait_until 500 "the trainer takes steps" grep -q . "$box/stopped/scalars.jsonl"
  scancel --batch --signal=USR1 "$job" # what the time limit does
  wait_until 90 "the job is queued again" grep -q "queued again" "$box/stopped.log"
  step=$(steps_of stopped)
  [[ $step =~ ^[1-9][0-9]*\ $ ]] || die "checkpoints '$step'"$'\n'"$(cat "$box/stopped.log")"
  lines=$(wc -l < "$box/stopped/scalars.jsonl")
  start_again "$job"
  wait_until 500 "the trainer goes on" grep -q "going on from step ${step% }" "$box/stopped.log"
  wait_until 500 "it takes more steps" bash -c "[[ \$(wc -l < '$box/stopped/scalars.jsonl') -gt $lines ]]"
  scancel "$job"
  wait_until 60 "the job is cancelled" is "$job" CANCELLED
  wait_until 30 "it saved once more" bash -c "[[ \$(ls '$box/stopped/checkpoints' | grep -c '^[0-9]*$') -ge 2 ]]"
  in_log "$box/stopped.log" 2 "process 1 of 2"
  echo "ok: the trainer on two processes saved at step ${step% }, went on, and saved when cancelled: $(steps_of stopped)"
  job=$(trainer whole 4)
  wait_until 500 "the trainer is done" is "$job" COMPLETED
  [[ $(steps_of whole) == "4 " && -s $box/whole/scalars.jsonl ]] || die "no checkpoint"$'\n'"$(cat "$box/whole.log")"
  echo "ok: the trainer on two processes came to its end"
}

cd "$root"
export JAX_PLATFORMS=cpu JAX_DISABLE_MOST_OPTIMIZATIONS=1
start_slurm
stand_in
test_time_limit
test_failure
test_cancel
test_requeue
test_trainer
