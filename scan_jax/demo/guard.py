"""What stands before the page: whom it answers, how much a request may bring, and how many of one visitor may wait."""

from __future__ import annotations

import contextlib
import ipaddress
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scan_jax.core.errors import UserError
from scan_jax.demo.disk import MB, Disk, owner_of
from scan_jax.demo.serving import Limits

ELSEWHERE = ("/gradio_api/proxy=", "/gradio_api/file=http", "/proxy=", "/file=http")
BESIDES = 16  # MB that a request may bring besides a file of the largest size: the editors send three pictures at once


class Guard:
    """Refuses foreign hosts and origins, requests that bring too much, and what would be fetched from elsewhere."""

    def __init__(self, app: Any, hosts: Iterable[str], limits: Limits, disk: Disk) -> None:
        """Around `app`, which answers to `hosts` besides names of this machine; uploads are noted on `disk`."""
        self.app, self._limits, self._disk = app, limits, disk
        self._hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        size = next((int(value) for name, value in headers if name == "content-length"), 0)
        if refused := self._refusal(scope, headers, size):
            await _answer(*refused, receive, send)
            return
        owner = owner_of((scope.get("client") or ("",))[0])
        try:
            with self._disk.reserved(owner, size) if size else contextlib.nullcontext():
                await self.app(scope, receive, self._noting(owner, send) if _is_upload(scope) else send)
        except UserError as error:
            await _answer(507, str(error), receive, send)

    def _refusal(self, scope: Any, headers: list[tuple[str, str]], size: int) -> tuple[int, str] | None:
        """Status and text."""
        if scope["path"].startswith(ELSEWHERE):
            return 403, "this page fetches nothing from elsewhere"
        for name, value in headers:
            if name in ("host", "origin") and not self._is_known(value, scope):
                return 403, f"this page does not answer to the {name} {value}; --allow_host=NAME lets one in"
            if name == "transfer-encoding":
                return 411, "say how long the request is"
        if size > (self._limits.megabytes + BESIDES) * MB:
            return 413, f"a request brings at most {self._limits.megabytes + BESIDES} MB"
        return None

    def _is_known(self, value: str, scope: Any) -> bool:
        """Whether a Host or Origin is this machine, as the connection reached it, or one of the hosts."""
        try:
            name = urlsplit(value if "://" in value else f"//{value}").hostname or ""
        except ValueError:
            return False
        if name in (*self._hosts, "localhost", (scope.get("server") or ("",))[0]):
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False

    def _noting(self, owner: str, send: Any) -> Any:
        """`send` that reads from the answer to an upload where its files lie."""
        body = bytearray()

        async def note(message: Any) -> None:
            body.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body") and body[:1] == b"[":
                self._disk.note(owner, map(Path, json.loads(body)))
            await send(message)

        return note


def limit_queue(queue: Any, limits: Limits) -> None:
    """Lets each visitor, who is a tab, and each address have only so many of the places where Gradio's events wait."""
    push = queue.push

    async def push_if_few(body: Any, request: Any, username: str | None) -> Any:
        waiting = [event for line in queue.event_queue_per_concurrency_id.values() for event in line.queue]
        owner = owner_of(request.client.host)
        of_address = sum(owner_of(event.request.client.host) == owner for event in waiting)
        of_visitor = sum(event.session_hash == body.session_hash for event in waiting)
        if of_visitor >= limits.visitor or of_address >= max(1, limits.queue * limits.share // 100):
            return False, "others wait, too: wait until what you have asked for is done", "queue_full"
        return await push(body, request, username)

    queue.push = push_if_few


def _is_upload(scope: Any) -> bool:
    return scope["path"].rstrip("/").endswith("/upload")


async def _answer(status: int, text: str, receive: Any, send: Any) -> None:
    """Reads what still comes, for who is cut off while sending would not read the answer; keeps nothing of it."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text.encode()})
