"""Which colour of a mask set is the hole: a guess, with its evidence.

The sets of the field have holes of at most 60% that grow from the inside: over a whole set, the hole's colour is the
rarer one, and the rarer one still on the outermost pixels. Where the two do not agree (frames for outpainting, halves),
nobody can tell from the files.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence

from scan_jax.masks.mask_file import MaskFile

RARE = 0.45  # a mean share below which a colour is clearly the rarer one
RARE_ON_FRAME = 0.4  # likewise of the outermost pixels


@dataclasses.dataclass(frozen=True)
class Polarity:
    """The guess and what it rests on; means over the files that have both colours.

    Attributes:
      hole: "white", "black", or "" where nobody can tell.
      files: with both colours.
      white: mean share of white.
      frame: mean share of white among the outermost pixels.
      no_white_on_frame: share of files whose outermost pixels are all black.
      no_black_on_frame: share of files whose outermost pixels are all white.
      white_pieces: mean number of connected white regions.
      black_pieces: mean number of connected black regions.
    """

    hole: str
    files: int
    white: float = 0.0
    frame: float = 0.0
    no_white_on_frame: float = 0.0
    no_black_on_frame: float = 0.0
    white_pieces: float = 0.0
    black_pieces: float = 0.0

    def text(self) -> str:
        """The guess and its evidence, in a few lines."""
        if not self.files:
            return "polarity: cannot tell (no file has both black and white)"
        return (
            f"polarity: {f'{self.hole} is hole' if self.hole else 'cannot tell'}\n"
            f"  white takes {self.white:.1%} on average, {self.frame:.1%} of the outermost pixels\n"
            f"  outermost pixels all black in {self.no_white_on_frame:.0%} of the files, all white in "
            f"{self.no_black_on_frame:.0%}\n"
            f"  connected regions in a file: {self.white_pieces:.1f} white, {self.black_pieces:.1f} black"
        )


def guess(files: Sequence[MaskFile]) -> Polarity:
    """The polarity of a set from the files that have both colours."""
    telling = [file for file in files if file.has_both]
    if not telling:
        return Polarity("", 0)
    white = statistics.fmean(file.white for file in telling)
    frame = statistics.fmean(file.frame for file in telling)
    return Polarity(
        hole=_rarer(white, frame),
        files=len(telling),
        white=white,
        frame=frame,
        no_white_on_frame=statistics.fmean(file.frame == 0.0 for file in telling),
        no_black_on_frame=statistics.fmean(file.frame == 1.0 for file in telling),
        white_pieces=statistics.fmean(file.white_pieces for file in telling),
        black_pieces=statistics.fmean(file.black_pieces for file in telling),
    )


def _rarer(white: float, frame: float) -> str:
    """The colour that is rarer everywhere and on the frame, or clearly rarer everywhere and even on the frame."""
    for color, share, on_frame in (("white", white, frame), ("black", 1.0 - white, 1.0 - frame)):
        if (share < 0.5 and on_frame < RARE_ON_FRAME) or (share < RARE and on_frame <= 1.0 - RARE_ON_FRAME):
            return color
    return ""
