"""A config's `method` section for masked attention: the paper's defaults, or the released code's where that is said."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from scan_jax.core.bounds import Classes, Count, Positive, Range, Size
from scan_jax.core.errors import UserError
from scan_jax.features.api import FeatureSettings


@dataclasses.dataclass(frozen=True)
class LossSettings:
    """The weights of eq. (6); a term of weight 0 is not computed."""

    perceptual: float = 0.1  # lambda_1, of eq. (1)
    pixel: float = 0.5  # lambda_2, of eq. (2)
    semantic_attention: float = 0.1  # lambda_3, of eqs. (4)-(5); it needs an attention
    adversarial: float = 1.0  # of eq. (3)
    # Between the critic's activations; the paper has none, the released code 10 with the hinge.
    feature_matching: float = 0.0


@dataclasses.dataclass(frozen=True)
class StyleSearchSettings:
    """The optimisation at test time (section III-C)."""

    steps: Count = 20  # updates at most
    learning_rate: Positive = 0.01  # Adam's, with (0.9, 0.999)
    pixel: float = 5e-3  # weight of the squared error over the known pixels
    perceptual: float = 5e-5  # weight of the feature distance there
    patience: Count = 5  # an image is left alone once its objective has not fallen for so many updates
    tolerance: float = 1e-4  # the share of the objective that counts as a fall


@dataclasses.dataclass(frozen=True)
class Settings:
    """The method."""

    num_labels: Classes = 19  # semantic classes, numbered from 0; 19 in CelebAMask-HQ
    # Channels of the generator's last block; 16 times as many at its first
    width: Annotated[int, Range(2, 2**16)] = 64
    style_size: Size = 512  # length of a class's style vector
    label_width: Size = 128  # channels of the label branch of every normalisation
    critic_width: Size = 64  # channels of the critic's first layer
    attention: Literal["none", "self", "masked", "contextual"] = "contextual"  # of the style encoder, Table I
    target: float = 5e-4  # mu of eq. (4)
    # Where eqs. (1) and (2) compare: "known", as printed, or "everywhere", as the released code does.
    region: Literal["everywhere", "known"] = "everywhere"
    # "log", eq. (3) with a generator's side that does not saturate; "minimax", as printed; "hinge", the released
    # code's.
    adversarial: Literal["log", "minimax", "hinge"] = "log"
    # What fills the hole before any network: "none" (the paper), "harmonic", "biharmonic", or "both", blended. What
    # the paper's generator paints then goes, with the labels, into a small network that corrects that filling.
    prior: Literal["none", "harmonic", "biharmonic", "both"] = "none"
    query_block: Count | None = None  # rows of the attention map in memory at a time; None chooses
    # "float32" or "bfloat16", of convolutions and products; all else is float32.
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    loss: LossSettings = LossSettings()  # the terms' weights
    # The network behind the perceptual term.
    features: FeatureSettings = dataclasses.field(default_factory=FeatureSettings)
    style_search: StyleSearchSettings = StyleSearchSettings()  # the optimisation at test time

    def __post_init__(self) -> None:
        """Refuses a prior without a loss in the hole, or the semantic loss without an attention."""
        if self.prior != "none" and self.region == "known":
            raise UserError(
                "config.method.region='known' asks nothing of the hole, which is all that the network behind a prior "
                "changes; set it to 'everywhere' or config.method.prior to 'none'"
            )
        if self.attention == "none" and self.loss.semantic_attention:
            raise UserError(
                "config.method.loss.semantic_attention needs an attention; "
                "set it to 0 or config.method.attention to 'contextual'"
            )
