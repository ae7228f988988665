"""The front door: `scan-jax COMMAND` and `python -m scan_jax COMMAND` are the same for every command.

A command's module is imported when it is named; the list that --help prints is read from the sources.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scan_jax.core import device
from scan_jax.core.errors import UserError

# Each has `main(argv) -> exit code`.
COMMANDS = {
    "train": "scan_jax.commands.train",
    "evaluate": "scan_jax.commands.evaluate",
    "inpaint": "scan_jax.commands.inpaint",
    "models": "scan_jax.commands.models",
    "attend": "scan_jax.commands.attend",
    "demo": "scan_jax.commands.demo",
    "export": "scan_jax.commands.export",
    "prepare": "scan_jax.commands.prepare",
    "show-batch": "scan_jax.commands.show_batch",
    "weights": "scan_jax.commands.weights",
    "doctor": "scan_jax.commands.doctor",
    "replay": "scan_jax.commands.replay",
}
USAGE = 2  # the exit code of a command line that means nothing, as argparse has it


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command that the first argument names with all others, and returns its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    if not given or given[0] in ("-h", "--help", "help"):
        print(overview())
        return 0 if given else USAGE
    name, *arguments = given
    if name in ("-V", "--version"):
        print(f"scan_jax {version()} (jax {_installed('jax')}, Python {sys.version.split()[0]})")
        return 0
    command = name.replace("_", "-")
    if command not in COMMANDS:
        from scan_jax.core.config import did_you_mean  # not before it is needed: --help answers at once

        near = did_you_mean(command, COMMANDS)
        print(f"error: scan-jax has no command {name!r}{near}; scan-jax --help lists them", file=sys.stderr)
        return USAGE
    if argv is None and command == "train":  # the process is this command's alone, as with `python -m scan_jax.main`
        from scan_jax.core import distributed

        distributed.keep_freed()
    return importlib.import_module(COMMANDS[command]).main(arguments)


def overview() -> str:
    """What --help prints."""
    width = max(map(len, COMMANDS))
    rows = (f"  {name:<{width}}  {summary(module)}" for name, module in COMMANDS.items())
    return "\n".join(
        [
            "usage: scan-jax COMMAND ...",
            "",
            "Image inpainting on JAX: train, measure and use the methods of the literature.",
            "",
            *rows,
            "",
            "scan-jax COMMAND --help says more of each; scan-jax --version says which version this is.",
        ]
    )


def summary(module: str) -> str:
    """The first line of a module's docstring, from its source: importing some of them takes seconds."""
    with Path(__file__).with_name(f"{module.rpartition('.')[2]}.py").open(encoding="utf-8") as source:
        return source.readline().strip().strip('"')


def version() -> str:
    """Of these sources where they are a checkout, else of what was installed."""
    project = Path(__file__).parents[2] / "pyproject.toml"
    if project.is_file():  # installed packages leave none beside them
        import tomllib

        return tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
    return _installed("scan_jax")


def _installed(name: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


class Help(argparse.RawDescriptionHelpFormatter):
    """Of a command: each flag with its default, where it has one, behind what it does."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        nothing = not action.default and type(action.default) not in (int, float)  # False, None, "" and []
        hidden = nothing or action.default is argparse.SUPPRESS or not action.option_strings
        shown = " ".join(map(str, action.default)) if isinstance(action.default, tuple) else "%(default)s"
        return action.help if hidden else f"{action.help} ({shown})"


class Parser(argparse.ArgumentParser):
    """Of a command or a part of it; none of its flags can be shortened, and those that all have take effect at once.

    `description`, such as a docstring, keeps its line breaks.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": Help, "allow_abbrev": False, **options})
        add = self.add_argument_group("of every command").add_argument
        told = "what JAX computes on; without it, the best that there is"
        add("--device", choices=device.PLATFORMS, default=argparse.SUPPRESS, help=told)
        add("--verbose", action="store_true", default=argparse.SUPPRESS, help="all that there is to say")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # parse_args calls it, too
        """As the standard library has it."""
        flags, others = super().parse_known_args(args, namespace)
        device.choose(getattr(flags, "device", ""))
        logging.getLogger("scan_jax").setLevel(logging.DEBUG if getattr(flags, "verbose", False) else logging.INFO)
        return flags, others


def parser(command: str, description: str | None) -> Parser:
    """For a command's flags."""
    return Parser(prog=f"python -m scan_jax {command}", description=description)


# Their background threads log hundreds of lines about a failure that reaches the user as one of ours.
NOISY = ("absl", "asyncio", "gcsfs", "grain", "jax", "orbax")
NO_NEWS = "Event loop is closed"  # what TensorStore's futures still say when a write of theirs has failed


def run(action: Callable[[], object]) -> int:
    """The exit code of `action`, run with the toolkit's log on stderr; a UserError becomes `error: ...`."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    if not (ours := logging.getLogger("scan_jax")).level:  # else the command line has set it
        ours.setLevel(logging.INFO)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    _pass_over_no_news()
    try:
        action()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130  # as a shell has it: 128 + SIGINT
    return 0


def _pass_over_no_news() -> None:
    """Leaves out one message of those that have nowhere to go but stderr."""
    say = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if NO_NEWS not in str(unraisable.exc_value):
            say(unraisable)

    sys.unraisablehook = hook


if __name__ == "__main__":
    sys.exit(main())
