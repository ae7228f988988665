"""Fills the hole of a photograph of any size; the one way to do it, for commands, notebooks and tests alike."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import cv2
import numpy as np

from scan_jax.core.config import did_you_mean
from scan_jax.core.distributed import keep_compilations
from scan_jax.core.errors import UserError
from scan_jax.core.types import Observation, require_32_bits
from scan_jax.images.decode import Source
from scan_jax.images.palette import part_names
from scan_jax.inference import kept
from scan_jax.inference.engine import Engine, predict_each
from scan_jax.inference.grain import add_grain
from scan_jax.inference.request import Blend, FillOptions, Request, interpolate, pick_styles
from scan_jax.inference.texture import add_texture
from scan_jax.inference.tiling import NetworkInput, Strategy, Tiles
from scan_jax.inference.trained import Trained, split
from scan_jax.inference.ways import WAYS, meet_border
from scan_jax.methods.api import Method, Styles, Update, Variables

log = logging.getLogger(__name__)
PACKAGED = {"open": Path(__file__).parents[1] / "weights" / "open"}  # bundles that come with the package
DEFAULT_MODEL = "open"
LARGE_HOLE = 0.6  # of the photograph; beyond it, black is more often the hole than white


class Inpainter:
    """A trained method, ready to fill holes.

    Attributes:
      size: the short side in pixels at which the network was trained, and at which larger photographs are filled; 0
        where there is no network, and all are filled at their own size.
      step: updates that the network had seen.
      num_labels: classes of the label map that it wants; 0 where it takes none.
      about: which one it is, for programs.
    """

    def __init__(
        self,
        method: Method,
        variables: Variables,
        *,
        size: int,
        step: int = 0,
        about: Mapping[str, Any] | None = None,
        any_scale: bool = False,
        place: Path | None = None,
    ) -> None:
        """From parts; `Inpainter.load` finds them in a run folder.

        `any_scale` says that the network was trained on details of photographs as well as on whole ones, so that
        windows are the better strategy at every size. `place` is where what was traced is kept (`kept.place_of`).
        """
        self.size, self.step, self.num_labels, self._any_scale = size, step, method.num_labels, any_scale
        self.about = dict(about or {})
        self._engine, self._stride = Engine(method, variables, place=place), method.stride

    @classmethod
    def load(cls, run: str | os.PathLike[str] = DEFAULT_MODEL) -> Inpainter:
        """The newest whole checkpoint of a run folder, with the generator's moving average; or a bundle.

        What is compiled is kept in the user's cache folder from then on, unless JAX has been told of another place.

        Args:
          run: its folder; or a model that comes with the package: "open", or "harmonic", "biharmonic", "navier_stokes",
            "telea", "patchmatch", which fill without one. A folder of such a name is `Path("open")` or "./open".

        Raises:
          UserError: there is no such folder, nothing in it can be read, or its config describes another network.
        """
        keep_compilations()
        if isinstance(run, str) and run in WAYS:
            return Untrained(run)
        folder = PACKAGED.get(run) if isinstance(run, str) else None
        if folder is None and not split(Path(run))[0].is_dir():
            names = (*PACKAGED, *WAYS)
            near = did_you_mean(str(run), names)
            raise UserError(
                f"there is no run folder {run}{near}; give the --workdir of a training run, or a model that comes with "
                f"the package: {', '.join(names)}"
            )
        trained = Trained.load(folder or Path(run))
        about = {
            "method": trained.config["method"]["name"],
            "step": trained.step,
            "size": trained.size,
            "parameters": trained.identity,
            "data": trained.config["data"].get("dataset") or trained.config["data"].get("name", ""),
        }
        any_scale = trained.config.get("augmentation", {}).get("crop") == "random_square"
        place = kept.place_of(type(trained.method), trained.config["method"])
        given = {"size": trained.size, "step": trained.step, "about": about, "any_scale": any_scale, "place": place}
        return cls(trained.method, trained.variables, **given)

    def __call__(
        self,
        image: Source,
        hole: Source | None = None,
        labels: Source | None = None,
        options: FillOptions | None = None,
        **changes: Any,
    ) -> np.ndarray:
        """Fills the hole and touches nothing else.

        Args:
          image: a path, Pillow image or array, of any size; what it holds in the hole makes no difference.
          hole: the same size; white, True or 1 is the hole. None where the photograph brings it: `hole_from="alpha"`.
          labels: the same size; integer classes [H,W], or a picture whose pixel values are the classes. Needed where
            `num_labels` is not 0; a class may be absent, or lie in the hole alone. An edited map fills the hole with
            what it says.
          options: how; the defaults of `FillOptions` without any.
          changes: single options by their names, such as `seed=3`, `strategy="windows"`, `refine="style_search"`.

        Returns:
          uint8 RGB [H,W,3], upright; every known pixel is the photograph's own, transparent ones on white.

        Raises:
          UserError: a file that cannot be read, sizes that differ, labels that are missing or above the class count, or
            something that this method cannot do.
        """
        options = dataclasses.replace(options or FillOptions(), **changes)
        _check_given(hole, options)
        return self.fill([self.plan(Request.open(image, hole, labels, options=options), options)], options)[0]

    def batch(
        self,
        images: Sequence[Source],
        holes: Sequence[Source] | None = None,
        labels: Sequence[Source] | None = None,
        options: FillOptions | None = None,
        **changes: Any,
    ) -> Iterator[np.ndarray]:
        """Fills photographs of any sizes, those of similar size together; no result depends on the others.

        Args:
          images: as in filling one, like all others; read as they are needed.
          holes: one for each; None where the photographs bring them, as in filling one.
          labels: one for each, where the method wants them.
          options: how, the same for each; 8 photographs are in memory at a time where none are given.
          changes: single options by their names, such as `batch_size=4`.

        Yields:
          uint8 RGB [H,W,3] of each, in order.

        Raises:
          UserError: numbers that differ, or what filling one refuses.
        """
        options = dataclasses.replace(options or FillOptions(batch_size=8), **changes)
        _check_given(holes, options)
        given = {"photographs": images, "holes": holes, "label maps": labels}
        counts = {name: len(pictures) for name, pictures in given.items() if pictures is not None}
        if len(set(counts.values())) > 1:
            raise UserError(f"{', '.join(f'{count} {name}' for name, count in counts.items())}: give one of each")
        options = self.with_styles(options)
        files = zip(images, *(itertools.repeat(None) if some is None else some for some in (holes, labels)))
        while chunk := list(itertools.islice(files, options.batch_size)):
            requests = [Request.open(*each, options=options) for each in chunk]
            yield from self.fill([self.plan(request, options) for request in requests], options)

    def plan(self, request: Request, options: FillOptions) -> Tiles:
        """Where the network is to look to fill a photograph.

        Raises:
          UserError: labels that are missing, of another size or above the class count.
        """
        labels = request.labels_for(self.num_labels)
        _warn_of_unusual_holes(request.hole, request.known)
        tiles = self._tiles(request, labels, options.strategy)
        log.debug("looked at: %s", tiles.strategy)
        return tiles

    def fill(self, tiles: Sequence[Tiles], options: FillOptions) -> list[np.ndarray]:
        """Fills photographs as `plan` returned them, those of similar size together.

        Returns:
          uint8 RGB [H,W,3] of each, in order.

        Raises:
          UserError: something that this method cannot do.
        """
        require_32_bits()
        options = self.with_styles(options)
        if options.refine or options.styles:
            filled = [self._fill_alone(each, options) for each in tiles]
        else:
            filled = self._fill_together(tiles, options)
        if options.texture or options.grain:
            filled = [_with_detail(one, each, options) for one, each in zip(filled, tiles)]
        return filled

    def with_styles(self, options: FillOptions) -> FillOptions:
        """The same options with the styles of `style_from`, read once for many photographs.

        Raises:
          UserError: it cannot be read or shows no such part, or the method does not paint from styles.
        """
        if options.style_from is None:
            return options
        styles = pick_styles(self.styles(options.style_from, options.style_labels), options.style_parts)
        return dataclasses.replace(options, styles=styles, style_from=None, style_labels=None)

    def styles(self, image: Source, labels: Source | None, hole: Source | None = None) -> dict[str, np.ndarray]:
        """What every part of a photograph would be painted from; plain vectors, so a weighted mean lies in between.

        Args:
          image: as in filling.
          labels: its label map.
          hole: what is not to be read; None reads all.

        Returns:
          By the name of each class that occurs ("hair", or its number where classes have no names), float32 [S].

        Raises:
          UserError: a file that cannot be read, sizes that differ, or a method that does not paint from styles.
        """
        request = Request.open(image, hole, labels)
        return self._read_styles(request.photograph.pixels, request.known, request.labels_for(self.num_labels))

    def attention(
        self, image: Source, hole: Source, labels: Source | None, points: np.ndarray
    ) -> Mapping[str, np.ndarray]:
        """What hole pixels attend to (masked attention, Fig. 4).

        Args:
          image: as in filling, like `hole` and `labels`.
          hole: where the points lie.
          labels: the label map where the method wants one.
          points: (row, column) of hole pixels, int [P,2].

        Returns:
          By the map's name, float32 [P,H,W]: the weight of every pixel, from low to high.

        Raises:
          UserError: a point outside the hole, a method without attention, or what filling would refuse.
        """
        request = Request.open(image, hole, labels)
        holes, classes = request.hole, request.labels_for(self.num_labels)  # [H,W] both
        for row, column in points:
            if not (0 <= row < holes.shape[0] and 0 <= column < holes.shape[1] and holes[row, column]):
                raise UserError(f"pixel ({column}, {row}) is not in the hole; attention is shown from hole pixels")
        whole = NetworkInput.of(request.photograph.pixels, request.known, classes, self.size, self._stride)
        maps = self._engine.look(whole.observation, whole.inward(points)[None])  # each [1,P,h',w']
        return {name: whole.outward(weights[0]) for name, weights in maps.items()}

    def _tiles(self, request: Request, labels: np.ndarray | None, strategy: Strategy) -> Tiles:
        square = strategy == "auto" and self._any_scale and labels is None
        if square:
            strategy = "windows"
        tiles = Tiles.of(request.photograph.pixels, request.hole, labels, self.size, strategy)
        return dataclasses.replace(tiles, unseen=request.unseen, square=square)

    def _fill_together(self, tiles: Sequence[Tiles], options: FillOptions) -> list[np.ndarray]:
        """All windows of a turn of all photographs, those of one shape together."""

        def predict(seen: Sequence[Observation]) -> Iterator[np.ndarray]:
            return iter(predict_each(seen, lambda batch: self._engine.predict(batch, options.seed), options.batch_size))

        return self._fill_in_turns(tiles, predict, options.blend)

    def _fill_alone(self, tiles: Tiles, options: FillOptions) -> np.ndarray:
        """Refined, or painted from given styles."""
        styles = options.styles
        if styles and options.style_amount != 1:
            own = self._read_styles(tiles.pixels, ~tiles.unknown, tiles.labels)
            styles = interpolate(own, styles, options.style_amount)

        def predict(seen: Observation) -> np.ndarray:  # [h',w',3]
            if styles:
                return np.asarray(self._engine.paint(seen, self._exchange(seen, styles), options.seed))[0]
            refined = self._engine.refine(str(options.refine), seen, options.seed, options.steps)
            return np.asarray(refined.prediction.image)[0]

        blend = "none" if styles and options.blend == "auto" else options.blend
        return self._fill_in_turns([tiles], lambda seen: map(predict, seen), blend)[0]

    def _fill_in_turns(
        self,
        tiles: Sequence[Tiles],
        predict: Callable[[Sequence[Observation]], Iterator[np.ndarray]],
        blend: Blend,
    ) -> list[np.ndarray]:
        """The filled photographs, uint8 [H,W,3]; `predict` answers to what is seen through windows, [h',w',3] each."""
        filled = [each.pixels.copy() for each in tiles]
        keep_known = blend == "none"
        for turn in range(max((len(each.layers) for each in tiles), default=0)):
            inputs = [list(each.network_inputs(turn, one, self.size, self._stride)) for each, one in zip(tiles, filled)]
            predictions = predict([one.observation for windows in inputs for one in windows])
            for each, one, windows in zip(tiles, filled, inputs):
                enlarged = (seen.enlarge(next(predictions), keep_known=keep_known) for seen in windows)
                each.write_hole(turn, one, enlarged, None if keep_known else meet_border)
        return filled

    def _read_styles(self, pixels: np.ndarray, known: np.ndarray, labels: np.ndarray | None) -> dict[str, np.ndarray]:
        """By the name of each class that occurs, from a photograph's known pixels."""
        seen = NetworkInput.of(pixels, known, labels, self.size, self._stride).observation
        styles = self._engine.read_styles(seen)[0]  # [L,S]
        present = np.unique(np.asarray(seen.labels))
        return {name: styles[k] for k, name in enumerate(part_names(self.num_labels)) if k in present}

    def _exchange(self, seen: Observation, styles: Mapping[str, np.ndarray]) -> np.ndarray:
        """The photograph's own styles [1,L,S] with those of `styles` in their place."""
        own = self._engine.read_styles(seen).copy()  # [1,L,S]
        names = part_names(self.num_labels)
        for part, style in styles.items():
            if part not in names:
                raise UserError(f"there is no part {part!r}{did_you_mean(part, names)}; there are: {', '.join(names)}")
            if np.shape(style) != own.shape[2:]:
                raise UserError(f"the style of {part!r} must be {own.shape[2:]}, not {np.shape(style)}")
            own[0, names.index(part)] = style
        return own


class Untrained(Inpainter):
    """One of `ways.WAYS`: any size, at the photograph's own resolution.

    Label maps are not used; styles, attention and optimisations are refused as by a network that lacks them; seed,
    strategy and blend make no difference.
    """

    def __init__(self, name: str) -> None:
        """By its name in `WAYS`."""
        self._way = WAYS[name]
        self._way.check_installed()
        about = {"method": name, "computed by": ", ".join(self._way.computed_by)}
        super().__init__(_NoNetwork(), Variables({}, {}), size=0, about=about)
        log.info("%s: no network (%s)", name, about["computed by"])

    def _tiles(self, request: Request, labels: np.ndarray | None, strategy: Strategy) -> Tiles:
        return self._way.look(request.photograph.pixels, request.hole, request.unseen)

    def _fill_together(self, tiles: Sequence[Tiles], options: FillOptions) -> list[np.ndarray]:
        return self._way.fill(tiles, options.batch_size)


class _NoNetwork:
    """A method that has nothing which a network may have; what is asked of it is refused where every method's is."""

    networks: Mapping[str, Any] = {}
    updates: tuple[Update, ...] = ()
    stride, least_size, num_labels = 1, 1, 0
    refiners: Mapping[str, Any] = {}
    maps: Mapping[str, Any] = {}
    styles: Styles | None = None

    def init(self, *_: Any) -> NoReturn:
        """There is nothing to begin with."""
        raise NotImplementedError("an equation has no variables")

    load_frozen = frozen_shapes = predict = init


def _with_detail(filled: np.ndarray, tiles: Tiles, options: FillOptions) -> np.ndarray:
    """A filled photograph, uint8 [H,W,3], with texture and grain in its hole as the options say."""
    unseen = tiles.unseen
    detailed = filled if unseen is None or unseen.all() else _continued(filled, unseen)
    if options.texture:
        detailed = add_texture(detailed, tiles.hole, unseen)
    if options.grain:
        detailed = add_grain(detailed, tiles.hole, options.seed, unseen)
    return detailed if unseen is None else np.where(tiles.hole[..., None], detailed, filled)


def _continued(image: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """uint8 [H,W,3] with the nearest pixel that is seen, or filled, in place of each that is not: bool [H,W]."""
    label = cv2.DIST_LABEL_PIXEL
    _, nearest = cv2.distanceTransformWithLabels(unseen.astype(np.uint8), cv2.DIST_L2, 5, labelType=label)  # [H,W]
    colours = np.zeros((int(nearest.max()) + 1, 3), np.uint8)
    colours[nearest[~unseen]] = image[~unseen]
    return colours[nearest]


def _check_given(hole: object, options: FillOptions) -> None:
    if hole is None and not options.hole_from:
        raise UserError('give the hole, or say where in the photograph it is: hole_from="alpha", or a colour')


def _warn_of_unusual_holes(hole: np.ndarray, known: np.ndarray) -> None:
    share = float(hole.mean())
    if share == 0.0:
        log.warning("there is no hole: the photograph is returned as it is")
    elif share == 1.0:
        log.warning("the whole photograph is hole: everything in the answer is invented")
    elif not known.any():
        log.warning("all that is not hole is transparent: everything in the answer is invented")
    elif share > LARGE_HOLE:
        log.warning("the hole takes %.0f%% of the photograph; white is the hole, is it painted in black?", 100 * share)
