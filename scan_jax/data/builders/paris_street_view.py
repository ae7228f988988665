"""Paris StreetView (Pathak et al. 2016): facades, as the authors hand them out on request."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import PurePosixPath

from scan_jax.core.errors import UserError
from scan_jax.data.files import File, open_images
from scan_jax.data.preparation.plan import Item, Plan, SquareSettings, flag, make_square
from scan_jax.data.split_list import SplitList
from scan_jax.images.square import Crop

log = logging.getLogger(__name__)

EXPECTED = {"train": 14_900, "test": 100}
# By folder: what the request sends, and what people rename it to.
FOLDERS = {"train": ("paris_train_original", "paris_train", "train"), "test": ("paris_eval_gt", "paris_eval", "test")}
NOT_PHOTOGRAPHS = "corrupted"  # paris_eval_corrupted holds the same photographs with a hole drawn in


@dataclasses.dataclass(frozen=True, kw_only=True)
class ParisStreetView(SquareSettings):
    """Paris StreetView (Pathak et al. 2016): facades, as the authors hand them out on request."""

    source: str = flag("the folder as received (paris_train_original, paris_eval), zipped or not")
    crop: Crop = flag("centre: the largest centred square; stretch: all of the photograph", "centre")
    allow_missing: int = flag("broken or missing photographs to do without", 0)

    def plan(self) -> Plan:
        """The photographs by their folder; a UserError where one is missing, or has fewer than were published."""
        files = open_images(self.source)
        parts = {part: _in_folder(files, part, self.source) for part in FOLDERS}
        make = partial(make_square, size=self.size, crop=self.crop)
        own = {} if self.crop == "centre" else {"crop": self.crop}
        return Plan(
            dataset="paris_street_view",
            config="-".join([str(self.size), *own.values()]),
            description="Paris StreetView: 14,900 facades to train with and 100 to measure on.",
            homepage="https://github.com/pathak22/context-encoder",
            arrays=self.arrays(),
            splits={
                part: [Item(f"{part}/{name}", file.identity(), partial(make, file)) for name, file in some.items()]
                for part, some in parts.items()
            },
            split=SplitList("paris_own", {part: tuple(some) for part, some in parts.items()}),
            missing=tuple(name for part, some in parts.items() for name in _absent(part, len(some))),
            allow_missing=self.allow_missing,
            rules=f"size={self.size} crop={self.crop}",
            found=(f"found {', '.join(f'{len(some):,} photographs to {part}' for part, some in parts.items())}",),
            usage={"name": "paris_street_view", "size": self.size} | own,
        )


def _in_folder(files: Sequence[File], part: str, source: str) -> dict[str, File]:
    """The photographs of the part's folder, of the first name in use, by name below it; copies differ above."""
    photographs = [file for file in files if NOT_PHOTOGRAPHS not in file.name.lower()]
    for folder in FOLDERS[part]:
        found = {name: file for file in photographs if (name := _below(folder, file.name))}
        if found:
            return dict(sorted(found.items()))
    raise UserError(
        f"--source: {source} has no photographs in a folder {FOLDERS[part][0]}; give both parts of the dataset"
    )


def _below(folder: str, name: str) -> str:
    """What follows the last `folder` in a name; nothing where it is not there."""
    *folders, _ = PurePosixPath(name).parts
    places = [place for place, part in enumerate(folders, 1) if part.lower() == folder]
    return PurePosixPath(*PurePosixPath(name).parts[places[-1] :]).as_posix() if places else ""


def _absent(part: str, count: int) -> list[str]:
    """A name for each photograph fewer than were published: theirs are places, so that only their number tells."""
    if count > EXPECTED[part]:
        log.warning("%d photographs to %s are more than the published %d", count, part, EXPECTED[part])
    return [f"{part} {i + 1}" for i in range(count, EXPECTED[part])]
