"""What the page accepts: how large an image may be, of which kind, how many may wait; and how it says no."""

from __future__ import annotations

import dataclasses
import html
import os
from pathlib import Path

from scan_jax.core.errors import UserError

MOST_SEED = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Limits:
    """Of one page.

    Attributes:
      pixels: of an uploaded image.
      megabytes: of an uploaded file.
      queue: requests that may wait.
      minutes: how long uploads and results lie in the temporary folder.
    """

    pixels: int = 25_000_000
    megabytes: int = 50
    queue: int = 100
    minutes: int = 360

    def check(self) -> None:
        """Refuses limits that let nothing through.

        Raises:
          UserError: one is not positive; it names the first.
        """
        flags = {"max_pixels": self.pixels, "max_megabytes": self.megabytes}
        for name, value in {**flags, "queue": self.queue, "keep_minutes": self.minutes}.items():
            if value < 1:
                raise UserError(f"--{name} must be at least 1, not {value}")


def check_image(path: str, name: str, limits: Limits) -> None:
    """Looks at an uploaded file's header, before anything is decoded.

    Args:
      path: of the file.
      name: what it is, such as "the photograph".
      limits: the page's.

    Raises:
      UserError: it is gone, no image, an empty, an animated or too large a one.
    """
    from scan_jax.images.decode import open_image  # `--help` reads this module, too

    if not Path(path).is_file():
        raise UserError(f"{name} {path} is no longer here: uploads are kept for a while only; upload it again")
    with open_image(path, name, limits.pixels):
        pass


def check_seed(value: float | None) -> int:
    """A seed as the page's number field hands it over.

    Raises:
      UserError: it is not a whole number that fits.
    """
    if value is None or value != int(value) or not 0 <= value <= MOST_SEED:
        raise UserError(f"the seed is a whole number from 0 to {MOST_SEED}")
    return int(value)


def shown(error: UserError | str, *paths: str | os.PathLike[str] | None) -> str:
    """A message as HTML: files by the name that the person knows them by, everything else escaped."""
    text = str(error)
    for path in paths:
        if not path:
            continue
        text = text.replace(os.fspath(path), Path(path).name)
    return html.escape(text)
