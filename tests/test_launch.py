"""launch/tpu_pod.sh: what it would run, what it refuses, and that a run outlives its connection; no cloud is asked."""

import json
import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from launchers import LAUNCH, ROOT, RUN, check_script, launch, printed, program, refused, until

PLACE = {"PROJECT": "my-project", "ZONE": "us-west4-a"}
WHERE = ["--project=my-project", "--zone=us-west4-a"]


def tpus(*arguments, **environment):
    """What a dry run would tell `gcloud compute tpus`, without the place."""
    lines = printed("tpu_pod.sh", *arguments, **PLACE | environment)
    commands = [command for command in lines if command[0] == "gcloud"]
    assert all(command[1:3] == ["compute", "tpus"] and {*WHERE} < {*command} for command in commands)
    return [[word for word in command[3:] if word not in WHERE] for command in commands]


def told(*arguments, **environment):
    """What the shell of every worker is told last."""
    group, command, *_, workers, text = tpus(*arguments, **environment)[-1]
    assert (group, command, workers) == ("tpu-vm", "ssh", "--worker=all")
    return text.removeprefix("--command=")


@pytest.mark.parametrize("script", [*LAUNCH.glob("*.sh"), LAUNCH / "slurm.sbatch", ROOT / "tests/slurm_on_one_node.sh"])
def test_shellcheck(script):
    check_script(script.read_text())


@pytest.mark.parametrize(
    ("kind", "image"),
    [
        ("v4-16", "tpu-ubuntu2204-base"),
        ("v5litepod-256", "v2-alpha-tpuv5-lite"),
        ("v5p-128", "v2-alpha-tpuv5"),
        ("v6e-64", "v2-alpha-tpuv6e"),
    ],
)
def test_tpu_slices_have_the_image_of_their_type(kind, image):
    options = [f"--accelerator-type={kind}", f"--version={image}"]
    assert tpus("create", "--spot=1", TYPE=kind) == [["tpu-vm", "create", "scan-jax", *options, "--spot"]]
    request, describe = tpus("queue", TYPE=kind, NAME="faces")
    options[1] = f"--runtime-version={image}"
    assert request == ["queued-resources", "create", "faces", "--node-id=faces", *options]
    assert describe == ["queued-resources", "describe", "faces", "--format=value(state.state)"]


def test_tpu_flags_win_over_the_environment():
    (create,) = printed("tpu_pod.sh", "create", "--zone=eu-a", "--version=own", TYPE="v9-1", **PLACE)
    assert {"--zone=eu-a", "--version=own", "--accelerator-type=v9-1"} < {*create}


def test_tpu_delete_forgets_the_request_and_the_slice():
    describe, request, slice_alone = tpus("delete", "--name=faces")
    assert describe[:3] == ["queued-resources", "describe", "faces"]
    assert request == ["queued-resources", "delete", "faces", "--force", "--quiet"]
    assert slice_alone == ["tpu-vm", "delete", "faces", "--quiet"]


@pytest.mark.parametrize("arguments", [("install",), ("run", *RUN)])
def test_tpu_workers_are_told_what_a_shell_understands(arguments):
    plain, mounting = told(*arguments), told(*arguments, "--bucket=faces.b-1")
    for text in (plain, mounting):
        done = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        if shutil.which("shellcheck"):
            check_script(f"#!/bin/bash\n{text}")
    assert "gcsfuse" not in plain
    # Workers see each other's files at once.
    mount = mounting.index("gcsfuse --implicit-dirs --metadata-cache-ttl-secs=0 faces.b-1 /mnt/faces.b-1")
    assert mounting.index("apt-get" if "install" in arguments else "mountpoint -q /mnt/faces.b-1 || {") < mount
    assert mount < mounting.index("uv venv" if "install" in arguments else "scan_jax.main")


def test_tpu_install_copies_the_code_and_its_requirements():
    pack = printed("tpu_pod.sh", "install", **PLACE)[0]
    assert pack[:2] == ["tar", "-czf"] and pack[-3:] == ["scan_jax", "configs", "requirements.txt"]
    assert tpus("install")[0] == ["tpu-vm", "scp", pack[2], "scan-jax:scan_jax.tar.gz", "--worker=all"]
    assert "-r requirements.txt 'jax[tpu]';" in told("install")


@pytest.mark.parametrize(
    ("words", "arguments", "environment"),
    [
        ("project is missing", ("queue",), {"PROJECT": ""}),
        ("zone is missing", ("run", *RUN), {"ZONE": ""}),
        ("--config=FILE is missing", ("run", "--workdir=/mnt/b/r"), {}),
        ("an absolute path that every worker sees", ("run", "--config=c.py"), {}),
        ("--bucket=NAME --workdir=/mnt/NAME/RUN", ("resume", "--config=c.py", "--workdir=runs/demo"), {}),
        ("an absolute path", ("run", "--config=c.py", "--workdir=gs://b/r"), {"BUCKET": "faces"}),
        ("--bucket=gs://b is not the bare name", ("install", "--bucket=gs://b"), {}),
        ("--bucket=b/r is not the bare name", ("run", *RUN), {"BUCKET": "b/r"}),
        ("no image is known for --type=v9-4", ("create", "--type=v9-4"), {}),
        ("--spot=yes", ("create", "--spot=yes"), {}),
        ("queue takes no --config=c.py", ("queue", "--config=c.py"), {}),
        ("no command 'quue'", ("quue",), {}),
        ("--distributed", ("run", *RUN, "--distributed=off"), {}),
        ("gcloud is not installed", ("queue",), {"path": "bare"}),
    ],
)
def test_tpu_refuses(words, arguments, environment, tmp_path):
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(shutil.which(name))
    path = {"path": str(tmp_path)} if "path" in environment else {}
    refused(words, "tpu_pod.sh", *arguments, **PLACE | environment | path)


@pytest.fixture
def tpu_pod(tmp_path):
    """Runs the launcher with a gcloud whose only worker is a folder of this machine; `told` lists what it was told."""
    (tmp_path / "home" / "scan_jax").mkdir(parents=True)
    (tmp_path / "told").touch()
    (tmp_path / "states").touch()
    act = """printf '%s\\n' "$3 $4" >> told
        for word in "$@"; do
          [[ $word != --command=* || ! -e home ]] || (cd home && exec bash -c "${word#*=}") || exit
        done
        if [[ $4 == describe ]]; then head -n 1 states && sed -i 1d states; fi"""
    program(tmp_path / "bin", "gcloud", f"cd {shlex.quote(str(tmp_path))}\n{act}\n")
    program(tmp_path / "bin", "stat", "echo /mnt/shared\n")  # of a mount of the user's own

    def run(*arguments, code=0, path=f"{tmp_path / 'bin'}:{os.environ['PATH']}"):
        done = launch("tpu_pod.sh", *arguments, path=path, POLL_SECONDS="0", **PLACE)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    run.bin, run.home = tmp_path / "bin", tmp_path / "home" / "scan_jax"
    return run


def test_tpu_run_outlives_the_connection_and_stops_when_told(tpu_pod):
    home = tpu_pod.home
    waits = "printf '%s\\n' \"$@\" > seen\ntrap 'exit 0' TERM\nwhile true; do sleep 0.05; done\n"
    program(home / ".venv" / "bin", "python", waits)
    assert "started process" in tpu_pod("run", *RUN).stdout
    pid = int((home / "run.pid").read_text())
    try:
        until(lambda: (home / "seen").exists() and (home / "seen").read_text().endswith("--distributed=auto\n"))
        assert (home / "seen").read_text().splitlines() == ["-m", "scan_jax.main", *RUN, "--distributed=auto"]
        assert os.getsid(pid) == pid  # of no terminal that could hang up
        assert "already running" in tpu_pod("run", *RUN, code=1).stdout
        assert "running" in tpu_pod("status").stdout.splitlines()
        tpu_pod("stop")
        until(lambda: "stopped" in tpu_pod("status").stdout.splitlines())
    finally:
        if (Path("/proc") / str(pid)).exists():
            os.kill(pid, signal.SIGKILL)


def test_tpu_run_mounts_the_bucket_once(tpu_pod):
    home = tpu_pod.home
    program(home / ".venv" / "bin", "python", "touch seen\n")
    program(tpu_pod.bin, "sudo", 'echo "sudo $*" >> mounts\n')
    program(tpu_pod.bin, "fusermount", "exit 1\n")
    program(tpu_pod.bin, "mountpoint", '[[ "$*" == "-q /mnt/faces" && -e mounted ]]\n')
    program(tpu_pod.bin, "gcsfuse", 'echo "gcsfuse $*" >> mounts\n[[ -e allowed ]] && touch mounted\n')
    tpu_pod("run", "--bucket=faces", *RUN, code=1)  # not without the bucket
    assert not (home / "run.pid").exists()
    (home.parent / "allowed").touch()
    (home.parent / "mounts").unlink()
    for _ in range(2):
        tpu_pod("run", "--bucket=faces", *RUN)
        until(lambda: (home / "seen").exists() and not Path("/proc", (home / "run.pid").read_text().strip()).exists())
    assert (home.parent / "mounts").read_text().splitlines() == [
        "sudo mkdir -p /mnt/faces",
        f"sudo chown {os.getuid()} /mnt/faces",
        "gcsfuse --implicit-dirs --metadata-cache-ttl-secs=0 faces /mnt/faces",
    ]


def test_tpu_run_refuses_a_worker_s_own_disk(tpu_pod):
    program(tpu_pod.bin, "stat", '[[ "$*" == "-c %m /" ]] && echo /\n')
    said = tpu_pod("run", "--config=c.py", "--workdir=/not mounted/it's", code=1).stderr
    assert said.startswith("error: /not mounted/it's is on this worker's own disk; ") and said[-1] == "\n"
    assert not (tpu_pod.home / "run.pid").exists()


def test_tpu_install_brings_gcsfuse_where_it_is_missing(tpu_pod):
    tools, done = tpu_pod.bin, tpu_pod.home.parent / "done"  # the tools are all of PATH: this machine may have gcsfuse
    for name in ("sudo", "tar", "python3"):
        program(tools, name, f'echo "${{0##*/}} $*" >> {shlex.quote(str(done))}\n')
    program(tools, "lsb_release", "echo jammy\n")
    program(tools, "mountpoint", "")
    for name in ("bash", "dirname", "mktemp", "rm", "mkdir", "sed", "head"):
        (tools / name).symlink_to(shutil.which(name))
    for wanted in (["update", "lsb-release", "update", "gcsfuse"], []):
        launch("tpu_pod.sh", "install", "--bucket=faces", path=str(tools), **PLACE)
        lines = done.read_text().splitlines()
        assert [line.split()[-1] for line in lines if line.startswith("sudo apt-get")] == wanted
        assert any(line.startswith("tar -xzf") for line in lines)  # it came past gcsfuse
        done.unlink()
        program(tools, "gcsfuse", "")


DESCRIBE, INSTALL, START = "queued-resources describe", ["tpu-vm scp", "tpu-vm ssh"], ["tpu-vm ssh"]
AGAIN = [DESCRIBE, "queued-resources delete", "queued-resources create"]


@pytest.mark.parametrize(
    ("arguments", "states", "error", "wanted"),
    [
        (("resume", *RUN), "SUSPENDED WAITING PROVISIONING ACTIVE", "", [*AGAIN, *3 * [DESCRIBE], *INSTALL, *START]),
        (("resume", *RUN), "ACTIVE", "error: scan-jax is ACTIVE: nothing was taken away", [DESCRIBE]),
        (("queue",), "WAITING FAILED", "error: the request scan-jax is FAILED", [AGAIN[2], DESCRIBE, DESCRIBE]),
    ],
)
def test_tpu_waits_for_a_new_slice_and_not_for_one_that_never_comes(arguments, states, error, wanted, tpu_pod):
    shutil.rmtree(tpu_pod.home.parent)  # the worker does nothing
    (tpu_pod.bin.parent / "states").write_text("".join(f"{state}\n" for state in states.split()))
    assert error in tpu_pod(*arguments, code=1 if error else 0).stderr
    assert (tpu_pod.bin.parent / "told").read_text().splitlines() == wanted


def test_tpu_resume_starts_the_same_run():
    assert told("resume", *RUN) == told("run", *RUN)


@pytest.mark.slow
def test_gcloud_knows_every_command_and_flag(tmp_path):
    if shutil.which("gcloud") is None:
        pytest.skip("needs gcloud: https://cloud.google.com/sdk/docs/install")
    names = [[name, "--spot=1"] for name in ("create", "queue", "status", "logs", "stop", "delete")]
    given = [command for words in [*names, ["resume", *RUN]] for command in tpus(*words)]
    commands = {shlex.join(["gcloud", "compute", "tpus", *command, *WHERE]) for command in given}
    (tmp_path / "commands.json").write_text(json.dumps([{"command_string": command} for command in sorted(commands)]))
    done = subprocess.run(
        ["gcloud", "meta", "lint-gcloud-commands", f"--commands-file={tmp_path / 'commands.json'}"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CLOUDSDK_CONFIG": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode != 0:
        pytest.skip("needs a gcloud that checks commands: gcloud components update")
    verdicts = json.loads(done.stdout)
    assert len(verdicts) == len(commands)
    assert [verdict["error_message"] for verdict in verdicts if not verdict["success"]] == []
