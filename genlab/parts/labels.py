"""What a generator's opponent does with the labels of examples: sees them, or guesses them."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.errors import at_least, require
from genlab.losses.classification import cross_entropy
from genlab.nn.net import Net
from genlab.nn.network import encoder, projector
from genlab.parts.types import Data, Labels, Metrics


class Outputs(NamedTuple):
    """What a discriminator or critic gives for each example."""

    value: Float[Array, " b"]  # the logit of being real, or the potential
    logits: Float[Array, "b classes"]  # of the classes; none of them unless labels are guessed


def outputs(network: nnx.Module, x: Data, labels: Labels = None) -> Outputs:
    """A network's outputs, the value in the first column and the logits in the others."""
    columns = network(x, labels)
    return Outputs(columns[:, 0], columns[:, 1:])


@dataclass(frozen=True)
class Conditioning:
    """How the labels of examples enter their discriminator or critic."""

    use: Literal["none", "concat", "projection", "auxiliary"] = "none"
    """What it does with labels: none, without classes; concat sees them beside its input (Mirza and Osindero 2014),
    projection in its output (Miyato and Koyama 2018), auxiliary guesses them (ACGAN, Odena et al. 2017)."""
    weight: float = 1.0
    """Weight of the real examples' cross-entropy in its loss; auxiliary only."""
    generator_weight: float = 0.1
    """Weight of the fake examples' cross-entropy in the generator's loss; auxiliary only."""

    def __post_init__(self) -> None:
        at_least(self, 0, "weight", "generator_weight")

    def check(self, classes: int) -> None:
        """That there is a use for labels where there are classes, and only there.

        Raises:
            Invalid: it is not so; the message names the method's field `labels`.
        """
        if classes:
            require(self.use != "none", "labels.use", self.use, "concat, projection or auxiliary, which classes need")
        else:
            require(self.use == "none", "labels.use", self.use, "possible without classes: set those to their number")

    def network(self, net: Net, shape: tuple[int, ...], rngs: nnx.Rngs, classes: int) -> nnx.Module:
        """The discriminator or critic, fresh: (b, *shape) and labels to (b, 1), or (b, 1 + classes) if it guesses them.

        Raises:
            Invalid: its backbone cannot read data of this shape.
        """
        match self.use:
            case "projection":
                return projector(net, shape, rngs, classes)
            case "auxiliary":
                return encoder(net, shape, 1 + classes, rngs)
        return encoder(net, shape, 1, rngs, classes)

    def loss(self, logits: Float[Array, "b classes"], labels: Labels) -> tuple[Float[Array, ""], Metrics]:
        """What guessing the real examples' classes costs the opponent: Odena et al. (2017), eq. 3.

        As in the official WGAN-GP code it pays for real examples only: it need not make sense of bad fakes.
        """
        return self._guessed(logits, labels, self.weight)

    def generator_loss(self, logits: Float[Array, "b classes"], labels: Labels) -> tuple[Float[Array, ""], Metrics]:
        """What it costs the generator that the opponent guesses other classes than those of its fakes."""
        return self._guessed(logits, labels, self.generator_weight)

    def _guessed(
        self, logits: Float[Array, "b classes"], labels: Labels, weight: float
    ) -> tuple[Float[Array, ""], Metrics]:
        """The mean cross-entropy, weighted, and as metrics, not weighted; nothing unless auxiliary."""
        if self.use != "auxiliary" or labels is None:
            return jnp.zeros(()), {}
        entropy, accuracy = cross_entropy(logits, labels).mean(), jnp.mean(logits.argmax(1) == labels)
        return weight * entropy, {"class_loss": entropy, "class_accuracy": accuracy}
