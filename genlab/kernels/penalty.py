"""Gradient penalties: how steep a critic is at given points, and what a slope that is not the wanted one costs."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from genlab.errors import Invalid, Within
from genlab.kernels.random import Keys, fold, normal, uniform

Points = Float[Array, "batch ..."]
Critic = Callable[[Points], Float[Array, " batch"]]
Where = Literal["interpolated", "real", "fake", "both", "dragan", "mixed", "dragan_uniform"]
EDGES = np.linspace(0.0, 2.0, 21)  # of the bins of a histogram of slopes


@dataclass(frozen=True)
class Penalty:
    """A gradient penalty; the defaults are those of WGAN-GP (Gulrajani et al. 2017, Algorithm 1)."""

    weight: float = 10.0
    """factor of the penalty in the critic's loss (lambda); R1 and R2 with their gamma are weight gamma / 2, target 0"""
    where: Where = "interpolated"
    """points: interpolated (WGAN-GP), real (R1), fake (R2), both (R1 + R2), dragan (real plus Gaussian noise, as in the
    paper's Algorithm 1), dragan_uniform (real plus noise of U[0, 1) times half the batch's deviation, and somewhere
    between the two, as in its authors' code), or mixed (real or fake by a coin)"""
    target: float = 1.0
    """slope that costs nothing"""
    one_sided: bool = False
    """charge only slopes above the target"""
    norm: Annotated[float, Within(1, math.inf, "a number from 1 to inf")] = 2.0
    """order of the norm that makes a slope of a gradient, from 1 to inf"""
    noise: float = 0.1
    """standard deviation of the noise of dragan, in units of the data"""
    interval: int = 1
    """applied at every interval-th critic update, with interval times the weight; metrics are means over those updates
    since the last row, without that factor"""
    share: float = 1.0
    """share of the batch it is computed on, in (0, 1]"""
    gradient: Literal["original", "augmented"] = "original"
    """the image whose gradient is the slope where images are augmented: the original one, through the augmentation
    (R3GAN, StyleGAN2-ADA, StudioGAN, DiffAugment's few-shot code), or the augmented one (DiffAugment's CIFAR code)"""

    def __post_init__(self):
        if self.where not in get_args(Where):
            raise Invalid(f"penalty.where: {self.where!r}; it is one of {', '.join(get_args(Where))}")
        for name in ("weight", "target", "noise"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise Invalid(f"penalty.{name}: {value}; it is a finite number >= 0")
        if not self.norm >= 1:
            raise Invalid(f"penalty.norm: {self.norm}; it is a number from 1 to inf")
        if self.interval < 1:
            raise Invalid(f"penalty.interval: {self.interval}; it is a whole number >= 1")
        if not 0 < self.share <= 1:
            raise Invalid(f"penalty.share: {self.share}; it is a number in (0, 1]")


def gradient_norm(gradient: Points, order: float = 2.0) -> Float[Array, " batch"]:
    """Norm over ALL axes but the first, in float32 or better.

    It is exact wherever it is positive and has derivative 0 at zero: the root is guarded, no epsilon bends it.
    """
    size = jnp.abs(gradient.astype(_at_least_float32(gradient))).reshape(gradient.shape[0], -1)
    if order == math.inf:
        return jnp.max(size, axis=1)
    total = jnp.sum(jnp.square(size) if order == 2 else size**order, axis=1)
    safe = jnp.where(total > 0, total, 1)
    return jnp.where(total > 0, jnp.sqrt(safe) if order == 2 else safe ** (1 / order), 0)


def value_and_slope(
    critic: Critic, x: Points, order: float = 2.0
) -> tuple[Float[Array, " batch"], Float[Array, " batch"]]:
    """Scores of the examples and the norm of each one's input gradient, from one pass forward and one back.

    The gradient of the SUM of the scores holds every example's own gradient as long as the critic does not couple
    examples (see `coupled`). The points enter in float32 or better, whatever the critic computes in.
    """
    score, transpose = jax.vjp(critic, x.astype(_at_least_float32(x)))
    (gradient,) = transpose(jnp.ones_like(score))
    return score, gradient_norm(gradient, order)


def slopes(critic: Critic, x: Points, order: float = 2.0) -> Float[Array, " batch"]:
    """Norm of the input gradient of each example's score."""
    return value_and_slope(critic, x, order)[1]


def interpolate(real: Points, fake: Points, keys: Keys) -> Points:
    """Points on the straight lines from fake to real, ONE epsilon from U[0, 1) per example."""
    epsilon = _per_example(uniform(keys), real)
    return epsilon * real + (1 - epsilon) * fake  # Gulrajani et al. 2017, Algorithm 1, line 6


def points(
    real: Points, fake: Float[Array, "..."], keys: Keys, spec: Penalty, axis: str | None = None
) -> Float[Array, "points ..."]:
    """Where the penalty looks, for the share of the batch it is computed on.

    `axis` names the mapped axis over which the batch is spread, if it is: the deviation of dragan_uniform is that of
    the whole batch. Raises Invalid for unlike shapes.
    """
    if real.shape != fake.shape:
        raise Invalid(f"penalty: real examples {real.shape} and fake examples {fake.shape}; their shapes must be equal")
    real, fake = real.astype(_at_least_float32(real)), fake.astype(_at_least_float32(fake))
    noise = 0.5 * _deviation(real, axis) if spec.where == "dragan_uniform" else spec.noise
    at, drawn = _take_share(real, spec), _take_share(keys, spec)
    match spec.where:
        case "interpolated":
            return interpolate(at, _take_share(fake, spec), drawn)
        case "dragan":  # Kodali et al. 2017, Algorithm 1: x + delta, delta from N(0, c I)
            return at + noise * normal(drawn, at.shape[1:]).astype(at.dtype)
        case "dragan_uniform":  # their code: x + alpha (x_p - x), x_p = x + std(x) U / 2, one alpha per example
            return interpolate(at + noise * uniform(fold(drawn, 1), at.shape[1:]).astype(at.dtype), at, drawn)
    return origins(real, fake, keys, spec)


def origins(
    real: Shaped[Array, "batch ..."], fake: Shaped[Array, "batch ..."], keys: Keys, spec: Penalty
) -> Shaped[Array, "points ..."]:
    """For each of the `points`, drawn with the same keys, what belongs to the example that it is.

    `real` and `fake` hold what belongs to the examples of either kind: themselves, labels, keys. Points between real
    and fake examples, or beside real ones, are the real ones'.
    """
    real, fake = _take_share(real, spec), _take_share(fake, spec)
    match spec.where:
        case "fake":
            return fake
        case "both":
            return jnp.concatenate([real, fake])
        case "mixed":
            coin = uniform(_take_share(keys, spec)) < 0.5
            return jnp.where(coin.reshape(-1, *(1,) * (real.ndim - 1)), real, fake)
    return real


def cost(slope: Float[Array, " points"], spec: Penalty) -> Float[Array, " points"]:
    """Penalty of each slope: `weight (slope - target)^2`.

    Gulrajani et al. 2017, eq. 3 with target 1 (one-sided: appendix C); Mescheder et al. 2018, eqs. 9 and 10
    (R1, R2) with target 0 and weight gamma / 2.
    """
    excess = slope - spec.target
    return spec.weight * jnp.square(jnp.maximum(excess, 0) if spec.one_sided else excess)


def gradient_penalty(
    critic: Critic,
    real: Points,
    fake: Float[Array, "..."],
    keys: Keys,
    spec: Penalty,
    step: Int[Array, ""] | int | None = None,
    axis: str | None = None,
) -> tuple[Float[Array, " points"], Float[Array, " points"]]:
    """Penalty of each example it is computed on, weighted and unreduced, and the slopes it comes from.

    With `where` "both" they are twice as many, and the mean penalty is the sum of the two kinds'. `keys` must not serve
    another draw. `step` counts critic updates: where it is no multiple of `spec.interval` both results are 0 and
    nothing is computed; None asks for the penalty as it is on average. `axis`: as in `points`. The fake examples are
    constants only if the caller makes them so.
    """
    kinds = 2 if spec.where == "both" else 1
    count = kinds * len(_share_rows(real.shape[0], spec.share))

    def penalised(factor: int) -> tuple[jax.Array, jax.Array]:
        slope = slopes(critic, points(real, fake, keys, spec, axis), spec.norm)
        return factor * kinds * cost(slope, spec), slope

    if step is None or spec.interval == 1:
        return penalised(1)
    nothing = (jnp.zeros(count, _at_least_float32(real)),) * 2
    return jax.lax.cond(step % spec.interval == 0, lambda: penalised(spec.interval), lambda: nothing)


def histogram(slope: Float[Array, " points"]) -> Float[Array, " bins"]:
    """Share of the slopes between each two of `EDGES`, which are evenly spaced; steeper ones count in the last bin."""
    bins = len(EDGES) - 1
    place = jnp.minimum(slope / EDGES[-1] * bins, bins - 1).astype(jnp.int32)
    return jax.nn.one_hot(place, bins, dtype=jnp.float32).mean(0)


def coupled(critic: Critic, x: Points) -> Bool[Array, ""]:
    """Whether the score of one example depends on another one, as under batch norm; such a critic has no slopes.

    Moves the first example and looks at the others: the derivative of their scores by it is exactly zero in a critic
    that treats examples one by one. Takes three examples or more, since batch norm of two is constant.
    """
    if x.shape[0] < 3:
        raise Invalid(f"coupled: {x.shape[0]} examples; the test takes 3 or more")
    others = jax.grad(lambda x: jnp.sum(jnp.sin(critic(x)[1:])))(x)  # a plain sum could cancel what couples them
    return jnp.any(others[0] != 0)


def contractive(
    encoder: Callable[[Points], Float[Array, "batch latent"]], x: Points, keys: Keys | None = None
) -> Float[Array, " batch"]:
    """Squared Frobenius norm of each example's Jacobian (Rifai et al. 2011, eq. 1).

    Without keys it is exact, at one backward pass per latent; with keys it is Hutchinson's unbiased estimate from one
    random sign per latent, `E |v J|^2 = |J|^2`. The encoder must not couple examples.
    """
    latent, transpose = jax.vjp(encoder, x.astype(_at_least_float32(x)))
    if keys is None:
        axes = jnp.eye(latent.shape[1], dtype=latent.dtype)[:, None]
        probes = jnp.broadcast_to(axes, (latent.shape[1], *latent.shape))
    else:
        probes = jnp.where(uniform(keys, latent.shape[1:]) < 0.5, -1, 1).astype(latent.dtype)[None]
    (rows,) = jax.vmap(transpose)(probes)
    return jnp.sum(jnp.square(rows), axis=(0, *range(2, rows.ndim)))


def clip_weights(params, limit: float = 0.01):
    """Every parameter clipped to [-limit, limit] (Arjovsky et al. 2017, Algorithm 1, line 7)."""
    return jax.tree.map(lambda p: jnp.clip(p, -limit, limit), params)


def _at_least_float32(x: Array) -> np.dtype:
    return jnp.promote_types(x.dtype, jnp.float32)


def _per_example(values: Float[Array, " batch"], x: Points) -> Float[Array, "batch ..."]:
    return values.reshape(-1, *(1,) * (x.ndim - 1)).astype(x.dtype)


def _take_share(values: Shaped[Array, "batch ..."], spec: Penalty) -> Shaped[Array, "chosen ..."]:
    return values[_share_rows(len(values), spec.share)] if spec.share < 1 else values


def _deviation(x: Points, axis: str | None) -> Float[Array, ""]:
    """The standard deviation of all numbers of the batch, over `axis` too."""

    def mean(values: Points) -> Float[Array, ""]:
        return values.mean() if axis is None else jax.lax.pmean(values.mean(), axis)

    return jnp.sqrt(mean(jnp.square(x - mean(x))))


def _share_rows(batch: int, share: float) -> np.ndarray:
    """Indices of the share, evenly spread, so that a batch cut into equal parts for more devices keeps its choice."""
    count = max(1, round(batch * share))
    return np.arange(count) * batch // count
