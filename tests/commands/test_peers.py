"""Processes of one run: they find each other, agree, end together, and name the one that dies."""

import asyncio
import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import jax
import pytest
from process_groups import environment, errors, finish, free_address, start, start_group, until

from scan_jax.core import coordinator as messages
from scan_jax.core.connection import ProcessInfo, connect, may_be_others
from scan_jax.core.coordinator import Coordinator
from scan_jax.core.distributed import joined
from scan_jax.core.errors import UserError

# A program of the trainer's manners. `act` is what it does; `ready` tells the test that it does.
PROGRAM = """
import argparse, pathlib, sys, time
from scan_jax.commands import cli
from scan_jax.core import distributed
from scan_jax.core.errors import UserError

parser = argparse.ArgumentParser()
parser.add_argument("--distributed")
parser.add_argument("--timeout", type=float, default=120)
flags, (folder, act) = parser.parse_known_args(sys.argv[1:])

def meet(times):
    import jax, numpy as np
    from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
    split = NamedSharding(Mesh(np.array(jax.devices()), ("all",)), P("all"))
    ones = jax.make_array_from_process_local_data(split, np.ones(jax.local_device_count()))
    add = jax.jit(jax.numpy.sum)
    for _ in range(times):
        assert add(ones) == jax.device_count()

def ready():
    (pathlib.Path(folder) / str(index)).touch()

def run():
    global index
    with distributed.joined(flags.distributed, flags.timeout):
        import jax
        index = jax.process_index()
        exec(act)

sys.exit(cli.run(run))
"""


@pytest.fixture
def group(tmp_path):
    """Starts `count` processes that do `act`; what is left of them at the end of a test is killed."""
    started = []

    def begin(count, act, *words):
        # The folder of cached programs is each test's own: another one may have been killed while it wrote.
        started[:] = start_group(count, ["-c", PROGRAM, tmp_path, act, *words], environment(tmp_path))
        return started

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def until_all_are_ready(folder, processes):
    until(lambda: all((folder / str(index)).exists() for index in range(len(processes))), processes)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 2])
def test_the_others_name_the_one_that_was_killed(group, tmp_path, victim):
    """Process 1 waits for the others in a collective, the last one does something else."""
    act = "meet(1); ready(); meet(10**9) if index < 2 else time.sleep(1000)"
    processes = group(3, act)
    until_all_are_ready(tmp_path, processes)
    os.kill(processes[victim].pid, signal.SIGKILL)
    before = time.monotonic()
    survivors = [process for process in processes if process is not processes[victim]]
    logs = finish(survivors, 1)
    assert time.monotonic() - before < messages.SILENCE + 5
    line = f"error: process {victim} (host {socket.gethostname()}, pid {processes[victim].pid}) has died; "
    for log in logs:
        (error,) = errors(log)
        assert error.startswith(line) and "goes on from its last checkpoint" in error


@pytest.mark.slow
def test_who_is_busy_or_stopped_for_a_while_is_not_dead(group, tmp_path):
    """A call that lets no other thread of Python run, and a process that the system stops."""
    act = "meet(1); ready(); index == 1 and __import__('ctypes').PyDLL(None).sleep(6); meet(1)"
    processes = group(3, act)
    until_all_are_ready(tmp_path, processes)
    os.kill(processes[2].pid, signal.SIGSTOP)
    time.sleep(4)
    os.kill(processes[2].pid, signal.SIGCONT)
    assert not [line for log in finish(processes) for line in errors(log)]


@pytest.mark.slow
def test_an_error_of_one_is_told_to_all(group):
    processes = group(3, "meet(1)\nif index == 1: raise UserError('its disk is gone')\nmeet(10**9)")
    own = [errors(log) for log in finish(processes, 1)]
    told = f"error: process 1 (host {socket.gethostname()}, pid {processes[1].pid}) has ended: its disk is gone"
    assert own == [[told], ["error: its disk is gone"], [told]]


@pytest.mark.slow
def test_a_mistake_in_the_program_is_told_too(group):
    logs = finish(group(2, "meet(1)\nif index == 0: raise KeyError('no such thing')\nmeet(10**9)"), 1)
    assert "Traceback" in logs[0] and "KeyError: 'no such thing'" in logs[0]
    (told,) = errors(logs[1])
    assert told.endswith("has ended: KeyError: 'no such thing'") and told.startswith("error: process 0 (host")


@pytest.mark.slow
def test_all_wait_for_the_last_and_nothing_is_left(group, tmp_path):
    act = """meet(1)
if index == 0:
    from scan_jax.core import connection
    (pathlib.Path(folder) / "hub").write_text(str(connection._coordinators[0].pid))
    time.sleep(5)
"""
    processes = group(2, act)
    assert not [line for log in finish(processes) for line in errors(log)]
    command = Path(f"/proc/{(tmp_path / 'hub').read_text()}/cmdline")  # of a hub that has ended it is empty or missing
    deadline = time.monotonic() + 20
    while command.exists() and b"scan_jax.core.coordinator" in command.read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_counts_that_disagree_end_all_at_once_and_those_who_do_not_come_are_named(tmp_path):
    def ends(timeout, *places):
        words = [["-c", PROGRAM, tmp_path, "", f"--timeout={timeout}", f"--distributed={place}"] for place in places]
        return [errors(log) for log in finish([start(one, environment(tmp_path)) for one in words], 1)]

    address = free_address()
    for (error,) in ends(120, f"{address},2,0", f"{address},3,1"):
        assert "was told of 3 processes, process 0 of 2" in error and "process 1 (host" in error
    address = free_address()
    ((error,),) = ends(1, f"{address},3,0")
    assert f"processes 1, 2 of 3 did not come to {address} within 1 s; process 0 (host" in error


@pytest.fixture
def place():
    """A hub for three, in a thread, where processes of this test may come; it goes with the last of them."""
    address = free_address()
    listener = socket.create_server(("localhost", int(address.rpartition(":")[2])))
    hub = Coordinator(address, 3, 60.0, lambda count: 4000 + count)
    thread = threading.Thread(target=lambda: asyncio.run(hub.serve(listener)), daemon=True)
    thread.start()
    yield address
    thread.join(60)
    assert not thread.is_alive()


class Visitor:
    def __init__(self, address, index, count=3, host="a"):
        host_of_hub, _, port = address.rpartition(":")
        self.stream = socket.create_connection((host_of_hub, int(port)), timeout=30)
        self.lines = self.stream.makefile("rb")
        self.say(messages.HELLO, index=index, count=count, host=host, pid=100 + index)

    def say(self, kind, **content):
        self.stream.sendall(messages.encode(kind, **content))

    def hears(self):
        return messages.decode(self.lines.readline())

    def goes(self):
        self.lines.close()
        self.stream.close()


def three(address):
    visitors = [Visitor(address, index) for index in (2, 0, 1)]
    assert [visitor.hears() for visitor in visitors] == [(messages.WELCOME, {"port": 4003})] * 3
    return visitors[1], visitors[2], visitors[0]


def all_go(*visitors):
    for visitor in visitors:
        visitor.goes()


def test_the_hub_names_what_differs(place):
    visitors = three(place)
    for visitor, size in zip(visitors, ("64", "64", "32")):
        visitor.say(messages.AGREE, what="config", values={"seed": "0", "data.size": size})
    complaint = "config: process 2 (host a, pid 102) has data.size = 32, process 0 has 64"
    assert [visitor.hears() for visitor in visitors] == [(messages.AGREED, {"complaint": complaint})] * 3
    for visitor in visitors:
        visitor.say(messages.AGREE, what="config", values={"seed": "0"})
    assert [visitor.hears() for visitor in visitors] == [(messages.AGREED, {"complaint": ""})] * 3
    all_go(*visitors)


def test_the_first_to_die_is_named_and_no_other(place):
    first, second, third = three(place)
    second.goes()
    kind, content = first.hears()
    assert kind == messages.STOP and content["text"].startswith("process 1 (host a, pid 101) has died")
    first.goes()
    assert third.hears() == (kind, content)
    third.stream.shutdown(socket.SHUT_WR)
    assert third.hears() == ("", {})  # the end, and no word of process 0
    third.goes()


def test_an_error_comes_before_the_deaths_that_it_causes(place):
    first, second, third = three(place)
    second.say(messages.ENDED, text="no disk")
    second.goes()
    third.say(messages.ENDED, text="no disk either")
    third.goes()
    assert first.hears() == (messages.STOP, {"text": "process 1 (host a, pid 101) has ended: no disk"})
    first.goes()


def test_who_is_done_may_go_and_all_hear_when_all_are(place):
    visitors = three(place)
    for visitor in visitors:
        visitor.say(messages.DONE)
    assert [visitor.hears() for visitor in visitors] == [(messages.ALL_DONE, {})] * 3
    late = Visitor(place, 2)
    kind, content = late.hears()
    assert kind == messages.BUSY and "all 3 processes of a run are at" in content["text"]
    all_go(*visitors, late)


@pytest.mark.parametrize(
    ("odd", "expected"),
    [
        ((1, 3, "b"), "process 1 (host b, pid 101) and process 1 (host b, pid 101) were given the same index"),
        ((2, 2, "c"), "process 2 (host c, pid 102) was told of 2 processes, process 0 of 3"),
    ],
)
def test_one_with_another_index_or_count_ends_all(place, odd, expected):
    visitors = [Visitor(place, *given) for given in ((1, 3, "b"), odd, (0, 3, "a"))]
    for visitor in visitors:
        kind, content = visitor.hears()
        assert kind == messages.STOP
        assert content["text"].startswith(expected)
    all_go(*visitors)


def test_strangers_are_no_processes(place):
    """Something that scans ports, or speaks another language."""
    host, _, port = place.rpartition(":")
    for words in (b"GET / HTTP/1.1\r\n\r\n", b"[1, 2]\n", b'["hello", 3]\n', b"\xff\n", b""):
        with socket.create_connection((host, int(port)), timeout=30) as stranger:
            stranger.sendall(words)
    all_go(*three(place))


def test_nobody_or_another_program_at_the_address():
    address = free_address()
    with pytest.raises(UserError, match=f"process 0 does not answer at {address} within 0.3 s.*refused"):
        connect(ProcessInfo(address, 2, 1), 0.3)
    with socket.create_server(("localhost", 0)) as server:

        def answer():
            for _ in range(2):
                stream, _ = server.accept()
                stream.sendall(b"SSH-2.0\n")
                stream.close()

        threading.Thread(target=answer, daemon=True).start()
        address = f"localhost:{server.getsockname()[1]}"
        told = f"does not answer at {address} within 0.3 s .another program answers there"
        with pytest.raises(UserError, match=told):
            connect(ProcessInfo(address, 2, 1), 0.3)


def test_the_kernel_gives_a_silent_machine_up_in_time():
    with socket.socket() as connection:
        messages.notice_death(connection)
        options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        idle, interval, count = (connection.getsockopt(socket.IPPROTO_TCP, option) for option in options)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert idle + interval * count <= messages.SILENCE


def test_places_that_make_no_sense():
    for how in ("nearby", "host:1,2", "host:1,2,2", "host,2,0"):
        with pytest.raises(UserError, match="--distributed"), joined(how):
            pass


def test_which_errors_may_be_of_another():
    of_gloo, of_xla = ValueError("UNKNOWN: Gloo all-reduce failed"), jax.errors.JaxRuntimeError("INTERNAL: NCCL")
    for cause in (of_gloo, of_xla):
        told = UserError("cannot write a checkpoint")
        told.__cause__ = cause
        assert may_be_others(cause) and may_be_others(told)
    for own in (UserError("no such key"), KeyError("x"), jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: memory")):
        assert not may_be_others(own)


def test_messages_are_lines():
    text = "two\nlines and ü"
    line = messages.encode(messages.STOP, text=text)
    assert line.count(b"\n") == 1 and messages.decode(line) == (messages.STOP, {"text": text})
    assert json.loads(line)
