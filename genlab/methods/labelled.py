"""What adversarial methods share whose opponent can be told the label of an example, or be asked for it."""

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.errors import require
from genlab.losses.classification import cross_entropy
from genlab.methods.adversarial import Adversarial
from genlab.methods.conditional import Conditional
from genlab.nn.network import encoder, projector
from genlab.parts.types import Labels, Metrics, Networks

Data = Float[Array, "b *shape"]


@dataclass(frozen=True)
class Labelled(Adversarial, Conditional):
    """A generator against an opponent that judges examples of a class.

    Where it sees real and fake examples, each fake has the label of its real one; else labels are drawn.
    """

    label: Literal["none", "concat", "projection", "auxiliary"] = "none"
    """What the opponent does with labels: none, without classes; concat sees them beside its input (Mirza and Osindero
    2014), projection in its output (Miyato and Koyama 2018), auxiliary guesses them (ACGAN, Odena et al. 2017)."""
    class_weight: float = 1.0
    """Weight of the real examples' cross-entropy in the opponent's loss; auxiliary only."""
    generator_class_weight: float = 0.1
    """Weight of the fake examples' cross-entropy in the generator's loss; auxiliary only."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes:
            require(self.label != "none", "label", self.label, "concat, projection or auxiliary, which classes need")
        else:
            require(self.label == "none", "label", self.label, "possible without classes: set those to their number")
        for name in ("class_weight", "generator_class_weight"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "at least 0")

    def make_opponent(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> nnx.Module:
        net = getattr(self, self.opponent)
        match self.label:
            case "projection":
                return projector(net, shape, rngs, self.classes)
            case "auxiliary":
                return encoder(net, shape, 1 + self.classes, rngs)
        return encoder(net, shape, 1, rngs, self.classes)

    def judged(
        self, networks: Networks, x: Data, labels: Labels
    ) -> tuple[Float[Array, " b"], Float[Array, "b classes"]]:
        """The opponent's value of each example, and its logits of the classes, none of them unless auxiliary."""
        outputs = networks[self.opponent](x, labels)
        return outputs[:, 0], outputs[:, 1:]

    def classified(
        self, loss: Float[Array, ""], logits: Float[Array, "b classes"], labels: Labels, weight: float
    ) -> tuple[Float[Array, ""], Metrics]:
        """A loss and, if auxiliary, the mean cross-entropy of the classes: Odena et al. (2017), eq. 3.

        As in the official WGAN-GP code the opponent pays for real examples only: it need not make sense of bad fakes.
        """
        if self.label != "auxiliary" or labels is None:
            return loss, {}
        entropy, accuracy = cross_entropy(logits, labels).mean(), jnp.mean(logits.argmax(1) == labels)
        return loss + weight * entropy, {"class_loss": entropy, "class_accuracy": accuracy}
