"""Datasets that `scan_jax prepare` built: where they lie, and what their records say. Read without TensorFlow."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseError
from google.protobuf.message import Error

from scan_jax.core.config import bind
from scan_jax.core.errors import NotHere, UserError
from scan_jax.core.run_layout import first_line, read_sections

VERSION = "1.0.0"
# What TensorFlow Datasets raises for files of its own that were edited.
EDITED = (OSError, ValueError, AssertionError, NotImplementedError, LookupError, TypeError, AttributeError, ParseError)
FORMAT = 1  # of the metadata below
Record = Mapping[str, Any]  # arrays as NumPy's, "name" as bytes
# What reading a damaged record raises: ArrayRecord's own, protocol buffers', and those of the pictures inside.
UNREADABLE = (RuntimeError, OSError, ValueError, IndexError, TypeError, Error)


@dataclasses.dataclass(frozen=True)
class PreparedDataset:
    """A dataset on disk."""

    folder: Path  # where it lies
    name: str  # such as "celeba_hq/256"
    # Records of each split, decoded when they are asked for; safe to share between threads, and picklable
    splits: Mapping[str, Sequence[Record]]
    digests: Mapping[str, str]  # SHA-256 (hex) of each split's names and pixels
    split: str  # the split's name
    split_digest: str  # SHA-256 (hex) of who is in which split
    label_names: tuple[str, ...]  # of the classes; empty without labels
    flip_pairs: tuple[tuple[int, int], ...]  # labels that change places when a photograph is flipped
    shapes: Mapping[str, tuple[int | None, ...]]  # of each array of a record; None for sides that differ
    least_side: int  # of all photographs, pixels


def default_data_dir() -> Path:
    """Where datasets are where nobody says: $TFDS_DATA_DIR, or ~/tensorflow_datasets as TFDS has it."""
    return Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def dataset_folder(data_dir: str | os.PathLike[str], dataset: str, config: str) -> Path:
    """Where a dataset lies in `data_dir` (empty for the default one)."""
    root = Path(data_dir).expanduser() if data_dir else default_data_dir()
    return root / dataset / config / VERSION


def find(data_dir: str, dataset: str, config: str, command: str) -> PreparedDataset:
    """The dataset of that name, such as "celeba_hq" and "256", in the folder of all (empty for the default one).

    UserError where it was not built; the message says which were, and the `command` that would build it.
    """
    folder = dataset_folder(data_dir, dataset, config)
    if not folder.is_dir():
        others = sorted(other.parent.name for other in folder.parents[1].glob(f"*/{VERSION}"))
        there = f" (there: {', '.join(others)})" if others else ""
        raise NotHere(f"no prepared {dataset}/{config} in {folder.parents[2]}{there}; build it: {command}")
    return load(folder)


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What readers take of `metadata.json`; the fields are those of `PreparedDataset`."""

    digests: Mapping[str, str]
    split: str
    split_digest: str
    label_names: tuple[str, ...]
    flip_pairs: tuple[tuple[int, int], ...]
    arrays: Mapping[str, tuple[int | None, ...]]
    least_side: int = 0  # where photographs are of different sizes


def load_metadata(folder: Path) -> Mapping[str, Any]:
    """What the builder wrote down besides TFDS's own; empty where it wrote nothing."""
    try:
        return read_sections(folder / "metadata.json", "build it again")
    except UserError:
        return {}


def _records(file: Path) -> int:
    """How many an ArrayRecord file has by its own index; a UserError where it is missing or damaged."""
    from array_record.python import array_record_module

    try:
        reader = array_record_module.ArrayRecordReader(os.fspath(file))
        count = reader.num_records()
        reader.close()
    except UNREADABLE as error:
        raise UserError(f"{file} cannot be read ({first_line(error)}); remove it and build it again") from error
    return count


def load(folder: Path) -> PreparedDataset:
    """The dataset in `folder`; a UserError where there is none, or another program wrote it."""
    import tensorflow_datasets as tfds  # heavy, and only those with prepared data need it

    try:
        builder = tfds.builder_from_directory(folder)
        splits = {split: builder.as_data_source(split) for split in builder.info.splits}
    except (*EDITED, tfds.core.DatasetNotFoundError) as error:
        raise UserError(
            f"{folder} is no dataset that can be read: by dataset_info.json and features.json, {first_line(error)}; "
            "build it with scan_jax prepare"
        ) from error
    told = load_metadata(folder)
    if told.get("format") != FORMAT:
        raise UserError(f"{folder} was not built by this version of scan_jax prepare; build it again")
    keys = {field.name for field in dataclasses.fields(Metadata)}
    of_readers = bind({key: told[key] for key in told.keys() & keys}, Metadata, f"{folder}/metadata.json")
    for file, key, here, noted in (
        ("dataset_info.json", "splits", splits, of_readers.digests),
        ("metadata.json", "digests", of_readers.digests, splits),
        ("features.json", "features", builder.info.features, of_readers.arrays),
    ):
        if absent := set(noted) - set(here):
            raise UserError(f"{folder}/{file} lacks {min(absent)!r} among its {key}; build the dataset again")
    for split, info in builder.info.splits.items():
        for file, noted in zip(info.filepaths, info.shard_lengths):
            if (there := _records(Path(file))) != noted:
                raise UserError(
                    f"{folder}/dataset_info.json says {noted:,} records for {Path(file).name} of {split}, which has "
                    f"{there:,}; remove it and build it again"
                )
    return PreparedDataset(
        folder=folder,
        name="/".join(folder.parts[-3:-1]),
        splits=splits,
        digests=of_readers.digests,
        split=of_readers.split,
        split_digest=of_readers.split_digest,
        label_names=of_readers.label_names,
        flip_pairs=of_readers.flip_pairs,
        shapes=of_readers.arrays,
        least_side=of_readers.least_side or of_readers.arrays.get("image", (0,))[0] or 0,
    )
