"""What keeps an opponent from learning the real examples by heart: consistency under small changes, and anchors."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from genlab.errors import at_least, require
from genlab.kernels.augment import Kind, augment
from genlab.kernels.random import Keys, fold
from genlab.losses.adversarial import lecam
from genlab.parts.adversarial import REGULARISE, Examples, values
from genlab.parts.metrics import batch_mean
from genlab.parts.types import Data, Metrics, Networks, Turn

Score = Callable[[Data], Float[Array, " b"]]
ANCHORS = "anchors"  # their name among a game's networks


class Anchors(nnx.Module):
    """Moving averages of the scores of real and of fake examples, those of all devices."""

    def __init__(self) -> None:
        self.real, self.fake = nnx.BatchStat(jnp.zeros(())), nnx.BatchStat(jnp.zeros(()))

    def update(self, real: Float[Array, " b"], fake: Float[Array, " b"], decay: float, past: Int[Array, ""]) -> None:
        """Move towards the means of this batch. Nothing is differentiated through them.

        They are averages of this and the `past` batches, corrected for their start at 0 as in Adam: its step from one
        corrected average to the next is (1 - decay) / (1 - decay^t), 1 for the first of all.
        """
        share = (1 - decay) / (1 - decay ** (past + 1))
        for anchor, scores in ((self.real, real), (self.fake, fake)):
            anchor[...] = anchor[...] + share * (batch_mean(scores) - anchor[...])


@dataclass(frozen=True)
class Regularise:
    """What the opponent pays besides its loss and its penalty; with any of them."""

    consistency: float = 0.0
    """Weight of (D(x) - D(T(x)))^2 at real examples (CR-GAN, Zhang et al. 2020); 0: none."""
    consistency_fake: float = 0.0
    """The same at fake examples; with both it is the balanced one (bCR-GAN, Zhao et al. 2020)."""
    by: tuple[Kind, ...] = ("flip", "translation")
    """T: what is done to the images, one after the other; a translation brings in their mirror image, as is usual for
    consistency, where that of `augment` brings in grey."""
    lecam: float = 0.0
    """Weight of the distance of scores from the average score of the other kind (LeCam, Tseng et al. 2021); 0: none."""
    decay: float = 0.99
    """Of those averages."""
    lecam_one_sided: bool = False
    """Charge only scores beyond the other kind's average, real ones above and fake ones below, as the authors' code
    does; the paper's R_LC charges both sides."""
    lecam_start: int = 0
    """Updates of the opponent before LeCam is charged; until then the averages are those of the last batch, as in the
    authors' BigGAN code, which counts iterations of several updates."""

    def __post_init__(self) -> None:
        at_least(self, 0, "consistency", "consistency_fake", "lecam", "lecam_start")
        require(0 <= self.decay < 1, "decay", self.decay, "in [0, 1)")
        require(bool(self.by) or not self.consistent, "by", self.by, "at least one kind of change for a consistency")

    @property
    def consistent(self) -> bool:
        """Whether any consistency is asked for."""
        return self.consistency > 0 or self.consistency_fake > 0

    @property
    def owned(self) -> tuple[str, ...]:
        """The name of the anchors, if LeCam is asked for; they are the opponent's."""
        return (ANCHORS,) if self.lecam else ()

    def networks(self, shape: tuple[int, ...]) -> Networks:
        """The anchors, fresh, if LeCam is asked for.

        Raises:
            Invalid: a consistency is asked for, and data of `shape` are no images.
        """
        free = len(shape) == 3 or not self.consistent
        require(free, "regularise", self, f"possible for data of shape {shape}: consistency is of images")
        return {name: Anchors() for name in self.owned}

    def __call__(
        self, network: nnx.Module, examples: Examples, anchors: nnx.Module | None, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """The cost of the examples of an update, of which it uses the stream REGULARISE: see `cost`."""
        score = partial(values, network, labels=examples.labels)
        return self.cost(score, examples.real, examples.fake, fold(examples.keys, REGULARISE), anchors, turn)

    def cost(
        self, score: Score, real: Data, fake: Data, keys: Keys, anchors: nnx.Module | None, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """The cost of a batch, weighted, and of each part, not weighted.

        In training it first moves the anchors, which LeCam needs; without a `turn` they stay as they are.
        """
        total, metrics = jnp.zeros(()), {}
        for number, (name, weight, x) in enumerate(
            (("consistency", self.consistency, real), ("consistency_fake", self.consistency_fake, fake))
        ):
            if weight:
                changed = augment(x, fold(keys, number), self.by, "reflect")
                metrics[name] = jnp.square(score(x) - score(changed)).mean()
                total += weight * metrics[name]
        if self.lecam:
            scores, averages = (score(real), score(fake)), cast(Anchors, anchors)
            due: Array | float = 1.0
            if turn is not None:
                averages.update(*scores, self.decay, jnp.maximum(turn - self.lecam_start, 0))
                due = jnp.asarray(turn >= self.lecam_start, jnp.float32)
            at = averages.real[...], averages.fake[...]
            metrics["lecam"] = lecam(*scores, *at, one_sided=self.lecam_one_sided).mean()
            metrics |= {"anchor_real": at[0], "anchor_fake": at[1]}
            total += self.lecam * due * metrics["lecam"]
        return total, metrics
