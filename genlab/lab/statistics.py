"""What scores of several seeds tell of two configurations, and how surely: Agarwal et al. (2021), "Deep RL at the edge
of the statistical precipice", section 4, of one task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from jaxtyping import Float

from genlab.errors import Seed, Within

Interval = tuple[float, float]
Values = Float[np.ndarray, "*resamples"] | float  # of one set of scores a number
Statistic = Callable[..., Values]  # of one or two sets of scores, along their last axis


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: between quantiles of a statistic of seeds drawn again with replacement.

    Intervals of few seeds are too narrow: of three normal scores, those that say 95 % hold the mean 3 times in 4.
    """

    resamples: Annotated[int, Within(1, 1_000_000, "from 1 to 1,000,000")] = 2000
    """Times that the seeds are drawn again."""
    level: Annotated[float, Within(0.01, 0.999, "from 0.01 to 0.999")] = 0.95
    """The share of them between the ends of an interval."""
    seed: Seed = 0
    """What is drawn follows from it."""


def mean(x: Float[np.ndarray, "*resamples n"]) -> Values:
    """`sum_i x_i / n`."""
    return x.mean(-1)


def interquartile_mean(x: Float[np.ndarray, "*resamples n"]) -> Values:
    """The mean of the middle half of the scores.

    `sum_i w_i x_(i)` of the scores in order, where w_i is twice the length of [(i - 1) / n, i / n] within [1/4, 3/4]:
    so a score counts in part where a quarter of n is no whole number. Where it is, this is the 25 % trimmed mean.
    """
    n = x.shape[-1]
    return np.sort(x, -1) @ (2 * np.diff(np.clip(np.arange(n + 1) / n, 0.25, 0.75)))


def improvement(x: Float[np.ndarray, "*resamples n"], y: Float[np.ndarray, "*resamples m"]) -> Values:
    """P(X > Y), the probability that a run of the first scores higher than one of the second.

    `sum_ij ([x_i > y_j] + [x_i = y_j] / 2) / (n m)`: of all pairs of their runs, ties counting half.
    """
    return (1 + np.sign(x[..., :, None] - y[..., None, :]).mean((-2, -1))) / 2


def difference(x: Float[np.ndarray, "*resamples n"], y: Float[np.ndarray, "*resamples m"]) -> Values:
    """Of the means, `mean(x) - mean(y)`."""
    return mean(x) - mean(y)


def interval(
    statistic: Statistic,
    samples: Sequence[Float[np.ndarray, " _"]],
    bootstrap: Bootstrap,
    paired: bool = False,
) -> Interval | None:
    """The percentile bootstrap interval of a statistic of one or more sets of scores.

    Each set is resampled by itself (stratified). Paired sets have one score for each of the same seeds, in the same
    order, and are resampled by seed: what a seed adds to all of them cancels in their difference.

    Returns:
        Its lower and upper end; None where a set has fewer than two scores, which tell nothing of how they vary.
    """
    if min(map(len, samples)) < 2:
        return None
    rng = np.random.default_rng(bootstrap.seed)
    drawn = [rng.integers(len(x), size=(bootstrap.resamples, len(x))) for x in samples[: 1 if paired else None]]
    drawn = drawn * len(samples) if paired else drawn
    values = statistic(*(x[index] for x, index in zip(samples, drawn, strict=True)))
    low, high = np.quantile(values, [(1 - bootstrap.level) / 2, (1 + bootstrap.level) / 2])
    return float(low), float(high)
