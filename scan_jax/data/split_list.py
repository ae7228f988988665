"""Splits: which photograph belongs to training and which to measuring, as text files with a name and a hash."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TypeVar

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError

SPLIT_NAMES = ("train", "validation", "test")
T = TypeVar("T")
_NUMBER = re.compile(r"(\d+)$")
_RANGE = re.compile(r"(\d+)-(\d+)")


@dataclasses.dataclass(frozen=True)
class SplitList:
    """Which photographs are in which split."""

    name: str  # such as "celebahq_28k_2k"
    members: Mapping[str, tuple[str, ...]]  # split to the names of its photographs, in order

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of who is where: the same digest, the same splits."""
        lines = (f"{split}\t{name}\n" for split, names in self.members.items() for name in names)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def title(self) -> str:
        """Name and hash, for logs and tables."""
        return f"split {self.name} ({self.digest[:12]})"

    def present(self, things: Mapping[str, T]) -> dict[str, list[T]]:
        """Those of the things, by name, that are in each split, in its order."""
        return {split: [things[name] for name in names if name in things] for split, names in self.members.items()}

    def missing(self, things: Container[str]) -> tuple[str, ...]:
        """The names that are not among the things."""
        return tuple(name for names in self.members.values() for name in names if name not in things)

    def __str__(self) -> str:
        return f"{self.title}: {', '.join(f'{split} {len(names):,}' for split, names in self.members.items())}"


def read_split(name: str, numbers: Mapping[str, str] | None = None) -> SplitList:
    """The split of that name in scan_jax/data/splits, or in the text file of that path.

    A line is `train 0-27999` or `test some/name.jpg`; # begins a comment. A line `numbers FILE` says that the numbers
    are not the photographs' own, and which file tells theirs: `numbers` has for each photograph the one that the split
    knows it by.

    UserError where there is no such split, a line cannot be read, a photograph is in it twice, or it needs `numbers`.
    """
    title, lines = _find(name)
    found: dict[str, list[str]] = {}
    wants = ""
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split(maxsplit=1)
        if not words:
            continue
        if words[0] == "numbers" and len(words) == 2:
            wants = words[1]
        elif words[0] in SPLIT_NAMES and len(words) == 2 and (members := _members(words[1].strip())):
            found.setdefault(words[0], []).extend(members)
        else:
            raise UserError(
                f"split {title}, line {number}: cannot read {line.strip()!r}; a line is a split "
                f"({', '.join(SPLIT_NAMES)}) and a name or a range, as in: train 0-27999"
            )
    if wants:
        found = _by_numbers(found, numbers, title, wants)
    split = SplitList(title, {part: tuple(found[part]) for part in SPLIT_NAMES if part in found})
    seen: dict[str, str] = {}
    for part, names in split.members.items():
        for name in names:
            if name in seen:
                raise UserError(f"split {title}: {name} is in {seen[name]} and again in {part}; remove one")
            seen[name] = part
    if "train" not in split.members or len(split.members) < 2:
        raise UserError(f"split {title} needs photographs in train and in validation or test")
    return split


def name_ranges(names: Iterable[str], most: int = 8) -> str:
    """Names in a line, consecutive numbers as ranges: "17, 400-402 and 3 more"."""
    runs: list[list[str]] = []
    for name in names:
        if not (runs and _follows(runs[-1][-1], name)):
            runs.append([])
        runs[-1].append(name)
    shown = [run[0] if len(run) == 1 else f"{run[0]}-{_NUMBER.split(run[-1])[1]}" for run in runs[:most]]
    hidden = sum(map(len, runs[most:]))
    return ", ".join(shown) + (f" and {hidden:,} more" if hidden else "")


def _follows(name: str, other: str) -> bool:
    """Whether `other` is `name` with the next number at its end."""
    (start, number, *_), (other_start, other_number, *_) = (*_NUMBER.split(name), ""), (*_NUMBER.split(other), "")
    return bool(number and other_number) and start == other_start and int(other_number) == int(number) + 1


def _find(name: str) -> tuple[str, Sequence[str]]:
    """A split's title and lines."""
    shipped = {Path(file.name).stem: file for file in resources.files("scan_jax.data").joinpath("splits").iterdir()}
    if name in shipped:
        return name, shipped[name].read_text(encoding="utf-8").splitlines()
    if Path(name).stem in shipped:  # tables quote the name
        raise UserError(f"the split {name} has the name of one that comes with the toolkit; rename the file")
    try:
        return Path(name).stem, Path(name).expanduser().read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"cannot read the split {name}: {error}; save it as UTF-8 text") from error
    except (OSError, ValueError) as error:
        raise UserError(
            f"no split {name!r}{did_you_mean(name, shipped)}; give a text file, or one of {', '.join(sorted(shipped))}"
        ) from error


def _members(text: str) -> list[str]:
    """The names of "0-27999", or of a line that is a name; none of "5-4"."""
    match = _RANGE.fullmatch(text)
    return [str(number) for number in range(int(match[1]), int(match[2]) + 1)] if match else [text]


def _by_numbers(
    found: Mapping[str, list[str]], numbers: Mapping[str, str] | None, title: str, wants: str
) -> dict[str, list[str]]:
    """The members by the photographs' own names, in their order."""
    if not numbers:
        raise UserError(f"the split {title} needs {wants}, which is not there; add it, or choose another --split")
    split_of = {number: split for split, members in found.items() for number in members}
    mapped: dict[str, list[str]] = {}
    for photograph, number in numbers.items():
        if number in split_of:
            mapped.setdefault(split_of[number], []).append(photograph)
    return mapped
