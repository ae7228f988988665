"""Serves the page from this process: a port, a temporary folder, and nothing that calls home."""

from __future__ import annotations

import html
import ipaddress
import logging
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scan_jax.core.errors import UserError
from scan_jax.core.folder_lock import held, remove_abandoned

log = logging.getLogger(__name__)
QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
}
PREFIX = "scan_jax_demo_"  # of the temporary folder
MAX_SEED = 2**31 - 1


def free_port(host: str, port: int) -> int:
    """`port`, or a free one for 0; a UserError where it is taken or not allowed, or the host is not this machine."""
    if not 0 <= port <= 65535:
        raise UserError(f"--port is from 0 to 65535, not {port}")
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return probe.getsockname()[1]
    except socket.gaierror as error:
        raise UserError(f"--host={host} is no address of this machine; leave it out, or give 0.0.0.0") from error
    except OSError as error:
        raise UserError(
            f"cannot open port {port} of {host}: {error.strerror or error}; choose another with --port, or --port=0"
        ) from error


class Door(NamedTuple):
    """Where the page is, and who is let in."""

    host: str
    port: int
    others: tuple[str, ...] = ()  # host names by which it may be asked besides `host` and those of this machine
    auth: Sequence[tuple[str, str]] = ()  # names and passwords; all are let in without any


def serve(run: str, door: Door, limits: Limits) -> None:
    """Serves by threads until SIGINT or SIGTERM; a UserError where `run` cannot be loaded, or the port was taken."""
    if not door.auth and not _is_loopback(door.host):
        log.warning("whoever reaches %s may use this page: give names and passwords with --auth=FILE", door.host)
    remove_abandoned(Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))  # of pages that were killed
    with (
        tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as folder,
        held(Path(folder), "start the page again"),
    ):
        _prepare(Path(folder), limits)
        page, disk = _build(run, Path(folder), limits)
        _launch(page, door, limits, disk)
        try:
            log.info("open %s in a browser; Ctrl+C ends it", page.local_url)
            _wait()
        finally:
            page.close(verbose=False)
    log.info("closed; uploads and results are gone")


def read_auth(path: str) -> list[tuple[str, str]]:
    """Names and passwords of a file of lines NAME:PASSWORD; a UserError where it has none, or another line."""
    try:
        lines = [line.partition(":") for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read --auth={path}: {getattr(error, 'strerror', error)}") from error
    if not lines or not all(name and password for name, _, password in lines):
        raise UserError(f"--auth={path} has lines NAME:PASSWORD, at least one, and nothing else")
    return [(name, password) for name, _, password in lines]


def _is_loopback(host: str) -> bool:
    found = socket.getaddrinfo(host, None)
    return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


def _launch(page: Any, door: Door, limits: Limits, disk: Any) -> None:
    """Starts the server."""
    from starlette.middleware import Middleware

    from scan_jax.demo import guard, label_page

    page.queue(max_size=limits.queue, default_concurrency_limit=1, api_open=False)
    guard.limit_queue(page._queue, limits)
    hosts = (door.host, *door.others)
    try:
        page.launch(
            server_name=door.host, server_port=door.port, auth=[*door.auth] or None, share=False, inbrowser=False,
            prevent_thread_lock=True, quiet=True, show_error=False, footer_links=[], run_history=False,
            enable_monitoring=False, ssr_mode=False, pwa=False, mcp_server=False, inline=False,
            max_file_size=limits.megabytes * 1_000_000, state_session_capacity=200, theme=label_page.theme(),
            css=label_page.STYLE, js=label_page.SCRIPT,
            app_kwargs={"middleware": [Middleware(guard.Guard, hosts=hosts, limits=limits, disk=disk)]},
        )  # fmt: skip
    except OSError as error:
        raise UserError(f"cannot open port {door.port} of {door.host}: {error}; choose another with --port") from error


def _prepare(folder: Path, limits: Limits) -> None:
    """Before Gradio is imported: its settings are environment variables that it reads then."""
    os.environ.update(QUIET)
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")
    os.environ["GRADIO_EXAMPLES_CACHE"] = str(folder / "examples")
    for name in ("NO_PROXY", "no_proxy"):  # Gradio asks itself whether it is there, which a proxy could not answer
        os.environ[name] = ",".join(filter(None, [*os.environ.get(name, "").split(","), "127.0.0.1", "localhost"]))
    for name in ("httpx", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.WARNING)
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = limits.pixels  # whatever decodes an upload before the page's own check does


def _build(run: str, folder: Path, limits: Limits) -> tuple[Any, Any]:
    """The page of the network in `run`, or of what needs none, and its disk."""
    from scan_jax.core.distributed import keep_compilations
    from scan_jax.inference.inpainter import Inpainter

    keep_compilations()
    inpainter = Inpainter.load(run)
    from scan_jax.demo import page
    from scan_jax.demo.example import draw_example
    from scan_jax.demo.filling import Session

    results = folder / "uploads" / "results"  # from where Gradio hands out files without another copy
    results.mkdir(parents=True)
    example = draw_example(folder / "example", inpainter.size, inpainter.num_labels, page.BRUSH)
    about = Path(run).name + (f" at step {inpainter.step:,}" if inpainter.step else "")
    session = Session(inpainter, limits, results)
    return page.build(session, example, about), session.disk


def _wait() -> None:
    """Until SIGINT or SIGTERM."""
    ended = threading.Event()
    before = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while not ended.wait(1):  # in turns, so that signals are seen on every platform
            pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Limits(NamedTuple):
    """Of one page."""

    pixels: int = 25_000_000  # of an uploaded image
    megabytes: int = 50  # of an uploaded file
    queue: int = 100  # requests that may wait
    minutes: int = 360  # how long uploads and results lie in the temporary folder
    disk: int = 4000  # megabytes of that folder
    share: int = 60  # percent of the queue and of the disk that one address may have
    visitor: int = 8  # requests of one visitor, who is a tab, that may wait

    def check(self) -> None:
        """UserError names the first that is not positive and would let nothing through."""
        for name, value in zip(FLAGS, self):
            if value < 1:
                raise UserError(f"--{name} must be at least 1, not {value}")


FLAGS = (
    "max_pixels",
    "max_megabytes",
    "queue",
    "keep_minutes",
    "disk_megabytes",
    "share",
    "visitor_queue",
)  # of Limits


def check_image(path: str, name: str, limits: Limits) -> None:
    """Refuses an uploaded file by its header: gone, no image, empty, animated or too large; `name` is for messages."""
    from scan_jax.images.decode import open_image  # `--help` reads this module, too

    check_upload(path, name)
    with open_image(path, name, limits.pixels):
        pass


def check_upload(path: str, name: str) -> None:
    """Refuses an uploaded file that was thrown away meanwhile; `name` begins the message."""
    if not Path(path).is_file():
        raise UserError(f"{name} {path} is no longer here: uploads are kept for a while only; upload it again")


def check_seed(value: float | None) -> int:
    """A seed as the page's number field hands it over; UserError unless it is a whole number that fits."""
    if value is None or value != int(value) or not 0 <= value <= MAX_SEED:
        raise UserError(f"the seed is a whole number from 0 to {MAX_SEED}")
    return int(value)


def shown(error: UserError | str, *paths: str | os.PathLike[str] | None) -> str:
    """A message as HTML: files by the name that the person knows them by, everything else escaped."""
    text = str(error)
    for path in paths:
        if path:
            text = text.replace(os.fspath(path), Path(path).name)
    return html.escape(text)
