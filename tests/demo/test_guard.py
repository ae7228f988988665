"""What stands before the page: hosts, sizes of requests, the disk by visitors, places in the queue."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from scan_jax.core.errors import UserError
from scan_jax.demo import disk as disk_module
from scan_jax.demo.disk import MB, Disk, owner_of
from scan_jax.demo.guard import BESIDES, Guard, limit_queue
from scan_jax.demo.serving import Limits

LIMITS = Limits(megabytes=2, queue=10, minutes=1, disk=100, share=60, visitor=3)


def request(path="/", client="192.0.2.7", answer=b"", disk=None, **headers):
    """The status that a request is answered with; `answer` is the app's, which stands behind the guard."""
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": answer})

    async def receive():
        return {"type": "http.request", "more_body": False}

    async def send(message):
        sent.append(message)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "path": path, "headers": raw, "client": (client, 1), "server": ("10.1.2.3", 7860)}
    guard = Guard(app, ["bound.example", "Mine.example"], LIMITS, disk or Disk(LIMITS))
    asyncio.run(guard(scope, receive, send))
    return sent[0]["status"]


@pytest.mark.parametrize("path", ["/file=", "/proxy=", "/gradio_api/file=", "/gradio_api/proxy="])
def test_nothing_is_fetched_from_elsewhere(path):
    assert request(f"{path}https://192.0.2.1/x.png") == 403


@pytest.mark.parametrize(
    ("name", "status"),
    [
        *((name, 200) for name in ("localhost", "127.0.0.1", "127.9.9.9", "[::1]", "LOCALHOST", "10.1.2.3")),
        *((name, 200) for name in ("bound.example", "mine.example")),
        *((name, 403) for name in ("evil.example", "localhost.evil.example", "192.0.2.7", "0.0.0.0", "", "[::1")),
    ],
)
def test_only_known_hosts_and_origins_are_answered(name, status):
    assert request(host=f"{name}:7860") == request(host="localhost", origin=f"http://{name}:1") == status
    assert request(host="localhost", origin="null") == 403


def test_a_request_brings_a_file_and_little_besides():
    most = (LIMITS.megabytes + BESIDES) * MB
    assert request(content_length=str(most)) == 200
    assert request(content_length=str(most + 1)) == 413  # such as twelve files, each of which might pass
    assert request(transfer_encoding="chunked") == 411


def write(folder, name, megabytes):
    path = folder / name / "file"
    path.parent.mkdir()
    path.write_bytes(bytes(int(megabytes * MB)))
    return path


def test_who_has_most_loses_the_oldest(tmp_path, monkeypatch):
    disk = Disk(LIMITS)
    others = [write(tmp_path, f"other{i}", 25) for i in range(2)]
    mine = [write(tmp_path, f"mine{i}", 25) for i in range(3)]
    for path in (others[0], *mine[:2]):
        disk.note("me" if path in mine else "other", [path])
    disk.note("me", mine[2:])  # 75 MB are more than a share
    assert [path.exists() for path in mine] == [False, True, True] and others[0].exists()
    assert not mine[0].parent.exists()
    with disk.reserved("other", 50 * MB):  # all together are beyond 100 MB; 50 MB of mine are the most
        assert [path.exists() for path in (*mine, others[0])] == [False, False, True, True]
        with pytest.raises(UserError, match="your address"), disk.reserved("other", 11 * MB):
            raise AssertionError
        with pytest.raises(UserError, match="to this page"), disk.reserved("me", 51 * MB):
            raise AssertionError
    later = disk_module.time.time() + 61
    monkeypatch.setattr(disk_module.time, "time", lambda: later)
    disk.note("other", [others[1]])
    assert [path.exists() for path in (mine[2], *others)] == [False, False, True]


def test_uploads_are_noted_and_too_many_bytes_at_once_refused(tmp_path):
    disk, path = Disk(LIMITS), write(tmp_path, "a", 59)
    other = write(tmp_path, "b", 2)
    answer = json.dumps([str(path)]).encode()
    assert request("/gradio_api/upload", answer=answer, disk=disk, content_length="10") == 200
    disk.note("192.0.2.7", [other])
    assert not path.exists() and other.exists()
    with disk.reserved("192.0.2.7", 60 * MB):
        assert request("/gradio_api/upload", disk=disk, content_length="10") == 507
        assert request("/gradio_api/upload", client="192.0.2.8", disk=disk, content_length="10") == 200
        assert request(disk=disk) == 200  # brings nothing
    assert owner_of("2001:db8::1") == owner_of("2001:db8::2:1") != owner_of("2001:db8:0:1::1")


def test_each_visitor_and_each_address_has_its_part_of_the_queue():
    def event(address, tab):
        client = SimpleNamespace(client=SimpleNamespace(host=address))
        return SimpleNamespace(request=client, session_hash=tab)

    async def push(body, asked, username):
        line.queue.append(event(asked.client.host, body.session_hash))
        return True, "id", "success"

    line = SimpleNamespace(queue=[])
    queue = SimpleNamespace(event_queue_per_concurrency_id={"engine": line}, push=push)
    limit_queue(queue, LIMITS)

    def passed(address, tab):
        wanted = event(address, tab)
        return asyncio.run(queue.push(wanted, wanted.request, None))[0]

    assert [passed("a", "one") for _ in range(4)] == [True, True, True, False]
    assert [passed("a", tab) for tab in "bcde"] == [True, True, True, False]  # 60% of ten places
    assert [passed("b", tab) for tab in "xyz"] == [True, True, True]


def test_all_visitors_of_a_hall_may_ask_at_once():
    assert Limits().queue * Limits().share // 100 >= 50
