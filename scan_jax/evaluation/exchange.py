"""A test as files, and what another program made of it: peers are measured by the same rules as our own networks.

TEST/10-20/images/00000.png     the photograph, white in the hole
TEST/10-20/holes/00000.png      white is the hole
TEST/10-20/labels/00000.png     classes, where the photographs have them
PREDICTIONS/10-20/00000.png     what the other program returned: a picture of that stem, in any format that is read
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.errors import UserError
from scan_jax.core.progress import progress_bar
from scan_jax.evaluation.benchmark import Batch, Benchmark, Row
from scan_jax.evaluation.entries import Entry, Pictures, compose, pad, slug
from scan_jax.evaluation.prediction_check import warn_of_mistakes
from scan_jax.images.decode import SUFFIXES, load_orientation, open_image, to_rgb, upright_samples
from scan_jax.images.pairs import list_images


def write_test(folder: Path, benchmark: Benchmark) -> None:
    """Every photograph of every bucket without its hole, the holes, labels where there are any, and `test.json`.

    UserError where there is something in the folder, or it cannot be written to.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty; choose a new folder, so that no other test's files lie in it")
    about = {**dataclasses.asdict(benchmark.conditions), "digest": benchmark.digest}
    write_atomically(folder / "test.json", (json.dumps(about, indent=1) + "\n").encode())
    for row in progress_bar(benchmark.rows(), desc="writing the test", unit="image", leave=False):
        batch, (bucket, stem) = benchmark.batch([row]), _place(row)
        hole = batch.holes[0]  # [S,S]
        white = np.uint8(255)
        images = {"images": np.where(hole[..., None], white, batch.photographs[0])}
        images["holes"] = np.where(hole, white, np.uint8(0))
        if batch.labels is not None:
            images["labels"] = batch.labels[0].astype(np.uint8)
        for kind, pixels in images.items():
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "PNG")
            write_atomically(folder / bucket / kind / f"{stem}.png", buffer.getvalue())


def from_predictions(folder: Path, benchmark: Benchmark) -> Entry:
    """The completions that lie in `folder`; what they show outside the hole counts for the raw prediction alone.

    UserError where there is no such folder, a row has two files, or predictions are missing, all listed or counted.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; give the one that the other program wrote its results to")
    files = _find_all(folder, benchmark)
    missing = ["/".join(_place(row)) + ".png" for row in benchmark.rows() if row not in files]
    if missing:
        some = ", ".join(missing[:3]) + (f" and {len(missing) - 3:,} more" if len(missing) > 3 else "")
        raise UserError(
            f"{len(missing):,} of {len(benchmark.rows()):,} predictions are missing in {folder}: {some}"
            + _others(folder, set(files.values()))
        )
    warn_of_mistakes(files, benchmark, lambda row: _read(files[row], (benchmark.size, benchmark.size)))

    def fill(batch: Batch) -> Pictures:
        images = [_read(files[row], batch.holes.shape[1:]) for row in batch.rows]
        return compose(batch, pad(images, len(batch.holes)))  # [B,S,S,3]

    hasher = hashlib.sha256()
    for path in files.values():
        hasher.update(hashlib.sha256(path.read_bytes()).digest())
    digest, name = hasher.hexdigest(), folder.resolve().name
    details = {"folder": str(folder), "content": digest[:12]}
    return Entry(name, slug(name), "predictions", fill, (digest,), details)


def _find_all(folder: Path, benchmark: Benchmark) -> dict[Row, Path]:
    """The file of every row that has one, in order, whatever the case of its suffix."""
    there: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.glob("*/*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            place = (path.parent.name, path.stem)
            if place in there:
                raise UserError(f"{there[place]} and {path.name} are both predictions of one image; keep one of them")
            there[place] = path
    return {row: there[_place(row)] for row in benchmark.rows() if _place(row) in there}


def _others(folder: Path, used: set[Path]) -> str:
    """What else there is, to tell a wrong name from a file that is not there."""
    names = [path.relative_to(folder).as_posix() for path in list_images(folder).values() if path not in used]
    if not names:
        return ""
    return f"; there are {len(names):,} pictures of other names, such as {names[0]}: name them as the test's images are"


def _read(path: Path, size: tuple[int, ...]) -> np.ndarray:
    """uint8 [S,S,3]."""
    with open_image(path, "the prediction") as image:
        if image.mode not in ("RGB", "RGBA", "L", "LA", "P", "1"):  # others would be cut to 8 bits without a word
            raise UserError(f"the prediction {path} has pixels of kind {image.mode}; write 8-bit RGB or grey")
        samples = upright_samples(image, load_orientation(image))
    if samples.shape[2] in (2, 4) and samples[..., -1].min() < 255:
        raise UserError(f"the prediction {path} is transparent in places; write RGB")
    pixels = to_rgb(samples)
    if pixels.shape[:2] != size:
        raise UserError(
            f"the prediction {path} is {pixels.shape[1]}x{pixels.shape[0]}, the photograph {size[1]}x{size[0]}; "
            "write predictions at the size of the test's images"
        )
    return pixels


def _place(row: Row) -> tuple[str, str]:
    """Folder and stem, such as "10-20" and "00000": a percent sign in a path is a trap."""
    return row.bucket.rstrip("%"), f"{row.index:05d}"
