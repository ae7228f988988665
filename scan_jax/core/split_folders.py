"""Folders that are a split, of photographs and of masks: train/ and valid/, or data_large/ and val_large/."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import TypeVar

from scan_jax.core.errors import counted

log = logging.getLogger(__name__)

# What a folder's name says, as a word of it: train, train2017, val_large, DIV2K_valid_HR.
WORDS = {"train": ("train", "training"), "validation": ("val", "valid", "validation"), "test": ("test", "testing")}
PLACES = re.compile(r"data_(large|256)", re.IGNORECASE)  # what the training part of Places is called
T = TypeVar("T")


def split_of(name: str) -> str:
    """The split of a file such as "train/images/a.jpg": that of the first of its folders that has one's name, or ""."""
    folders = PurePosixPath(name).parts[:-1]
    for folder in folders:
        words = set(re.findall("[a-z]+", folder.lower()))
        found = [split for split, names in WORDS.items() if not words.isdisjoint(names)]
        if len(found) == 1:  # train_val says nothing
            return found[0]
    return "train" if any(PLACES.fullmatch(folder) for folder in folders) else ""


def evenly_spaced(things: Sequence[T], count: int) -> list[T]:
    """At most `count` of `things`, evenly spaced, the first included."""
    count = min(count, len(things))
    return [things[i * len(things) // count] for i in range(count)]


def splits_by_folder(things: Sequence[T], where: str, name: Callable[[T], str]) -> dict[str, list[T]]:
    """The things, files in order, by split, "train" first; none unless the folders that they lie in are a split.

    They are one where everything lies in a folder of a split, some in that of train and some in another. The log says
    which, and where files beside prevent it. `name` gives a file's within the folder `where`, with forward slashes.
    """
    parts: dict[str, list[T]] = {}
    for thing in things:
        parts.setdefault(split_of(name(thing)), []).append(thing)
    beside = parts.pop("", [])
    found = {split: parts[split] for split in WORDS if split in parts}
    if "train" not in found or len(found) < 2:
        return {}
    counts = ", ".join(f"{split} {len(some):,}" for split, some in found.items())
    if beside:
        told = (where, counts, counted(len(beside), "file lies", "files lie"), name(beside[0]))
        log.warning("%s is not taken as split by its folders (%s): %s beside these, such as %s", *told)
        return {}
    log.info("the folders in %s are the split: %s", where, counts)
    return found
