"""launch/tpu_pod.sh: what it would run, what it refuses, and that a run outlives its connection; no cloud is asked."""

import json
import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from launchers import LAUNCH, ROOT, RUN, launch, printed, program, refused, until

SCRIPTS = (*sorted(LAUNCH.glob("*.sh")), LAUNCH / "slurm.sbatch", ROOT / "tests" / "slurm_on_one_node.sh")
PLACE = {"PROJECT": "my-project", "ZONE": "us-west4-a"}
GCLOUD = ("gcloud", "compute", "tpus")
WHERE = ("--project=my-project", "--zone=us-west4-a")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck(script):
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(["shellcheck", "--severity=style", str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_tpu_create_and_delete():
    assert printed("tpu_pod.sh", "create", "--type=v6e-8", "--spot=1", **PLACE) == [
        shlex.split(
            "gcloud compute tpus tpu-vm create scan-jax --accelerator-type=v6e-8 --version=v2-alpha-tpuv6e --spot"
        )
        + list(WHERE)
    ]
    describe, request, slice_alone = printed("tpu_pod.sh", "delete", "--name=faces", **PLACE)
    assert describe[3:6] == ["queued-resources", "describe", "faces"]
    assert request[3:] == ["queued-resources", "delete", "faces", "--force", "--quiet", *WHERE]
    assert slice_alone[3:] == ["tpu-vm", "delete", "faces", "--quiet", *WHERE]


@pytest.mark.parametrize(
    ("kind", "image"),
    [
        ("v4-16", "tpu-ubuntu2204-base"),
        ("v5litepod-256", "v2-alpha-tpuv5-lite"),
        ("v5p-128", "v2-alpha-tpuv5"),
        ("v6e-64", "v2-alpha-tpuv6e"),
    ],
)
def test_tpu_queue_knows_the_image(kind, image):
    create, describe = printed("tpu_pod.sh", "queue", TYPE=kind, NAME="faces", SPOT="0", **PLACE)
    assert create[:6] == [*GCLOUD, "queued-resources", "create", "faces"]
    assert create[6:] == ["--node-id=faces", f"--accelerator-type={kind}", f"--runtime-version={image}", *WHERE]
    assert describe[3:] == ["queued-resources", "describe", "faces", "--format=value(state.state)", *WHERE]


def test_tpu_flags_win_over_the_environment():
    (create,) = printed("tpu_pod.sh", "create", "--zone=eu-a", "--version=own", TYPE="v9-1", **PLACE)
    assert "--zone=eu-a" in create and "--version=own" in create and "--accelerator-type=v9-1" in create


def test_tpu_install_reaches_every_worker():
    pack, copy, install = printed("tpu_pod.sh", "install", **PLACE)
    assert pack[-3:] == ["scan_jax", "configs", "requirements.txt"]
    assert copy == [
        "gcloud",
        "compute",
        "tpus",
        "tpu-vm",
        "scp",
        pack[2],
        "scan-jax:scan_jax.tar.gz",
        "--worker=all",
        *WHERE,
    ]
    assert install[3:7] == ["tpu-vm", "ssh", "scan-jax", "--worker=all"]
    assert "-r requirements.txt 'jax[tpu]';" in install[7]
    assert "gcsfuse" not in install[7]


def test_tpu_install_and_run_mount_the_bucket():
    install = printed("tpu_pod.sh", "install", "--bucket=faces.b-1", **PLACE)[-1][7]
    assert install.index("apt-get") < install.index("gcsfuse --implicit-dirs") < install.index("uv venv")
    run = printed("tpu_pod.sh", "run", *RUN, BUCKET="faces.b-1", **PLACE)[-1][7]
    assert run.startswith("--command=mountpoint -q /mnt/faces.b-1 || {")
    # Workers see each other's files at once.
    assert "--metadata-cache-ttl-secs=0 faces.b-1 /mnt/faces.b-1; } || exit 1; " in run
    assert run.index("gcsfuse") < run.index("scan_jax.main")


@pytest.mark.parametrize("bucket", ["", "faces"])
@pytest.mark.parametrize("command", ["install", "run"])
def test_tpu_workers_are_told_what_a_shell_understands(command, bucket):
    told = printed("tpu_pod.sh", command, *(RUN if command == "run" else ()), BUCKET=bucket, **PLACE)[-1][7]
    done = subprocess.run(["bash", "-n", "-c", told.removeprefix("--command=")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    if shutil.which("shellcheck"):
        text = told.removeprefix("--command=")
        done = subprocess.run(["shellcheck", "--shell=bash", "-"], input=text, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_tpu_resume_is_a_new_slice_and_the_same_run():
    run = printed("tpu_pod.sh", "run", *RUN, **PLACE)
    resume = printed("tpu_pod.sh", "resume", *RUN, **PLACE)
    assert [command[3:5] for command in resume if command[0] == "gcloud"] == [
        ["queued-resources", "describe"],
        ["queued-resources", "delete"],
        ["queued-resources", "create"],
        ["queued-resources", "describe"],
        ["tpu-vm", "scp"],
        ["tpu-vm", "ssh"],
        ["tpu-vm", "ssh"],
    ]
    assert resume[-1:] == run


@pytest.mark.parametrize(
    ("words", "arguments", "environment"),
    [
        ("project is missing", ("queue",), {"ZONE": "z"}),
        ("zone is missing", ("run", *RUN), {"PROJECT": "p"}),
        ("--config=FILE is missing", ("run", "--workdir=/mnt/b/r"), PLACE),
        ("an absolute path that every worker sees", ("run", "--config=c.py"), PLACE),
        ("--bucket=NAME --workdir=/mnt/NAME/RUN", ("resume", "--config=c.py", "--workdir=runs/demo"), PLACE),
        ("an absolute path", ("run", "--config=c.py", "--workdir=gs://b/r"), {**PLACE, "BUCKET": "faces"}),
        ("--bucket=gs://b is not the bare name", ("install", "--bucket=gs://b"), PLACE),
        ("--bucket=b/r is not the bare name", ("run", *RUN), {**PLACE, "BUCKET": "b/r"}),
        ("no image is known for --type=v9-4", ("create", "--type=v9-4"), PLACE),
        ("--spot=yes", ("create", "--spot=yes"), PLACE),
        ("queue takes no --config=c.py", ("queue", "--config=c.py"), PLACE),
        ("no command 'quue'", ("quue",), PLACE),
        ("--distributed", ("run", *RUN, "--distributed=off"), PLACE),
        ("gcloud is not installed", ("queue",), {**PLACE, "PATH": "TOOLS"}),
    ],
)
def test_tpu_refuses(words, arguments, environment, tmp_path):
    environment = dict(environment)
    if environment.pop("PATH", None):
        for name in ("bash", "dirname"):
            (tmp_path / name).symlink_to(shutil.which(name))
        environment["path"] = str(tmp_path)
    refused(words, "tpu_pod.sh", *arguments, **environment)


@pytest.fixture
def slice_of_one(tmp_path):
    """PATH with a gcloud whose only worker is a folder of this machine; it keeps what it was told in `told`."""
    program(
        tmp_path / "bin",
        "gcloud",
        f"""cd {shlex.quote(str(tmp_path))}
        printf '%s\\n' "$3 $4" >> told
        for word in "$@"; do
          [[ $word != --command=* || ! -e home ]] || (cd home && exec bash -c "${{word#*=}}") || exit
        done
        if [[ $4 == describe ]]; then head -n 1 states && sed -i 1d states; fi
        """,
    )
    (tmp_path / "states").write_text("")
    program(tmp_path / "bin", "stat", "echo /mnt/shared\n")  # of a mount of the user's own
    return f"{tmp_path / 'bin'}:{os.environ['PATH']}"


def test_tpu_run_outlives_the_connection_and_stops_when_told(tmp_path, slice_of_one):
    interpreter = tmp_path / "home" / "scan_jax" / ".venv" / "bin"
    program(
        interpreter, "python", "printf '%s\\n' \"$@\" > seen\ntrap 'exit 0' TERM\nwhile true; do sleep 0.05; done\n"
    )
    home = interpreter.parents[1]
    started = launch("tpu_pod.sh", "run", *RUN, path=slice_of_one, **PLACE)
    assert started.returncode == 0 and "started process" in started.stdout
    pid = int((home / "run.pid").read_text())
    try:
        until((home / "seen").exists)
        until(lambda: (home / "seen").read_text().endswith("--distributed=auto\n"))
        assert (home / "seen").read_text().splitlines() == ["-m", "scan_jax.main", *RUN, "--distributed=auto"]
        assert os.getsid(pid) == pid  # of no terminal that could hang up
        again = launch("tpu_pod.sh", "run", *RUN, path=slice_of_one, **PLACE)
        assert again.returncode == 1 and "already running" in again.stdout
        assert "running" in launch("tpu_pod.sh", "status", path=slice_of_one, **PLACE).stdout.splitlines()
        assert launch("tpu_pod.sh", "stop", path=slice_of_one, **PLACE).returncode == 0
        until(lambda: "stopped" in launch("tpu_pod.sh", "status", path=slice_of_one, **PLACE).stdout.splitlines())
    finally:
        if (Path("/proc") / str(pid)).exists():
            os.kill(pid, signal.SIGKILL)


def test_tpu_run_mounts_the_bucket_once(tmp_path, slice_of_one):
    home = tmp_path / "home" / "scan_jax"
    program(home / ".venv" / "bin", "python", "touch seen\n")
    program(tmp_path / "bin", "sudo", 'echo "sudo $*" >> mounts\n')
    program(tmp_path / "bin", "fusermount", "exit 1\n")
    program(tmp_path / "bin", "mountpoint", '[[ "$*" == "-q /mnt/faces" && -e mounted ]]\n')
    program(tmp_path / "bin", "gcsfuse", 'echo "gcsfuse $*" >> mounts\n[[ -e allowed ]] && touch mounted\n')
    run = ("run", "--bucket=faces", *RUN)
    assert launch("tpu_pod.sh", *run, path=slice_of_one, **PLACE).returncode == 1  # not without the bucket
    assert not (home / "run.pid").exists()
    (tmp_path / "home" / "allowed").touch()
    (tmp_path / "home" / "mounts").unlink()
    for _ in range(2):
        started = launch("tpu_pod.sh", *run, path=slice_of_one, **PLACE)
        assert started.returncode == 0, started.stderr
        until((home / "seen").exists)
        until(lambda: not (Path("/proc") / (home / "run.pid").read_text().strip()).exists())
    assert (tmp_path / "home" / "mounts").read_text().splitlines() == [
        "sudo mkdir -p /mnt/faces",
        f"sudo chown {os.getuid()} /mnt/faces",
        "gcsfuse --implicit-dirs --metadata-cache-ttl-secs=0 faces /mnt/faces",
    ]


def test_tpu_run_refuses_a_worker_s_own_disk(tmp_path, slice_of_one):
    home = tmp_path / "home" / "scan_jax"
    home.mkdir(parents=True)
    program(tmp_path / "bin", "stat", '[[ "$*" == "-c %m /" ]] && echo /\n')
    missing = ("--config=c.py", "--workdir=/not mounted/it's")
    done = launch("tpu_pod.sh", "run", *missing, path=slice_of_one, **PLACE)
    assert done.returncode == 1
    assert done.stderr.startswith("error: /not mounted/it's is on this worker's own disk; ") and done.stderr[-1] == "\n"
    assert not (home / "run.pid").exists()


def test_tpu_install_brings_gcsfuse_where_it_is_missing(tmp_path, slice_of_one):
    (tmp_path / "home").mkdir()
    tools = tmp_path / "bin"  # all of PATH: this machine may have gcsfuse
    for name in ("sudo", "tar", "python3"):
        program(tools, name, f'echo "${{0##*/}} $*" >> {shlex.quote(str(tmp_path / "home" / "done"))}\n')
    program(tools, "lsb_release", "echo jammy\n")
    program(tools, "mountpoint", "")
    for name in ("bash", "dirname", "mktemp", "rm", "mkdir", "sed", "head"):
        (tools / name).symlink_to(shutil.which(name))
    assert installed_as_root(tmp_path) == ["update", "lsb-release", "update", "gcsfuse"]
    program(tools, "gcsfuse", "")
    assert installed_as_root(tmp_path) == []


def installed_as_root(folder):
    """The last words of what `install` asks apt-get for on the slice of one."""
    launch("tpu_pod.sh", "install", "--bucket=faces", path=str(folder / "bin"), **PLACE)
    done = (folder / "home" / "done").read_text().splitlines()
    (folder / "home" / "done").unlink()
    assert any(line.startswith("tar -xzf") for line in done)  # it came past gcsfuse
    return [line.split()[-1] for line in done if line.startswith("sudo apt-get")]


def test_tpu_resume_waits_for_the_new_slice(tmp_path, slice_of_one):
    (tmp_path / "states").write_text("SUSPENDED\nWAITING_FOR_RESOURCES\nPROVISIONING\nACTIVE\n")
    done = launch("tpu_pod.sh", "resume", *RUN, path=slice_of_one, POLL_SECONDS="0", **PLACE)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "told").read_text().splitlines() == [
        "queued-resources describe",
        "queued-resources delete",
        "queued-resources create",
        *3 * ["queued-resources describe"],
        "tpu-vm scp",
        *2 * ["tpu-vm ssh"],
    ]


def test_tpu_resume_leaves_a_living_slice_alone(tmp_path, slice_of_one):
    (tmp_path / "states").write_text("ACTIVE\n")
    refused("nothing was taken away", "tpu_pod.sh", "resume", *RUN, path=slice_of_one, **PLACE)
    assert (tmp_path / "told").read_text().splitlines() == ["queued-resources describe"]


def test_tpu_queue_ends_when_the_request_fails(tmp_path, slice_of_one):
    (tmp_path / "states").write_text("WAITING_FOR_RESOURCES\nFAILED\n")
    done = launch("tpu_pod.sh", "queue", path=slice_of_one, POLL_SECONDS="0", **PLACE)
    assert done.returncode == 1 and "error: the request scan-jax is FAILED" in done.stderr


def test_gcloud_knows_every_command_and_flag(tmp_path):
    if shutil.which("gcloud") is None:
        pytest.skip("gcloud is not installed")
    names = ("create", "queue", "status", "logs", "stop", "delete")
    commands = {shlex.join(command) for name in names for command in dry(name)}
    commands |= {shlex.join(command) for command in dry("resume", *RUN)}
    (tmp_path / "commands.json").write_text(json.dumps([{"command_string": command} for command in sorted(commands)]))
    done = subprocess.run(
        ["gcloud", "meta", "lint-gcloud-commands", f"--commands-file={tmp_path / 'commands.json'}"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CLOUDSDK_CONFIG": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode != 0:
        pytest.skip("this gcloud does not check commands")
    verdicts = json.loads(done.stdout)
    assert len(verdicts) == len(commands)
    assert [verdict["error_message"] for verdict in verdicts if not verdict["success"]] == []


def dry(*arguments):
    """The gcloud commands of a dry run of tpu_pod.sh on a Spot slice."""
    return [command for command in printed("tpu_pod.sh", *arguments, SPOT="1", **PLACE) if command[0] == "gcloud"]
