"""What a method (one paper) is to the rest of the toolkit: networks, updates, a way to fill a hole.

The module of a method has `build(section)`, which returns a `Method`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import jax

from scan_jax.core import registry
from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.core.types import Array, Example, Observation, Prediction, require_32_bits

METHODS = {  # `config.method.name`
    "edge_connect": "scan_jax.methods.edge_connect",
    "gated_conv": "scan_jax.methods.gated_conv",
    "lama": "scan_jax.methods.lama",
    "masked_attention": "scan_jax.methods.masked_attention",
    "migan": "scan_jax.methods.migan",
    "partial_conv": "scan_jax.methods.partial_conv",
    "region_norm": "scan_jax.methods.region_norm",
    "rfr": "scan_jax.methods.rfr",
    "scan": "scan_jax.methods.scan",
}
GENERATOR = "generator"  # the network that fills holes; the only one with a moving average
Tree = Any  # a nested dict of arrays
Trees = Mapping[str, Tree]  # one tree for each network


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Variables:
    """A method's networks' arrays, by network name."""

    params: Trees  # what an optimiser changes
    stats: Trees  # what a forward pass changes (spectral vectors, running statistics); empty trees where there are none

    def of(self, name: str) -> dict[str, Tree]:
        """All collections of one network, as its `apply` takes them."""
        return {"params": self.params[name], **self.stats[name]}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Aux:
    """What an update's loss hands back beside its value."""

    terms: Mapping[str, Array]  # named scalars for the log, unweighted
    stats: Trees  # the networks' statistics after the update, only those that changed
    # Whatever the next update wants, such as the prediction, so that the generator runs once a step.
    carried: Any = None


# (params of the trained networks, params of all others and the frozen ones, stats, example, carried, rng) -> loss, Aux
UpdateLoss = Callable[[Trees, Trees, Trees, Example, Any, Array], tuple[Array, Aux]]


@dataclasses.dataclass(frozen=True)
class Update:
    """One optimiser update within a step: which networks it trains, on which loss."""

    name: str  # of its section in `config.training.optimizers`
    trains: tuple[str, ...]  # names of networks
    loss: UpdateLoss  # that is minimised
    phase: str = ""  # of the training in which steps take it, empty for all of it; see `config.training.phases`


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Refined:
    """What a refiner hands back."""

    prediction: Prediction  # with the refined filling
    objective: Array  # [T+1,B], of every image before each of T updates and after the last; lower is better


Progress = Callable[[Any], None]  # called with the number of every update that is done


class Refiner(Protocol):
    """An optimisation at test time; pure, and no image's result depends on its batch."""

    def __call__(
        self,
        variables: Variables,
        frozen: Trees,
        observation: Observation,
        rng: Array,
        *,
        steps: int | None = None,
        progress: Progress | None = None,
    ) -> Refined:
        """Fills the hole of every image of a batch.

        `frozen` is the method's `load_frozen()`; `rng` is of what it draws, the same for every sample. At most `steps`
        updates, None for what the config says; `progress` is called with the number of every update that is done.
        """
        ...


class Styles(Protocol):
    """The vectors that a method paints from, one a class, for those who want to exchange them."""

    def read(self, variables: Variables, observation: Observation) -> Array:
        """The styles of what is known: [B,L,S]."""
        ...

    def paint(self, variables: Variables, observation: Observation, styles: Array, rng: Array) -> Prediction:
        """Fills the hole with `styles` [B,L,S]; of the observation only the labels count, or with a prior all of it."""
        ...


# What pixels attend to, for pictures: (variables, observation, points (row, column) [B,P,2]) -> weights [B,P,H,W].
PixelMap = Callable[[Variables, Observation, Array], Array]


@runtime_checkable
class Method(Protocol):
    """One paper."""

    # The modules by name; the one called "generator" fills holes, and has an exponential moving average.
    networks: Mapping[str, Any]
    updates: tuple[Update, ...]  # in the order in which a step takes them
    stride: int  # height and width given to `predict` must be multiples of it
    # Classes of the labels that it is conditioned on, in training and in `predict`; 0 where it takes none.
    num_labels: int
    refiners: Mapping[str, Refiner]  # optimisations at test time, by name; empty for most
    maps: Mapping[str, PixelMap]  # what pixels attend to, by name; empty for most
    styles: Styles | None  # what it paints each class from; None for most

    @property
    def least_size(self) -> int:
        """Height and width in pixels that photographs to train on must have."""

    def init(self, rng: Array, example: Example) -> Variables:
        """Fresh variables; only the shapes of `example` matter."""
        ...

    def load_frozen(self) -> Trees:
        """The weights that no update trains (feature networks), by name; training needs them, filling a hole does not.

        Where they are missing, a UserError names the file and the command that makes it.
        """
        ...

    def frozen_shapes(self) -> Trees:
        """What `load_frozen` returns, as `jax.ShapeDtypeStruct`s; no weights are needed."""
        ...

    def predict(self, variables: Variables, observation: Observation, rng: Array) -> Prediction:
        """Fills the hole. An image's prediction does not depend on its batch or its place in it."""
        ...


def build_method(section: Mapping[str, Any]) -> Method:
    """The method that a config's `method` section describes; a UserError if none has that name or it is refused."""
    require_32_bits()
    return registry.find(METHODS, section.get("name", ""), "config.method.name").build(section)


def require_size(method: Method, size: int) -> None:
    """UserError where photographs of so many pixels a side cannot train the method; it names the nearest that can."""
    stride = method.stride
    least = max(-(-method.least_size // stride), 1) * stride
    if size % stride or size < least:
        nearest = sorted({max(size // stride * stride, least), max(-(-size // stride) * stride, least)})
        raise UserError(
            f"config.data.size must be a multiple of {stride} from {least} on for this method, not {size}; "
            f"the nearest: {', '.join(map(str, nearest))}"
        )


def find_refiner(method: Method, name: str) -> Refiner:
    """A method's optimisation at test time; a UserError names the nearest, and those that there are."""
    if name in method.refiners:
        return method.refiners[name]
    there_are = ", ".join(method.refiners) or "none"
    near = did_you_mean(name, method.refiners)
    raise UserError(f"this method has no optimisation at test time {name!r}{near}; there are: {there_are}")
