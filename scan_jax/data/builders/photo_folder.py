"""Datasets of any photographs, with or without label maps, squared and resized once."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scan_jax.core.errors import UserError, counted
from scan_jax.core.split_folders import splits_by_folder
from scan_jax.data import labelled_folder as source
from scan_jax.data.files import AnyFile, open_images, stem
from scan_jax.data.labelled_folder import LabelSize, check_classes, pair_up
from scan_jax.data.photo_folder import BY_FOLDER, BY_NAME, file_split, only_photographs, set_aside
from scan_jax.data.preparation.plan import Plan, SquareSettings, check_name, flag, items_of, make_square
from scan_jax.data.split_list import SplitList, name_ranges, read_split
from scan_jax.images.palette import part_names
from scan_jax.images.square import Crop


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhotoFolder(SquareSettings):
    """A dataset of any photographs, squared and resized once."""

    source: str = flag("a folder of photographs at any depth, an archive or table of them, or a text file of paths")
    name: str = flag("what to call the dataset; the source's name by default", "")
    crop: Crop = flag("centre: the largest centred square; stretch: all of the photograph", "centre")
    split: str = flag("a text file of lines such as `train a/b.jpg` and `test c.jpg`", "")
    held_out: int = flag("without a split, or folders train and valid or test: how many to set aside, by a hash", 500)
    allow_missing: int = flag("broken or missing photographs to do without", 0)
    only: str = flag(
        "which images are photographs, where others are among them: a pattern such as *.jpg; * for all", ""
    )

    def plan(self) -> Plan:
        """The photographs; a UserError for none, a split that names others, or a setting that makes no sense."""
        files = only_photographs(open_images(self.source), self.only, self.source, "--only")
        split, parts, missing = self._split(files)
        return self._plan(
            dataset="photo_folder",
            description=f"Photographs of {self._name()}, {self.size}x{self.size}.",
            arrays=self.arrays(),
            splits=items_of(parts, make_square, size=self.size, crop=self.crop),
            split=split,
            missing=missing,
            rules=f"size={self.size} crop={self.crop}",
            found=(f"found {counted(len(files), 'photograph')} in {self.source}",),
        )

    def _name(self) -> str:
        return check_name(self.name or Path(self.source).resolve().stem)

    def _plan(self, dataset: str, **fields: Any) -> Plan:
        config = f"{self._name()}-{self.size}"
        usage = {"name": "prepared", "dataset": f"{dataset}/{config}", "size": self.size}
        return Plan(dataset, config, usage=usage, allow_missing=self.allow_missing, takes_split=True, **fields)

    def _split(self, files: Sequence[AnyFile]) -> tuple[SplitList, Mapping[str, Sequence[AnyFile]], tuple[str, ...]]:
        """The split, its files, and names without one: as its text file, the folders, or else a hash has it."""
        if not self.split:
            if parts := splits_by_folder(files, self.source, operator.attrgetter("name")):
                return file_split(BY_FOLDER, parts), parts, ()
            if self.held_out < 1:
                raise UserError(
                    f"--held_out must be positive, not {self.held_out}: training shows nothing without measuring"
                )
            parts = dict(zip(("train", "test"), set_aside(files, self.held_out)))
            return file_split(BY_NAME, parts), parts, ()
        listed = read_split(self.split)
        # With or without suffix.
        by_name = {stem(file.name): file for file in files} | {file.name: file for file in files}
        found, missing = listed.present(by_name), listed.missing(by_name)
        if not any(found.values()):
            raise UserError(
                f"the split {listed.name} names none of {len(files)} photographs: {name_ranges(missing, 3)}"
            )
        return listed, found, missing


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelledFolder(PhotoFolder):
    """A dataset of any photographs with label maps, squared and resized once."""

    source: str = flag("a folder, zip or list with NAME_label.png beside NAME.jpg, or images/ and labels/")
    num_labels: int = flag("classes; a label map's values are 0 to one less")
    label_size: LabelSize = flag("equal: as the photograph; any: resized by nearest neighbour", "equal")
    flip_pairs: tuple[tuple[int, int], ...] = flag("labels that change places when a photograph is flipped", ())

    def plan(self) -> Plan:
        """The photographs with their label maps; a UserError as of `PhotoFolder`, and where one has no label map."""
        check_classes(self.num_labels, self.flip_pairs, "--")
        pairs = pair_up(open_images(self.source), self.source)
        split, parts, missing = self._split(pairs)
        squares = source.LabelledFolder(
            path="", size=self.size, num_labels=self.num_labels, crop=self.crop, label_size=self.label_size
        )
        return self._plan(
            dataset="labelled_folder",
            description=f"Photographs of {self._name()} with {self.num_labels} classes, {self.size}x{self.size}.",
            arrays=self.arrays(labels=True),
            splits=items_of(parts, squares.read, section="--"),
            split=split,
            label_names=part_names(self.num_labels),
            flip_pairs=self.flip_pairs,
            missing=missing,
            rules=f"size={self.size} crop={self.crop} num_labels={self.num_labels}",
            found=(f"found {counted(len(pairs), 'photograph')} with label maps in {self.source}",),
        )
