"""launch/ for Slurm and GKE: what would run, what is refused, and that a run that was stopped is started again."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from launchers import LAUNCH, RUN, launch, printed, program, refused, until


def test_slurm_dry_run_and_options():
    step = ["srun", "--label", "--kill-on-bad-exit=1", ".venv/bin/python", "-m", "scan_jax.main"]
    assert printed("slurm.sbatch", *RUN) == [[*step, *RUN, "--distributed=auto"]]
    (words,) = printed("slurm.sbatch", *RUN, PYTHON="my python", SLURM_CPUS_PER_TASK="8")
    assert words[3:5] == ["--cpus-per-task=8", "my python"]
    lines = (LAUNCH / "slurm.sbatch").read_text().splitlines()
    options = [line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH ")]
    assert {"--requeue", "--open-mode=append", "--signal=B:USR1@300"} <= set(options)
    given = dict(option.split("=", 1) for option in options if "=" in option)
    assert given["--gpus-per-node"] == given["--ntasks-per-node"]  # one task a GPU
    assert not any(option.startswith(("--gpus-per-task", "--gpu-bind")) for option in options)
    first_command = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    assert all(i < first_command for i, line in enumerate(lines) if line.startswith("#SBATCH"))  # sbatch stops there


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("--config=FILE is missing", ("--workdir=/shared/r",)),
        ("--workdir=FOLDER is missing", ("--config=c.py",)),
        ("--workdir=FOLDER is missing", ("--config=c.py", "--workdir=", "--dry_run")),
        ("--distributed", (*RUN, "--distributed=off")),
        ("not a path of the file system", ("--config=c.py", "--workdir=gs://b/r", "--dry_run")),
        ("not in a Slurm job", RUN),
    ],
)
def test_slurm_refuses(words, arguments):
    refused(words, "slurm.sbatch", *arguments)


@pytest.mark.parametrize(
    ("told", "trainer", "code", "queued"),
    [
        (signal.SIGUSR1, "exit 0", 0, ["--signal=TERM 7", "requeue 7"]),  # the time limit is near
        (signal.SIGTERM, "exit 0", 0, []),  # scancel, or a preemption that Slurm undoes itself
        (signal.SIGUSR1, "exit 3", 3, ["--signal=TERM 7"]),  # it could not save
        (None, "exit 4", 4, []),
        (None, "exit 0", 0, []),
    ],
)
def test_slurm_job(told, trainer, code, queued, tmp_path):
    waits = "touch runs; while true; do sleep 0.02; done" if told else trainer
    program(tmp_path, "srun", f"echo $$ > srun.pid; trap 'sleep 0.2; {trainer}' TERM; {waits}\n")
    program(tmp_path, "scancel", 'echo "$*" >> told; kill -TERM "$(cat srun.pid)"\n')
    program(tmp_path, "scontrol", 'echo "$*" >> told\n')
    (tmp_path / "scan_jax").mkdir()
    (tmp_path / "told").touch()
    given = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "PYTHON": "bash"}
    words = ["bash", str(LAUNCH / "slurm.sbatch"), *RUN]
    job = subprocess.Popen(words, cwd=tmp_path, env=given, stdout=subprocess.PIPE, text=True)
    if told:
        until((tmp_path / "runs").exists)
        job.send_signal(told)
        if told == signal.SIGTERM:  # Slurm tells the tasks, too
            os.kill(int((tmp_path / "srun.pid").read_text()), told)
    output, _ = job.communicate(timeout=30)
    assert job.returncode == code, output
    assert (tmp_path / "told").read_text().splitlines() == queued


@pytest.mark.parametrize(("answer", "code"), [("exit 0", 143), ("exit 5", 5)])
def test_restartable_says_that_it_was_told_to_stop(answer, code, tmp_path):
    inner = f"trap 'sleep 0.2; {answer}' TERM; touch runs; while true; do sleep 0.02; done"
    process = subprocess.Popen(["bash", str(LAUNCH / "restartable.sh"), "bash", "-c", inner], cwd=tmp_path)
    until((tmp_path / "runs").exists)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == code


def test_restartable_hands_on_the_exit_code():
    for code in (0, 1, 143):
        assert launch("restartable.sh", "bash", "-c", f"exit {code}").returncode == code
    refused("name the command", "restartable.sh")


APPLY = ("apply", "--dry_run", "--image=i", "--bucket=faces")


def jobset(*arguments, **environment):
    """The JobSet of a dry run, read as Kubernetes would."""
    yaml = pytest.importorskip("yaml")
    if shutil.which("envsubst") is None:
        pytest.skip("needs envsubst: apt-get install gettext-base")
    done = launch("gke.sh", "apply", "--dry_run", "--image=eu/scan:1", "--bucket=007", *arguments, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\n# kubectl apply --filename=-\n")
    return yaml.safe_load(done.stdout)


def test_jobset_is_one_slice_that_restarts_as_a_whole():
    whole = jobset(*RUN, "--name=faces", "--account=trainer", TOPOLOGY="4x8")
    assert (whole["apiVersion"], whole["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    assert whole["metadata"]["name"] == "faces"
    assert "${" not in json.dumps(whole)  # nothing is left to fill in
    policy, (job,) = whole["spec"]["failurePolicy"], whole["spec"]["replicatedJobs"]
    preempted = {"action": "RestartJobSetAndIgnoreMaxRestarts", "onJobFailureReasons": ["PodFailurePolicy"]}
    assert policy["maxRestarts"] == 10 and policy["rules"][0].items() > preempted.items()
    spec = job["template"]["spec"]
    assert (job["replicas"], spec["parallelism"], spec["completions"]) == (1, 8, 8)
    assert (spec["completionMode"], spec["backoffLimit"]) == ("Indexed", 0)
    told, saved = spec["podFailurePolicy"]["rules"]
    assert told == {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert saved["onExitCodes"] == {"containerName": "train", "operator": "In", "values": [143]}
    pod, of_google = spec["template"]["spec"], "cloud.google.com/gke-tpu"
    assert (pod["restartPolicy"], pod["serviceAccountName"]) == ("Never", "trainer")
    assert pod["nodeSelector"] == {f"{of_google}-accelerator": "tpu-v5-lite-podslice", f"{of_google}-topology": "4x8"}


def test_jobset_runs_the_trainer_with_every_word_as_it_was():
    odd = '--config.note="a\\b" $(HOME) ${NAME} #:'
    (job,) = jobset(*RUN, odd)["spec"]["replicatedJobs"]
    (container,) = job["template"]["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["bash", "launch/restartable.sh", "python", "-m", "scan_jax.main"]
    undone = [word.replace("$$(", "$(") for word in container["args"]]  # as Kubernetes does
    assert undone == [*RUN[:2], "--distributed=auto", *RUN[2:], odd]
    assert container["resources"] == {kind: {"google.com/tpu": 4} for kind in ("requests", "limits")}
    assert (container["name"], container["image"]) == ("train", "eu/scan:1")


def test_jobset_mounts_the_bucket():
    (job,) = jobset("--config=c.py", NAME="faces")["spec"]["replicatedJobs"]
    template = job["template"]["spec"]["template"]
    annotations, (container,) = template["metadata"]["annotations"], template["spec"]["containers"]
    assert annotations["gke-gcsfuse/volumes"] == "true" and all(isinstance(one, str) for one in annotations.values())
    assert "--workdir=/runs/faces" in container["args"]
    (volume,) = template["spec"]["volumes"]
    assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": "/runs"}]
    assert volume["csi"]["driver"] == "gcsfuse.csi.storage.gke.io"
    attributes = volume["csi"]["volumeAttributes"]
    assert attributes["bucketName"] == "007"  # not a number
    assert "metadata-cache:ttl-secs:0" in attributes["mountOptions"].split(",")  # pods see each other's files


@pytest.mark.parametrize(("topology", "chips", "hosts"), [("2x4", 8, 1), ("16x16", 4, 64), ("2x2x4", 4, 4)])
def test_jobset_counts_the_machines(topology, chips, hosts):
    (job,) = jobset(*RUN, f"--topology={topology}", f"--chips={chips}")["spec"]["replicatedJobs"]
    assert job["template"]["spec"]["parallelism"] == hosts


def closed(schema):
    """The schema, whose objects have no other fields than it names; what every metadata has it leaves open."""
    found = {key: closed(value) if isinstance(value, dict) else value for key, value in schema.items()}
    return {"additionalProperties": False, **found} if "type" in found and "properties" in found else found


@pytest.mark.slow  # which takes half a minute to read
def test_jobset_by_the_published_schema():
    """Every field is one that the JobSet definition knows, of its type, and none that it requires is absent."""
    yaml = pytest.importorskip("yaml")
    validation = pytest.importorskip("jsonschema")
    path = os.environ.get("SCAN_JAX_JOBSET_CRD")
    if path is None:
        pytest.skip("needs SCAN_JAX_JOBSET_CRD=config/components/crd/bases/jobset.x-k8s.io_jobsets.yaml of JobSet")
    versions = yaml.safe_load(Path(path).read_text())["spec"]["versions"]
    (schema,) = [closed(version["schema"]["openAPIV3Schema"]) for version in versions if version["name"] == "v1alpha2"]
    whole = jobset(*RUN)
    validation.validate(whole, schema)
    whole["spec"]["replicatedJobs"][0]["template"]["spec"]["backOffLimit"] = 0
    with pytest.raises(validation.ValidationError, match="backOffLimit"):
        validation.validate(whole, schema)


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("image is missing", ("apply", "--dry_run", *RUN)),
        ("bucket is missing", ("apply", "--dry_run", "--image=i", *RUN)),
        ("--bucket=gs://b is not the bare name", (*APPLY, *RUN, "--bucket=gs://b")),
        ("--config=FILE is missing", (*APPLY, "--workdir=/runs/r")),
        ("--workdir=/tmp/r is not in the bucket", (*APPLY, "--config=c.py", "--workdir=/tmp/r")),
        ("--workdir=gs://b/r is not in the bucket", (*APPLY, "--config=c.py", "--workdir=gs://b/r")),
        ("--topology=4by4", (*APPLY, *RUN, "--topology=4by4")),
        ("do not make up", (*APPLY, *RUN, "--topology=2x3")),
        ("--name=My_Run", (*APPLY, *RUN, "--name=My_Run")),
        ("status takes no --config.a=1", ("status", "--config.a=1")),
        ("no command 'start'", ("start",)),
    ],
)
def test_gke_refuses(words, arguments):
    refused(words, "gke.sh", *arguments)


def test_gke_watches_and_ends():
    assert printed("gke.sh", "delete", "--name=faces") == [["kubectl", "delete", "jobset", "faces"]]
    sets, pods = printed("gke.sh", "status")
    assert sets == ["kubectl", "get", "jobset", "scan-jax"]
    assert pods == ["kubectl", "get", "pods", "--selector=jobset.sigs.k8s.io/jobset-name=scan-jax", "--output=wide"]
    (logs,) = printed("gke.sh", "logs")
    assert "--container=train" in logs  # not the one that mounts the bucket
    assert logs[-1].endswith("jobset-name=scan-jax,batch.kubernetes.io/job-completion-index=0")


@pytest.mark.slow
@pytest.mark.skipif("SCAN_JAX_SLURM" not in os.environ, reason="needs SCAN_JAX_SLURM=1: starts a Slurm on this machine")
def test_slurm_queues_the_job_again_and_it_goes_on():
    script = Path(__file__).with_name("slurm_on_one_node.sh")
    done = subprocess.run(["bash", script, sys.executable], capture_output=True, text=True, timeout=1800)
    if done.returncode == 77:  # Slurm cannot be started here
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr


def test_gpu_train_goes_on_saves_now_and_then_and_ends_in_time(tmp_path):
    refused("name a config and minutes", "gpu_train.sh", "open")
    refused("whole number from 1", "gpu_train.sh", "open", "0.5")
    refused("is no run folder", "gpu_train.sh", "open", "9", f"--from={tmp_path}")
    carried, out, log = tmp_path / "carried", tmp_path / "out", tmp_path / "log"
    (carried / "checkpoints" / "40").mkdir(parents=True)
    given = ("configs/open.py", "1", f"--from={carried}", f"--out={out}", "--config.seed=1")
    (words,) = printed("gpu_train.sh", *given, PYTHON="python3")
    assert words[:5] == ["python3", "-m", "scan_jax.main", "--config=configs/open.py", f"--workdir={out}"]
    assert words[5:] == ["--config.training.keep=1", "--config.seed=1"] and not out.exists()
    assert "--workdir=runs/open" in printed("gpu_train.sh", "configs/open.py", "1")[0]
    trainer = tmp_path / "trainer.py"  # what one does with the signals
    trainer.write_text(
        "import os, signal, sys\n"
        f"def note(word): print(word, file=open({str(log)!r}, 'a'))\n"
        "signal.signal(signal.SIGUSR1, lambda *_: note('save'))\n"
        "signal.signal(signal.SIGTERM, lambda *_: (note('end'), sys.exit(int(os.environ['CODE']))))\n"
        "while True: signal.pause()"
    )
    program(tmp_path / "bin", "python3", f"exec {sys.executable} {trainer}")
    for code in (0, 3):
        log.unlink(missing_ok=True)
        settings = {"PYTHON": str(tmp_path / "bin" / "python3"), "EVERY": "1", "RESERVE": "56", "CODE": str(code)}
        done = launch("gpu_train.sh", *given, **settings)
        assert (done.returncode, log.read_text().split()[-1]) == (code, "end")
        assert log.read_text().split().count("save") in (2, 3)
    assert (out / "checkpoints" / "40").is_dir() and "MB: 40" in done.stdout
    (out / "large").write_bytes(bytes(62 * 2**20))
    done = launch("gpu_train.sh", *given, **{**settings, "CODE": "0"})
    assert done.returncode == 1 and "more than 60 MB" in done.stderr
