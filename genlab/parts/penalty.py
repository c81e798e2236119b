"""A gradient penalty as a discriminator or critic pays it: of a batch with labels, augmented, perhaps lazily."""

from typing import cast

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.errors import require
from genlab.kernels.penalty import EDGES, Penalty, gradient_penalty, histogram, origins
from genlab.kernels.random import fold
from genlab.nn.layers import AXIS
from genlab.nn.net import Net
from genlab.parts.adversarial import AUGMENT_FAKE, AUGMENT_REAL, PENALTY, Examples, values
from genlab.parts.augment import augmented
from genlab.parts.course import Course
from genlab.parts.metrics import batch_mean
from genlab.parts.tally import Tally
from genlab.parts.types import Data, Metrics, Number, Turn

SLOPES = {"penalty": (), "slope_mean": (), "slope_std": (), "slopes": (len(EDGES) - 1,)}  # metrics of a penalty


def mean_penalty(
    spec: Penalty,
    network: nnx.Module,
    examples: Examples,
    tally: nnx.Module | None,
    turn: Turn = None,
    weight: Number | None = None,
) -> tuple[Float[Array, ""], Metrics]:
    """The mean gradient penalty of a batch, weighted, by `weight` if that is no longer spec's, and what there is to see
    of the slopes.

    Points keep the labels of the examples that they are made of and, as far as they are real or fake, are augmented as
    these are; what lies between a real and a fake one is augmented as the real one is. Lazily, an update's metrics go
    to the tally.
    """
    own, keys = fold(examples.keys, PENALTY), examples.keys
    labels = None if examples.labels is None else origins(examples.labels, examples.labels, own, spec)
    if spec.gradient == "original":
        real, fake = examples.original
        kinds, changes = examples.augment, origins(fold(keys, AUGMENT_REAL), fold(keys, AUGMENT_FAKE), own, spec)
    else:
        real, fake = examples.real, examples.fake
        kinds, changes = (), keys

    def score(x: Data) -> Float[Array, " points"]:
        return values(network, augmented(x, changes, kinds), labels)

    penalties, slopes = gradient_penalty(score, real, fake, own, spec, turn, AXIS)
    penalty = penalties.mean() if weight is None else penalties.mean() * (weight / spec.weight)
    metrics = {"penalty": penalty / (1 if turn is None else spec.interval)} | slope_metrics(slopes)
    if turn is None or tally is None:
        return penalty, metrics
    cast(Tally, tally).add(metrics, jnp.asarray(turn % spec.interval == 0))
    return penalty, {}


def tally_shapes(spec: Penalty | None) -> dict[str, tuple[int, ...]]:
    """Shapes of the metrics that only some updates have: those of a lazy penalty."""
    return SLOPES if spec is not None and spec.interval > 1 else {}


def slope_metrics(slopes: Float[Array, " b"], at: str = "") -> Metrics:
    """Mean, standard deviation and histogram of slopes over the whole batch, named by the points they were taken at."""
    return {
        f"slope_mean{at}": slopes.mean(),
        f"slope_std{at}": jnp.sqrt(batch_mean(jnp.square(slopes - batch_mean(slopes)))),
        f"slopes{at}": histogram(slopes),
    }


def current_weight(spec: Penalty, course: Course, turn: Turn, plays: int) -> Number | None:
    """The weight of a player's penalty at its `turn`, `plays` to an iteration; None if it is always spec's."""
    return course(spec.weight, None if turn is None else turn // plays) if course.moves else None


def check_course(spec: Penalty, course: Course) -> None:
    """That the weight moves from one that is to another that can be.

    Raises:
        Invalid: there is no penalty, or the weight would become negative.
    """
    end = course.to
    require(end is None or end >= 0, "penalty_course.to", end, "at least 0")
    require(
        end is None or spec.weight > 0, "penalty.weight", spec.weight, "above 0, from where penalty_course moves it"
    )


def check_dropout(net: Net, penalty: Penalty) -> None:
    """That a penalty sees the same units of an example's as the loss does.

    Raises:
        Invalid: it looks at a share of the batch, while units are dropped by an example's place in it.
    """
    whole = "1: dropout goes by an example's place in the whole batch; use share 1, or no dropout in what is penalised"
    require(penalty.share == 1 or not net.dropout, "penalty.share", penalty.share, whole)
