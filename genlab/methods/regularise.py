"""What keeps an opponent from learning the real examples by heart: consistency under small changes, and anchors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.errors import require
from genlab.kernels.augment import Kind, augment
from genlab.kernels.random import Keys, fold
from genlab.losses.adversarial import lecam
from genlab.methods.game import Metrics, batch_mean

Data = Float[Array, "b *shape"]
Score = Callable[[Data], Float[Array, " b"]]


class Anchors(nnx.Module):
    """Moving averages of the scores of real and of fake examples, those of all devices."""

    def __init__(self) -> None:
        self.real, self.fake = nnx.BatchStat(jnp.zeros(())), nnx.BatchStat(jnp.zeros(()))

    def update(self, real: Float[Array, " b"], fake: Float[Array, " b"], decay: float) -> None:
        """Move towards the means of this batch. Nothing is differentiated through them."""
        for anchor, scores in ((self.real, real), (self.fake, fake)):
            anchor[...] = decay * anchor[...] + (1 - decay) * batch_mean(scores)


@dataclass(frozen=True)
class Regularise:
    """What the opponent pays besides its loss and its penalty; with any of them."""

    consistency: float = 0.0
    """Weight of (D(x) - D(T(x)))^2 at real examples (CR-GAN, Zhang et al. 2020); 0: none."""
    consistency_fake: float = 0.0
    """The same at fake examples; with both it is the balanced one (bCR-GAN, Zhao et al. 2020)."""
    by: tuple[Kind, ...] = ("flip", "translation")
    """T: what is done to the images, one after the other."""
    lecam: float = 0.0
    """Weight of the distance of scores from the average score of the other kind (LeCam, Tseng et al. 2021); 0: none."""
    decay: float = 0.99
    """Of those averages."""

    def __post_init__(self) -> None:
        for name in ("consistency", "consistency_fake", "lecam"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "at least 0")
        require(0 <= self.decay < 1, "decay", self.decay, "in [0, 1)")
        require(bool(self.by) or not self.consistent, "by", self.by, "at least one kind of change for a consistency")

    @property
    def consistent(self) -> bool:
        """Whether any consistency is asked for."""
        return self.consistency > 0 or self.consistency_fake > 0

    def __call__(
        self, score: Score, real: Data, fake: Data, keys: Keys, anchors: Anchors | None
    ) -> tuple[Float[Array, ""], Metrics]:
        """The cost of a batch, weighted, and of each part, not weighted; moves the anchors, which LeCam needs."""
        total, metrics = jnp.zeros(()), {}
        for number, (name, weight, x) in enumerate(
            (("consistency", self.consistency, real), ("consistency_fake", self.consistency_fake, fake))
        ):
            if weight:
                changed = augment(x, fold(keys, number), self.by)
                metrics[name] = jnp.square(score(x) - score(changed)).mean()
                total += weight * metrics[name]
        if self.lecam:
            scores, past = (score(real), score(fake)), cast(Anchors, anchors)
            metrics["lecam"] = lecam(*scores, past.real[...], past.fake[...]).mean()
            metrics |= {"anchor_real": past.real[...], "anchor_fake": past.fake[...]}
            past.update(*scores, self.decay)
            total += self.lecam * metrics["lecam"]
        return total, metrics
