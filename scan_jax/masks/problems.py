"""What mask files tell of themselves, and what can be wrong with a set: one sentence for each, with what to do."""

from __future__ import annotations

import hashlib
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from scan_jax.core.errors import counted
from scan_jax.images.decode import DECODE_ERRORS, SUFFIXES, reason
from scan_jax.images.hole import NO_MASK, binarise, grey_share, read_grey, resize_nearest
from scan_jax.images.pairs import Pairing, list_images, named_as_mask
from scan_jax.masks.frozen_set import INDEX, MANIFEST

MUCH_GREY = 0.001  # of all pixels
ARRAYS = (".npy", ".npz", ".mat", ".json")  # what people keep masks in that are no images


class MaskFile(NamedTuple):
    """A file that could be read; shares are of its pixels."""

    file: Path  # where it lies
    height: int  # in pixels
    width: int  # in pixels
    white: float  # share above 127
    above_zero: float  # share above 0, which other programs take for white
    grey: float  # share that is neither 0 nor 255
    clearly_grey: float  # share that is further from both than JPEG leaves it
    frame: float  # share of white among the outermost pixels
    white_pieces: int  # connected white regions
    black_pieces: int  # connected black regions
    pixels: str  # a hash of size and brightness: the same, the same picture

    @property
    def has_both(self) -> bool:
        """Neither all white nor all black."""
        return 0.0 < self.white < 1.0

    def ratio(self, hole_color: str) -> float:
        """The hole's share where its colour is "white" or "black"."""
        return self.white if hole_color == "white" else 1.0 - self.white


class Unreadable(NamedTuple):
    """A file that could not be read, and why, in one line."""

    file: Path
    reason: str


def measure(file: Path) -> MaskFile | Unreadable:
    """Reads one file."""
    try:
        grey = read_grey(file)  # [H,W]
    except DECODE_ERRORS as error:
        return Unreadable(file, reason(error))
    white = binarise(grey)  # [H,W]
    small = binarise(resize_nearest(grey, 128)).astype(np.uint8)  # so that specks are no pieces
    height, width = grey.shape
    return MaskFile(
        file=file,
        height=height,
        width=width,
        white=np.count_nonzero(white) / white.size,
        above_zero=cv2.countNonZero(grey) / grey.size,
        grey=np.count_nonzero((grey != 0) & (grey != 255)) / grey.size,
        clearly_grey=grey_share(grey),
        frame=float(np.concatenate([white[0], white[-1], white[1:-1, 0], white[1:-1, -1]]).mean()),
        white_pieces=cv2.connectedComponents(small)[0] - 1,
        black_pieces=cv2.connectedComponents(1 - small)[0] - 1,
        pixels=hashlib.sha256(f"{height} {width} ".encode() + np.ascontiguousarray(grey).tobytes()).hexdigest(),
    )


def unreadable(files: Sequence[Unreadable], total: int) -> Iterable[str]:
    """Files that are missing, cut short or no images."""
    if files:
        example = f"{files[0].file.name} ({files[0].reason})"
        yield f"{len(files)} of {total} files cannot be read, such as {example}; put them right or remove them"


def pixels(files: Sequence[MaskFile], hole_color: str, guess: Polarity) -> Iterable[str]:
    """Masks of one colour, a polarity that looks like the other one, more than a trace of grey, and what is no mask."""
    for share, color in ((1.0, "white"), (0.0, "black")):
        if count := sum(file.white == share for file in files):
            what = "nothing but hole and no pixel known" if color == hole_color else "without a hole to fill"
            yield f"{counted(count, *_of(files, 'is', 'are'))} all {color}, {what}; remove them"
    if guess.hole and guess.hole != hole_color:
        yield (
            f"the masks look inverted: {hole_color} is taken for hole, but {guess.hole} looks like it "
            f"(white takes {guess.white:.0%} on average); set hole_color={guess.hole}"
        )
    share = _grey_share(files)
    if (clearly := _clearly_grey(files)) > NO_MASK:
        yield (
            f"{clearly:.0%} of the pixels are greys or colours: these look like photographs or label maps; give the "
            "folder of the masks alone"
        )
    elif share > MUCH_GREY:
        yield (
            f"{share:.2%} of the pixels are neither black nor white, as JPEG or smooth resizing leaves them, and "
            "programs that cut elsewhere than at 127 see other holes; save the masks as black and white PNGs"
        )


def grey_text(files: Sequence[MaskFile]) -> str:
    """The share of intermediate grey, and what it does to the ratio."""
    share = _grey_share(files)
    if share == 0.0:
        return "grey: none, all pixels are 0 or 255"
    shifts = [file.above_zero - file.white for file in files]
    return (
        f"{'GREY' if share > MUCH_GREY else 'grey'}: {share:.2%} of the pixels are neither 0 nor 255; cut at >0 "
        f"instead of >127, white takes {statistics.fmean(shifts):.2%} more of an image on average, "
        f"{max(shifts):.2%} at most"
    )


def duplicates(files: Sequence[MaskFile]) -> int:
    """How many files have the same pixels as an earlier one."""
    return len(files) - len({file.pixels for file in files})


def repeated(files: Sequence[MaskFile]) -> Iterable[str]:
    """Files with the same pixels; those of one colour have their own problem."""
    files = [file for file in files if file.has_both]
    count = duplicates(files)
    if count:
        name = Counter(file.pixels for file in files).most_common(1)[0][0]
        first, second = [file.file.name for file in files if file.pixels == name][:2]
        yield (
            f"{counted(count, *_of(files, 'repeats', 'repeat'))} the pixels of an earlier one, such as {first} and "
            f"{second}; remove them, or they count double"
        )


def other_kinds(folder: Path, masks: Sequence[Path], photographs: Path | None) -> Iterable[str]:
    """Files that look like masks of a kind that is not read."""
    if photographs is not None and photographs.is_dir() and photographs.samefile(folder):
        return
    known = set(masks)
    others = list_images(folder, suffixes=(*SUFFIXES, *ARRAYS)).values()
    kinds = Counter(file.suffix.lower() for file in others if file not in known and file.name != MANIFEST)
    for kind in ARRAYS:
        if kinds[kind]:
            yield f"{counted(kinds[kind], f'{kind} file is', f'{kind} files are')} not read as masks; save them as PNGs"
    unlisted = sum(kinds[kind] for kind in SUFFIXES)
    if unlisted:
        names = counted(unlisted, "image is", "images are")
        yield f"{names} not in {INDEX}, which names the masks; add them to it, or remove it"


def mixed(files: Sequence[Path], pairs: Pairing | None) -> Iterable[str]:
    """Photographs among their masks, in the layout NAME.png with NAME_mask001.png."""
    masks = sum(bool(named_as_mask(file.stem)) for file in files)
    if pairs is None and 0 < masks < len(files):
        yield (
            f"{counted(masks, *_of(files, 'is', 'are'))} called NAME_mask*, the others may be their photographs: "
            "give the same folder as photographs, too, and move the masks to a folder of their own before training"
        )


def unmatched(pairs: Pairing | None) -> Iterable[str]:
    """Masks and photographs that have no partner."""
    if pairs is None:
        return
    if not pairs.photograph_of:
        yield (
            f"no mask has a photograph's name (NAME.*, or NAME_mask001.*; {pairs.masks_alone[0].name} and "
            f"{pairs.photographs_alone[0].name} are the first); rename them, unless any mask may go with any photograph"
        )
        return
    if pairs.masks_alone:
        names = counted(len(pairs.masks_alone), "mask has no photograph", "masks have no photograph")
        stem = pairs.masks_alone[0].stem
        yield f"{names}, such as {pairs.masks_alone[0].name}; add {named_as_mask(stem) or stem}.*, or remove them"
    if pairs.photographs_alone:
        first = pairs.photographs_alone[0]
        yield (
            f"{counted(len(pairs.photographs_alone), 'photograph has', 'photographs have')} no mask, such as "
            f"{first.name}; add {first.stem}.png or {first.stem}_mask.png, or remove them"
        )


def _of(files: Sequence[Any], is_word: str, are_word: str) -> tuple[str, str]:
    """What follows on one or more of these files."""
    return f"of {len(files)} files {is_word}", f"of {len(files)} files {are_word}"


def _grey_share(files: Sequence[MaskFile]) -> float:
    """Of all pixels of all files."""
    pixels = sum(file.height * file.width for file in files)
    return sum(file.grey * file.height * file.width for file in files) / pixels if pixels else 0.0


def _clearly_grey(files: Sequence[MaskFile]) -> float:
    """The mean share over the files."""
    return statistics.fmean(file.clearly_grey for file in files) if files else 0.0


class Polarity(NamedTuple):
    """A guess of which colour is the hole."""

    hole: str  # "white", "black", or "" where nobody can tell
    white: float  # mean share of white in the files that have both colours
    text: str  # the guess and its evidence, in a few lines


def guess_polarity(files: Sequence[MaskFile]) -> Polarity:
    """The polarity of a set from the files that have both colours."""
    if _clearly_grey(files) > NO_MASK:
        return Polarity("", 0.0, "polarity: cannot tell (most pixels are neither black nor white)")
    files = [file for file in files if file.has_both]
    if not files:
        return Polarity("", 0.0, "polarity: cannot tell (no file has both black and white)")
    mean = statistics.fmean
    white, frame = mean(file.white for file in files), mean(file.frame for file in files)
    hole = _rarer(white, frame)
    return Polarity(
        hole,
        white,
        f"polarity: {f'{hole} is hole' if hole else 'cannot tell'}\n"
        f"  white takes {white:.1%} on average, {frame:.1%} of the outermost pixels\n"
        f"  outermost pixels all black in {mean(file.frame == 0.0 for file in files):.0%} of the files, all white in "
        f"{mean(file.frame == 1.0 for file in files):.0%}\n"
        f"  connected regions in a file: {mean(file.white_pieces for file in files):.1f} white, "
        f"{mean(file.black_pieces for file in files):.1f} black",
    )


def _rarer(white: float, frame: float) -> str:
    """The colour that is rarer everywhere and on the frame, or clearly rarer everywhere and even on the frame."""
    for color, share, on_frame in (("white", white, frame), ("black", 1.0 - white, 1.0 - frame)):
        if (share < 0.5 and on_frame < 0.4) or (share < 0.45 and on_frame <= 0.6):
            return color
    return ""
