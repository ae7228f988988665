"""Whether photographs have the labels that a method wants."""

from __future__ import annotations

from scan_jax.core.errors import UserError
from scan_jax.data.api import DataSplits, Photo, PhotoSource


def agree_on_labels(splits: DataSplits, num_labels: int) -> DataSplits:
    """The photographs as a method wants them: with labels of `num_labels` classes, or for 0 without any.

    Raises:
      UserError: the photographs have no labels, or another number of classes.
    """
    if num_labels == 0:
        return DataSplits(without_labels(splits.train), without_labels(splits.held_out))
    for source in (splits.train, splits.held_out):
        if source.num_labels == 0:
            raise UserError(
                f"the method needs labels of {num_labels} classes, but {source.name} has none; choose "
                "--config.data.name=labelled_folder (photographs with label maps) or synthetic_portraits"
            )
        if source.num_labels != num_labels:
            raise UserError(
                f"config.method.num_labels is {num_labels}, but {source.name} has {source.num_labels} classes; "
                "make them equal"
            )
    return splits


def without_labels(source: PhotoSource) -> PhotoSource:
    """The same photographs, digest included, for those who have no use for labels."""
    return _WithoutLabels(source) if source.num_labels else source


class _WithoutLabels:
    """A `PhotoSource` that hides another's labels."""

    flip_pairs: tuple[tuple[int, int], ...] = ()
    num_labels = 0

    def __init__(self, source: PhotoSource) -> None:
        self._source = source
        self.name, self.digest = source.name, source.digest

    def __len__(self) -> int:
        return len(self._source)

    def title(self, index: int) -> str:
        """As the other source calls it."""
        return self._source.title(index)

    def __getitem__(self, index: int) -> Photo:
        """Photograph `index`, "image" alone."""
        return {"image": self._source[index]["image"]}
