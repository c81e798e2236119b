"""The Inception score of Salimans et al. (2016), for the logits of any classifier."""

import numpy as np
from jaxtyping import Float
from scipy.special import log_softmax

from genlab.errors import require
from genlab.evaluate.kernel import Estimate


def inception_score(logits: Float[np.ndarray, "n classes"], splits: int = 10, seed: int = 2020) -> Estimate:
    """exp(E KL(p(y|x) || p(y))), in [1, classes]: mean and standard deviation over `splits` parts of the shuffled rows.

    Raises:
        Invalid: fewer rows than parts.
    """
    require(len(logits) >= splits, "n", len(logits), f"at least {splits}")
    rows = np.random.RandomState(seed).permutation(len(logits))
    log_p = log_softmax(logits[rows].astype(np.float64), axis=1)
    cuts = [i * len(rows) // splits for i in range(1, splits)]
    scores = [_score(part) for part in np.split(log_p, cuts)]
    return Estimate(float(np.mean(scores)), float(np.std(scores)))


def _score(log_p: Float[np.ndarray, "n classes"]) -> float:
    p = np.exp(log_p)
    with np.errstate(divide="ignore", invalid="ignore"):
        divergence = np.where(p > 0, p * (log_p - np.log(p.mean(0))), 0).sum(1)
    return float(np.exp(divergence.mean()))
