"""Records made in parallel and written shard by shard into a staging folder, so that an interrupted build goes on."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from array_record.python import array_record_module
from tensorflow_datasets.proto import tf_example_pb2, tf_feature_pb2
from tqdm import tqdm

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.errors import UserError
from scan_jax.core.progress import progress_bar
from scan_jax.data.preparation.plan import Arrays, Item, Plan
from scan_jax.images.decode import DECODE_ERRORS, reason

RECORDS = 256  # in a shard: what an interruption loses at most, 25 MB of photographs at 256x256
HANDFUL = 32  # records made at a time: threads that hand over each one spend half of the time on that
AHEAD = 2  # handfuls in the making for each worker
NAMED = 50  # broken files beyond those allowed after which the rest is not looked at


@dataclasses.dataclass(frozen=True)
class Shard:
    """A written shard."""

    path: Path  # an ArrayRecord file
    digests: tuple[str, ...]  # SHA-256 (hex) of its records, in order
    broken: tuple[str, ...]  # those that did not decode, as "name (reason)"
    bytes: int  # of all records


_Made = tuple[bytes, str, str]  # a record and its digest, or why there is none


def make_shards(plan: Plan, staging: Path, jobs: int) -> dict[str, list[Shard]]:
    """Every shard of every split, those of an earlier start in `staging`, a folder for this plan alone, included.

    UserError where too many files are broken, one must not be tolerated, or the disk is full.
    """
    shards: dict[str, list[Shard]] = {split: [] for split in plan.splits}
    broken: list[str] = []
    total = sum(map(len, plan.splits.values()))
    bar = progress_bar(total=total, desc=plan.dataset, unit="image", mininterval=0.5)
    with ThreadPoolExecutor(jobs) as pool, bar:
        for split, path, items in _pieces(plan, staging):
            shard = _finished(path)
            if shard is None:
                shard = _write(path, _in_order(pool, items, AHEAD * jobs, bar))
            else:
                bar.update(len(items))
            shards[split].append(shard)
            broken.extend(shard.broken)
            _check_broken(broken, plan, NAMED)
    _check_broken(broken, plan, 0)
    empty = [split for split, written in shards.items() if not any(shard.digests for shard in written)]
    if empty:
        raise UserError(f"{plan.dataset}: no photographs for {', '.join(empty)} that decode: {'; '.join(broken[:3])}")
    return shards


def _pieces(plan: Plan, staging: Path) -> Iterator[tuple[str, Path, Sequence[Item]]]:
    """Split, path and items of each shard."""
    for split, items in plan.splits.items():
        for number, start in enumerate(range(0, len(items), RECORDS)):
            yield split, staging / f"{split}-{number:05d}.array_record", items[start : start + RECORDS]


def _check_broken(broken: Sequence[str], plan: Plan, patience: int) -> None:
    """Refuses more broken files than are allowed, once there are `patience` more."""
    allowed = plan.allow_missing - len(plan.missing)
    if len(broken) > allowed + patience:
        raise UserError(
            f"{plan.dataset}: {len(broken)} file{'s do' if len(broken) > 1 else ' does'} not decode: "
            f"{'; '.join(broken[:10])}"
            f"{f' and {len(broken) - 10} more' if len(broken) > 10 else ''}; replace them, or do without them: "
            f"--allow_missing={len(plan.missing) + len(broken)}"
        )


def _in_order(pool: Executor, items: Sequence[Item], ahead: int, bar: tqdm) -> Iterator[_Made]:
    """Every item made, in order, at most `ahead` handfuls at a time, since records take room; counted on the bar."""
    waiting: collections.deque[Future[list[_Made]]] = collections.deque()
    handfuls = [items[start : start + HANDFUL] for start in range(0, len(items), HANDFUL)]
    try:
        for number in range(len(handfuls) + ahead - 1):
            if number < len(handfuls):
                waiting.append(pool.submit(lambda some: list(map(_make, some)), handfuls[number]))
            if number >= ahead - 1:
                for made in waiting.popleft().result():
                    bar.update()
                    yield made
    finally:
        for future in waiting:
            future.cancel()


def _make(item: Item) -> _Made:
    try:
        arrays = item.make()
    except DECODE_ERRORS as error:
        return b"", "", f"{item.name} ({reason(error)})"
    return encode_record(item.name, arrays), record_digest(item.name, arrays).hex(), ""


def _write(path: Path, made: Iterator[_Made]) -> Shard:
    """Writes a shard; its JSON file, the last, says that it is whole."""
    unfinished = path.with_suffix(".unfinished")
    digests, broken, size = [], [], 0
    try:
        # Photographs do not compress further, and groups of one are found fastest.
        writer = array_record_module.ArrayRecordWriter(os.fspath(unfinished), "group_size:1,uncompressed")
        for record, digest, why in made:
            if why:
                broken.append(why)
                continue
            writer.write(record)
            digests.append(digest)
            size += len(record)
        writer.close()
        unfinished.replace(path)
    except (OSError, RuntimeError) as error:
        raise UserError(f"cannot write {path}: {' '.join(str(error).split())}; make room and run it again") from error
    shard = Shard(path, tuple(digests), tuple(broken), size)
    summary = {**dataclasses.asdict(shard), "path": path.name, "file_bytes": path.stat().st_size}
    write_atomically(path.with_suffix(".json"), json.dumps(summary).encode())
    return shard


def _finished(path: Path) -> Shard | None:
    """The shard that an earlier start finished, if it did."""
    try:
        summary = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        whole = summary["file_bytes"] == path.stat().st_size
        return Shard(path, tuple(summary["digests"]), tuple(summary["broken"]), summary["bytes"]) if whole else None
    except (OSError, ValueError, KeyError):
        return None


# Photographs hold no repetitions worth looking for: half the bytes in the time that it takes to store them all.
_PHOTOGRAPH = (
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY),
)
_MAP = (
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT),
    *(cv2.IMWRITE_PNG_COMPRESSION, 6),
)


def encode_record(name: str, arrays: Arrays) -> bytes:
    """A record as TFDS reads it: a tf.train.Example of the photograph's name and of PNG files; see `encode_png`."""
    values = {key: encode_png(array) for key, array in arrays.items()} | {"name": name.encode()}
    lists = {key: tf_feature_pb2.BytesList(value=[value]) for key, value in values.items()}
    features = {key: tf_feature_pb2.Feature(bytes_list=value) for key, value in lists.items()}
    example = tf_example_pb2.Example(features=tf_feature_pb2.Features(feature=features))
    # TFDS's own writer leaves the order of the map open, so that two builds differ.
    return example.SerializeToString(deterministic=True)


def encode_png(array: np.ndarray) -> bytes:
    """uint8 [H,W,3] (RGB) or [H,W] as a PNG file."""
    colours = array.ndim == 3
    pixels = cv2.cvtColor(array, cv2.COLOR_RGB2BGR) if colours else array
    encoded, data = cv2.imencode(".png", pixels, _PHOTOGRAPH if colours else _MAP)
    if not encoded:
        raise ValueError(f"OpenCV cannot write {array.dtype} {array.shape} as a PNG")
    return data.tobytes()


def record_digest(name: str, arrays: Arrays) -> bytes:
    """SHA-256 of a record's name and pixels, whatever encoder made files of them."""
    hasher = hashlib.sha256(name.encode())
    for key in sorted(arrays):
        array = np.ascontiguousarray(arrays[key])
        hasher.update(f"\n{key} {array.shape}\n".encode())
        hasher.update(array.data)
    return hasher.digest()


def split_digest(digests: list[bytes]) -> str:
    """SHA-256 (hex) of records in their order."""
    return hashlib.sha256(b"".join(digests)).hexdigest()
