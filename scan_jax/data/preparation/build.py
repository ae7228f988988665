"""From a plan to a dataset in TFDS's form: built beside its place, checked, and only then put there."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from scan_jax.core import prepared
from scan_jax.core.errors import UserError
from scan_jax.core.folder_lock import held
from scan_jax.core.prepared import UNREADABLE, PreparedDataset, Record
from scan_jax.core.progress import progress_bar
from scan_jax.data.preparation.plan import Plan
from scan_jax.data.preparation.shards import Shard, make_shards, record_digest, split_digest

log = logging.getLogger(__name__)


def build(plan: Plan, data_dir: str, jobs: int) -> PreparedDataset:
    """Builds the dataset in `data_dir` (empty for the default one), or finds it built; `jobs` photographs at a time.

    An interruption (Ctrl-C, a kill) leaves the finished shards in a hidden folder, from which the same call goes on; an
    error leaves nothing. UserError where photographs are missing or broken, the disk is full, or another dataset has
    the place.
    """
    plan.check()
    for line in (*plan.found, plan.split):
        log.info("%s", line)
    folder = prepared.dataset_folder(data_dir, plan.dataset, plan.config)
    if folder.exists():
        return _already_there(folder, plan)
    staging = folder.parent / f".{folder.name}-{plan.identity()[:16]}.building"
    with _staged(staging, folder):
        shards = make_shards(plan, staging, jobs)
        result = _assemble(plan, shards, staging / "whole")
        _verify(result, shards)
        os.replace(result, folder)
    return prepared.load(folder)


def _already_there(folder: Path, plan: Plan) -> PreparedDataset:
    """The dataset in the plan's place, if it is the plan's."""
    told = prepared.load_metadata(folder)
    if told.get("membership") != plan.membership():
        raise UserError(
            f"{folder} holds a dataset of other photographs or settings; remove it, or choose another --data_dir"
        )
    log.info("%s is there already, of the same names and settings; remove it to build it anew", folder)
    return prepared.load(folder)


@contextlib.contextmanager
def _staged(staging: Path, folder: Path) -> Iterator[None]:
    """The staging folder: kept by an interruption, removed by success and by errors."""
    with held(staging, "choose another --data_dir"):
        try:
            yield
        except KeyboardInterrupt:
            log.warning("interrupted; what is done is kept in %s: run the same command again to go on", staging)
            raise
        except Exception as error:
            _remove(staging, folder)
            if not isinstance(error, OSError):
                raise
            raise UserError(f"cannot write {folder}: {error.strerror or error}; make room and run it again") from error
    for left in folder.parent.glob(f".{folder.name}-*.building"):  # what other plans for the place left, as well
        _remove(left, folder)


def _remove(staging: Path, folder: Path) -> None:
    """Removes the staging folder, and the folders made for it where they are empty."""
    shutil.rmtree(staging, ignore_errors=True)
    for parent in folder.parents[:2]:
        with contextlib.suppress(OSError):  # it holds other datasets
            parent.rmdir()


def _assemble(plan: Plan, shards: Mapping[str, Sequence[Shard]], whole: Path) -> Path:
    """The shards under TFDS's names in the folder `whole`, with what TFDS must know of them."""
    import tensorflow_datasets as tfds

    shutil.rmtree(whole, ignore_errors=True)
    whole.mkdir()
    infos = []
    template = tfds.core.ShardedFileTemplate(data_dir=whole, dataset_name=plan.dataset, filetype_suffix="array_record")
    for split, written in shards.items():
        kept = [shard for shard in written if shard.digests]
        for number, shard in enumerate(kept):
            name = f"{plan.dataset}-{split}.array_record-{number:05d}-of-{len(kept):05d}"
            _link(shard.path, whole / name)
        infos.append(
            tfds.core.SplitInfo(
                name=split,
                shard_lengths=[len(shard.digests) for shard in kept],
                num_bytes=sum(shard.bytes for shard in kept),
                filename_template=template.replace(split=split),
            )
        )
    tfds.folder_dataset.write_metadata(
        data_dir=whole,
        features=_features(plan),
        split_infos=infos,
        version=prepared.VERSION,
        check_data=False,  # it would want TensorFlow
        description=plan.description,
        homepage=plan.homepage,
        disable_shuffling=True,
        metadata=tfds.core.MetadataDict(_metadata(plan, shards)),
    )
    for name, text in plan.notes.items():
        (whole / name).write_text(text, encoding="utf-8")
    return whole


def _link(path: Path, other: Path) -> None:
    """The same file by another name, so that an interruption loses no shard; a copy where the disk has no links."""
    try:
        os.link(path, other)
    except OSError:
        shutil.copyfile(path, other)


def _features(plan: Plan) -> Mapping[str, Any]:
    """The record's arrays as TFDS's features."""
    import tensorflow_datasets as tfds

    features: dict[str, Any] = {"name": tfds.features.Text()}
    for name, shape in plan.arrays.items():
        kind = tfds.features.Image
        if name == "labels":
            kind = partial(tfds.features.LabeledImage, labels=list(plan.label_names))
        features[name] = kind(shape=shape if len(shape) == 3 else (*shape, 1), encoding_format="png")
    return features


def _metadata(plan: Plan, shards: Mapping[str, Sequence[Shard]]) -> dict[str, Any]:
    """What readers of the toolkit want to know besides."""
    digests = {
        split: split_digest([bytes.fromhex(digest) for shard in written for digest in shard.digests])
        for split, written in shards.items()
    }
    return {
        "format": prepared.FORMAT,
        "membership": plan.membership(),
        "split": plan.split.name,
        "split_digest": plan.split.digest,
        "digests": digests,
        "arrays": {name: list(shape) for name, shape in plan.arrays.items()},
        **({"least_side": plan.least_side} if plan.least_side else {}),
        "label_names": list(plan.label_names),
        "flip_pairs": [list(pair) for pair in plan.flip_pairs],
        "rules": plan.rules,
        "missing": list(plan.missing),
        "broken": [one.partition(" (")[0] for some in shards.values() for shard in some for one in shard.broken],
    }


def _verify(whole: Path, shards: Mapping[str, Sequence[Shard]]) -> None:
    """Reads counts, and the first and last record of each split, back from the disk."""
    dataset = prepared.load(whole)
    for split, written in shards.items():
        records, count = dataset.splits[split], sum(len(shard.digests) for shard in written)
        if len(records) != count:
            raise UserError(f"{whole}: {split} has {len(records)} records, but {count} were written; run it again")
        _check_holes(split, records)
        for record in (records[0], records[count - 1]):
            for name, shape in dataset.shapes.items():
                if any(side not in (None, got) for side, got in zip(shape, record[name].shape)):
                    raise UserError(f"{whole}: {name} came back as {record[name].shape}, not {shape}; run it again")


def verify(folder: Path) -> dict[str, int]:
    """The number of records in each split, once names and pixels are known to be those that were built.

    UserError where there is no such dataset, or a split is another one.
    """
    dataset = prepared.load(folder)
    counts = {}
    for split, records in dataset.splits.items():
        rows = progress_bar(range(len(records)), desc=split, unit="image", mininterval=0.5)
        try:
            digest = split_digest([_digest(records[row], dataset.shapes) for row in rows])
        except UNREADABLE as error:
            raise UserError(f"{folder}: {split} cannot be read ({error}); remove it and build it again") from error
        if digest != dataset.digests[split]:
            raise UserError(
                f"{folder}: {split} is not what was built (hash {digest[:12]}); remove it and build it again"
            )
        _check_holes(f"{folder}: {split}", records)
        counts[split] = len(records)
    return counts


def _check_holes(split: str, records: Sequence[Record]) -> None:
    """Refuses masks none of which has a hole to fill, or none a known pixel; reads no more than it takes to know."""
    for value, what in ((True, "a hole"), (False, "a known pixel")):
        if "hole" in records[0] and not any(((record["hole"] > 0) == value).any() for record in records):
            raise UserError(
                f"{split}: none of {len(records):,} masks has {what}; look at them: scan_jax prepare inspect"
            )


def _digest(record: Record, shapes: Mapping[str, tuple[int | None, ...]]) -> bytes:
    arrays = {name: record[name].reshape(record[name].shape[: len(shape)]) for name, shape in shapes.items()}
    return record_digest(record["name"].decode(), arrays)
