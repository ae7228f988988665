"""Which mask belongs to which photograph, by name."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from scan_jax.core.errors import UserError
from scan_jax.masks import mask_files

PHOTOGRAPHS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
MASK_ENDING = re.compile(r"_mask\d*$", re.IGNORECASE)  # NAME_mask.png or NAME_mask001.png: NAME's masks


@dataclasses.dataclass(frozen=True)
class Pairing:
    """The outcome.

    Attributes:
      photograph_of: mask file to photograph.
      masks_alone: masks whose photograph is missing.
      photographs_alone: photographs without a mask.
    """

    photograph_of: Mapping[Path, Path]
    masks_alone: tuple[Path, ...]
    photographs_alone: tuple[Path, ...]


def split_shared_folder(files: Sequence[Path]) -> list[Path]:
    """The masks among files that lie in one folder with their photographs: those called NAME_mask*."""
    return [file for file in files if MASK_ENDING.search(file.stem)]


def pair(masks: Sequence[Path], folder: Path) -> Pairing:
    """Looks up every mask's photograph in `folder`, at any depth: NAME.* for NAME.*, NAME_mask.* or NAME_mask001.*.

    Raises:
      UserError: there is no such folder, or no photograph in it.
    """
    if not folder.is_dir():
        raise UserError(f"no folder {str(folder)!r}; give the folder of the photographs that the masks belong to")
    own = {mask.resolve() for mask in masks}
    photographs = {
        file.stem: file
        for file in mask_files.all_files(folder)
        if file.suffix.lower() in PHOTOGRAPHS and file.resolve() not in own
    }
    if not photographs:
        raise UserError(f"no photographs ({', '.join(PHOTOGRAPHS)}) in {folder}; give a folder that has some")
    names = {mask: _photograph_name(mask.stem, photographs) for mask in masks}
    found = {mask: photographs[name] for mask, name in names.items() if name in photographs}
    used = set(found.values())
    return Pairing(
        photograph_of=found,
        masks_alone=tuple(mask for mask in masks if mask not in found),
        photographs_alone=tuple(file for file in photographs.values() if file not in used),
    )


def _photograph_name(stem: str, photographs: Mapping[str, Path]) -> str:
    """`stem`, or `stem` without its ending where only that is a photograph's."""
    return stem if stem in photographs else MASK_ENDING.sub("", stem)
