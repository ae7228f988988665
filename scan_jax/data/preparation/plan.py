"""What a dataset is to be built from: the result of looking through a source, before a pixel is decoded."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import re
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.data.files import AnyFile, File
from scan_jax.data.split_list import SplitList, name_ranges
from scan_jax.images.square import Crop, square

Arrays = Mapping[str, np.ndarray]  # "image" uint8 [H,W,3], "labels" uint8 [H,W], "hole" uint8 [H,W]


@dataclasses.dataclass(frozen=True)
class Item:
    """One record to be."""

    name: str  # the photograph's, unique in the dataset
    identity: str  # another line where its files have changed
    # decodes and resizes. It raises one of DECODE_ERRORS for a broken file, a UserError for what is not to be tolerated
    # once
    make: Callable[[], Arrays]


def items_of(
    parts: Mapping[str, Iterable[AnyFile]], make: Callable[..., Arrays], **options: Any
) -> dict[str, list[Item]]:
    """An item for each file of each split, made by `make(file, **options)`."""
    return {
        part: [Item(file.name, file.identity(), partial(make, file, **options)) for file in files]
        for part, files in parts.items()
    }


@dataclasses.dataclass(frozen=True)
class Plan:
    """A dataset to be."""

    dataset: str  # its name, such as "celeba_hq"
    config: str  # which of its kind, such as "256"; the folder's name
    description: str  # what it is and where it comes from, in a sentence or two
    # the shape of each array of a record, "image" (256, 256, 3), or (None, None, 3) where photographs differ
    arrays: Mapping[str, tuple[int | None, ...]]
    splits: Mapping[str, Sequence[Item]]  # records by split
    split: SplitList  # who is in which
    homepage: str = ""  # where its authors describe it
    label_names: tuple[str, ...] = ()  # of the classes of "labels", in order
    flip_pairs: tuple[tuple[int, int], ...] = ()  # labels that change places when a photograph is flipped
    missing: tuple[str, ...] = ()  # names that the split knows and the source has not
    allow_missing: int = 0  # how many may be missing or broken
    takes_split: bool = False  # the command has --split=FILE
    rules: str = ""  # the settings that make pixels of files, as a line
    found: tuple[str, ...] = ()  # lines for the person who waits; the split comes by itself
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)  # text files to lie beside the records, by name
    least_side: int = 0  # of all records, where they differ
    section: str = "data"  # of the config that reads the dataset
    usage: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # its keys

    def membership(self) -> str:
        """SHA-256 (hex) of names, splits and settings: what makes two datasets the same, wherever their files lie."""
        return self._hash(lambda item: item.name)

    def identity(self) -> str:
        """SHA-256 (hex) of those and of the files: the work of an interrupted build under the same one can be used."""
        return self._hash(lambda item: f"{item.name}\t{item.identity}")

    def _hash(self, line: Callable[[Item], str]) -> str:
        kind = (self.dataset, self.config, self.rules, sorted(self.arrays.items()), self.label_names, self.flip_pairs)
        lines = (f"{split}\t{line(item)}\n" for split, items in self.splits.items() for item in items)
        return hashlib.sha256(f"{kind}\n{''.join(lines)}".encode()).hexdigest()

    def check(self) -> None:
        """Refuses a plan with too few photographs, before anything is decoded; the UserError names the missing ones."""
        if self.allow_missing < 0:
            raise UserError(f"--allow_missing must not be negative, as {self.allow_missing} is")
        empty = ", ".join(split for split, items in self.splits.items() if not items)
        if len(self.missing) > self.allow_missing:
            total = len(self.missing) + sum(map(len, self.splits.values()))
            raise UserError(
                f"{self.dataset}: {len(self.missing):,} of {total:,} photographs are missing: "
                f"{name_ranges(self.missing)}; complete the source, or "
                + (f"split what is there, for {empty} has none{self._split_of_own()}" if empty else "")
                + ("" if empty else f"do without them: --allow_missing={len(self.missing)}")
            )
        if not self.splits or empty:
            raise UserError(
                f"{self.dataset}: no photographs for {empty or 'any split'} in the source{self._split_of_own()}"
            )

    def _split_of_own(self) -> str:
        """How a part of a dataset is split, where the command takes that."""
        names = [item.name for items in self.splits.values() for item in items]
        if not self.takes_split or len(names) < 2:
            return ""
        return f": --split=FILE, with lines such as `train {names[0]}` and `test {names[-1]}`"


def check_name(name: str) -> str:
    """A dataset's name as it is; a UserError where it would be no folder, or another one than it says."""
    if not name or name.startswith(".") or any(sign in name for sign in "/\\\0"):
        raise UserError(f"--name must be a folder's name without / and \\ and no dot before it, not {name!r}")
    return name


T = TypeVar("T")


def flag(text: str, default: Any = dataclasses.MISSING) -> Any:
    """A field with a line of help; without a default it must be given."""
    return dataclasses.field(default=default, metadata={"help": text})


@dataclasses.dataclass(frozen=True, kw_only=True)
class SquareSettings:
    """The settings of every dataset of squares, whose `size` networks here take; each adds its own, and `plan()`."""

    size: int = flag("height and width, pixels", 256)

    def __post_init__(self) -> None:
        if not 64 <= self.size <= 1024:
            raise UserError(f"--size must be from 64 to 1024 pixels, not {self.size}")

    def arrays(self, labels: bool = False) -> dict[str, tuple[int, ...]]:
        """The shapes of a record's photograph and, where it has one, its label map."""
        return {"image": (self.size, self.size, 3)} | ({"labels": (self.size, self.size)} if labels else {})


def make_square(file: File, size: int, crop: Crop = "centre") -> Arrays:
    """The photograph as a square."""
    return {"image": square(file.read_image(), size, crop)}  # [S,S,3]


def add_flags(parser: argparse.ArgumentParser, settings: type) -> None:
    """A flag for each field of the dataclass `settings`."""
    hints = typing.get_type_hints(settings)
    for field in dataclasses.fields(settings):
        required = field.default is dataclasses.MISSING
        parser.add_argument(
            f"--{field.name}",
            required=required,
            default=None if required else field.default,
            help=field.metadata["help"].replace("%", "%%"),
            **_reading(hints[field.name]),
        )


def read_flags(flags: argparse.Namespace, settings: type[T]) -> T:
    """The dataclass `settings` as the flags have it."""
    fields = dataclasses.fields(settings)  # type: ignore[arg-type]
    return settings(**{field.name: getattr(flags, field.name) for field in fields})


def _reading(hint: Any) -> dict[str, Any]:
    """How argparse reads a value of this type."""
    if typing.get_origin(hint) is typing.Literal:
        return {"choices": typing.get_args(hint)}
    if typing.get_origin(hint) is tuple:  # of pairs
        return {"type": _pairs, "metavar": "4-5,6-7"}
    if hint is bool:
        return {"action": "store_true"}
    return {"type": hint, "metavar": hint.__name__.upper()}


def _pairs(text: str) -> tuple[tuple[int, int], ...]:
    """ "4-5,6-7" as ((4, 5), (6, 7))."""
    pairs = [re.fullmatch(r"(\d+)-(\d+)", pair.strip()) for pair in text.split(",") if text]
    if None in pairs:
        raise argparse.ArgumentTypeError(f"pairs of numbers such as 4-5,6-7 are expected, not {text!r}")
    return tuple((int(pair[1]), int(pair[2])) for pair in pairs if pair)
