"""Opens a web page on this machine that fills holes with a trained network. Nothing is fetched from anywhere else.

    python -m scan_jax demo [--run=runs/demo] [--host=127.0.0.1] [--port=7860]
    python -m scan_jax demo --run=biharmonic   (or harmonic, navier_stokes, telea, patchmatch: no network)
    python -m scan_jax demo --host=0.0.0.0 --auth=FILE [--allow_host=NAME ...]

Upload a photograph, paint over what should go, fill, compare, download. Networks that are conditioned on a label map
also show it, let it be repainted, take the style of parts from another photograph, and show where a pixel attends.
Needs Gradio: pip install "scan_jax[demo]". Uploads lie in a temporary folder and are gone when the page is closed.
"""

from __future__ import annotations

import argparse
import importlib.util

from scan_jax.commands import cli, models
from scan_jax.core.errors import UserError
from scan_jax.demo.serving import FLAGS, Limits, read_auth


def parse(argv: list[str]) -> argparse.Namespace:
    """The flags."""
    parser = cli.parser("demo", __doc__)
    standard = Limits()
    parser.add_argument(
        "--run",
        default=models.DEFAULT,
        help=f"a run folder, RUN@best, RUN@STEP, a bundle; or one of {models.NAMES}",
    )
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets the whole network in")
    parser.add_argument("--port", type=int, default=7860, help="of the page; 0 takes any that is free")
    parser.add_argument("--max_pixels", type=int, default=standard.pixels, help="of an uploaded image")
    parser.add_argument("--max_megabytes", type=int, default=standard.megabytes, help="of an uploaded file")
    parser.add_argument("--queue", type=int, default=standard.queue, help="how many may wait; the next is sent away")
    parser.add_argument("--keep_minutes", type=int, default=standard.minutes, help="how long uploads and results lie")
    parser.add_argument("--disk_megabytes", type=int, default=standard.disk, help="of all of them; the oldest go first")
    parser.add_argument("--share", type=int, default=standard.share, help="percent of queue and disk for one address")
    parser.add_argument("--visitor_queue", type=int, default=standard.visitor, help="how many of one tab may wait")
    parser.add_argument("--allow_host", nargs="+", default=(), help="other names by which the page may be asked")
    parser.add_argument("--auth", help="a file of lines NAME:PASSWORD, for who may come in")
    return parser.parse_args(argv)


def show(flags: argparse.Namespace) -> None:
    """Loads the network and serves the page until it is interrupted."""
    limits = Limits(*(getattr(flags, name) for name in FLAGS))
    limits.check()
    auth = read_auth(flags.auth) if flags.auth else ()
    if importlib.util.find_spec("gradio") is None:
        raise UserError('the page needs Gradio: pip install "scan_jax[demo]"')
    from scan_jax.demo import serving  # after the flags were read, for --help need not wait

    port = serving.free_port(flags.host, flags.port)  # before the network is loaded, so that it costs no wait
    serving.serve(flags.run, serving.Door(flags.host, port, tuple(flags.allow_host), auth), limits)


def main(argv: list[str]) -> int:
    """The command; its exit code."""
    return cli.run(lambda: show(parse(argv)))
