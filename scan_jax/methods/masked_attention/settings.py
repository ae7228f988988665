"""A config's `method` section for masked attention: the paper's defaults, or the released code's where that is said."""

from __future__ import annotations

import dataclasses
from typing import Literal

from scan_jax.core.errors import UserError
from scan_jax.features.api import FeatureSettings


@dataclasses.dataclass(frozen=True)
class LossSettings:
    """The weights of eq. (6); a term of weight 0 is not computed.

    Attributes:
      perceptual: lambda_1, of eq. (1).
      pixel: lambda_2, of eq. (2).
      semantic_attention: lambda_3, of eqs. (4)-(5); it needs an attention.
      adversarial: of eq. (3).
      feature_matching: between the critic's activations; the paper has none, the released code 10 with the hinge.
    """

    perceptual: float = 0.1
    pixel: float = 0.5
    semantic_attention: float = 0.1
    adversarial: float = 1.0
    feature_matching: float = 0.0


@dataclasses.dataclass(frozen=True)
class StyleSearchSettings:
    """The optimisation at test time (section III-C).

    Attributes:
      steps: updates at most.
      learning_rate: Adam's, with (0.9, 0.999).
      pixel: weight of the squared error over the known pixels.
      perceptual: weight of the feature distance there.
      patience: an image is left alone once its objective has not fallen for so many updates.
      tolerance: the share of the objective that counts as a fall.
    """

    steps: int = 20
    learning_rate: float = 0.01
    pixel: float = 5e-3
    perceptual: float = 5e-5
    patience: int = 5
    tolerance: float = 1e-4


@dataclasses.dataclass(frozen=True)
class Settings:
    """The method.

    Attributes:
      num_labels: semantic classes, numbered from 0; 19 in CelebAMask-HQ.
      width: channels of the generator's last block; 16 times as many at its first.
      style_size: length of a class's style vector.
      label_width: channels of the label branch of every normalisation.
      critic_width: channels of the critic's first layer.
      attention: of the style encoder, Table I.
      target: mu of eq. (4).
      region: where eqs. (1) and (2) compare: "known", as printed, or "everywhere", as the released code does.
      adversarial: "log", eq. (3) with a generator's side that does not saturate; "minimax", as printed; "hinge", the
        released code's.
      prior: what fills the hole before any network: "none" (the paper), "harmonic", "biharmonic", or "both", blended.
        What the paper's generator paints then goes, with the labels, into a small network that corrects that filling.
      query_block: rows of the attention map in memory at a time; None chooses.
      compute_dtype: "float32" or "bfloat16", of convolutions and products; all else is float32.
      loss: the terms' weights.
      features: the network behind the perceptual term.
      style_search: the optimisation at test time.
    """

    num_labels: int = 19
    width: int = 64
    style_size: int = 512
    label_width: int = 128
    critic_width: int = 64
    attention: Literal["none", "self", "masked", "contextual"] = "contextual"
    target: float = 5e-4
    region: Literal["everywhere", "known"] = "everywhere"
    adversarial: Literal["log", "minimax", "hinge"] = "log"
    prior: Literal["none", "harmonic", "biharmonic", "both"] = "none"
    query_block: int | None = None
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    loss: LossSettings = LossSettings()
    features: FeatureSettings = dataclasses.field(default_factory=FeatureSettings)
    style_search: StyleSearchSettings = StyleSearchSettings()

    def __post_init__(self) -> None:
        """Refuses what would train nothing or count nothing.

        Raises:
          UserError: no classes, a prior without a loss in the hole, or the semantic loss without an attention.
        """
        if self.num_labels < 1:
            raise UserError(f"config.method.num_labels must be at least 1, not {self.num_labels}")
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
