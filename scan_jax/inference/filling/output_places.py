"""Where filled photographs go: each to a file of its own, none over a file that is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from scan_jax.core.errors import UserError
from scan_jax.inference.files.photograph import FORMATS, check_output
from scan_jax.inference.filling.pairs import Pair


def in_folder(pairs: Sequence[Pair], out: Path, file_format: str = "") -> list[Path]:
    """A file in `out` for each photograph, in the sub-folder and format in which it was.

    Args:
      pairs: what will be filled.
      out: a folder, which need not exist.
      file_format: of all outputs, such as "png". Without it, formats that cannot be written become PNG.

    Raises:
      UserError: `out` is a file, or two photographs would share an output.
    """
    if out.is_file():
        raise UserError(f"--out={out} is a file; give a folder, for the photographs come from one")
    places: dict[Path, Pair] = {}
    for pair in pairs:
        place = out / Path(pair.name).with_suffix(_suffix(pair.photograph, file_format))
        if place in places:
            both = f"{places[place].name} and {pair.name}"
            raise UserError(f"{both} would both be written to {place}; rename one, or leave out --format")
        places[place] = pair
    return list(places)


def _suffix(photograph: Path, file_format: str) -> str:
    if file_format:
        return f".{file_format}"
    return photograph.suffix if photograph.suffix.lower() in FORMATS else ".png"


def check_places(outputs: Iterable[Path], inputs: Iterable[Path | None]) -> None:
    """Refuses formats that cannot be written, and to write over what is read.

    Args:
      outputs: files.
      inputs: files, or folders into which nothing may be written; None does not count.

    Raises:
      UserError: it names the file.
    """
    read = {_identity(path): path for path in inputs if path is not None and path.exists()}
    for output in outputs:
        check_output(output)
        if output.exists() and (of := read.get(_identity(output))):
            raise UserError(f"{output} would be written over {of}, which is read; choose another --out")


def check_folder(out: Path, inputs: Iterable[Path | None]) -> None:
    """Refuses a folder that is read.

    Raises:
      UserError: next time its files would be taken for photographs or holes.
    """
    for folder in inputs:
        if folder is not None and folder.is_dir() and out.exists() and _identity(out) == _identity(folder):
            raise UserError(f"--out={out} is a folder of what is read; give another, it may lie within")


def _identity(path: Path) -> tuple[int, int]:
    """The file itself: links to it, or other spellings where case does not matter, are the same."""
    found = path.stat()
    return found.st_dev, found.st_ino
