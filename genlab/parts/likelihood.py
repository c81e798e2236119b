"""Likelihoods p(x|z), made of what a decoder gives: densities of pixels in [-1, 1] or of points, or probabilities."""

import abc
import math
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.errors import at_least, require
from genlab.kernels.random import Keys, fold, normal, uniform
from genlab.losses.reconstruction import bernoulli, continuous_bernoulli, discretised_logistic, gaussian
from genlab.losses.reduction import example_sum
from genlab.parts.pixels import log_odds, squash
from genlab.parts.types import Metrics

Kind = Literal["bernoulli", "continuous_bernoulli", "gaussian", "logistic", "logistic_mixture"]
Data = Float[Array, "b *shape"]
Outputs = Float[Array, "b ..."]  # of a decoder, per example of the shape that `Likelihood.outputs` says
Values = Float[Array, " b"]
OF_LEVELS = ("logistic", "logistic_mixture")  # probabilities of the levels of 8-bit images, no densities
LEVEL = 2 / 255  # between two levels of 8-bit images in [-1, 1]


class Observation(nnx.Module):
    """p(x|z) as a network: what it learns besides the decoder."""

    @abc.abstractmethod
    def log_probability(self, x: Data, outputs: Outputs) -> Values:
        """log p(x|z) in nats per example."""

    @abc.abstractmethod
    def mean(self, outputs: Outputs) -> Data:
        """The mean of p(x|z)."""

    @abc.abstractmethod
    def sample(self, outputs: Outputs, keys: Keys) -> Data:
        """One x ~ p(x|z) per key."""

    def metrics(self) -> Metrics:
        """What is worth recording of it."""
        return {}

    def bias(self, mean: Float[Array, "*shape"], size: int) -> Float[Array, " size"] | None:
        """The outputs, of every number of an example or of every channel, that training starts at; None is 0."""
        return None


class Bernoulli(Observation):
    """Pixels in [-1, 1] that are 1 with the probability sigmoid(output), else -1; in between they count as shares."""

    def log_probability(self, x: Data, outputs: Outputs) -> Values:
        return -bernoulli((x + 1) / 2, outputs)

    def mean(self, outputs: Outputs) -> Data:
        return 2 * jax.nn.sigmoid(outputs) - 1

    def sample(self, outputs: Outputs, keys: Keys) -> Data:
        return jnp.where(uniform(keys, outputs.shape[1:]) < jax.nn.sigmoid(outputs), 1.0, -1.0)

    def bias(self, mean: Float[Array, "*shape"], size: int) -> Float[Array, " size"]:
        """The logit of the data's mean, as in the official code of Burda et al."""
        return log_odds(mean.reshape(-1, size).mean(0))


class ContinuousBernoulli(Observation):
    """(x + 1) / 2 in [0, 1] with a density proportional to p^x (1 - p)^(1 - x), p = sigmoid(output): Loaiza-Ganem and
    Cunningham (2019). The density is that of x in [-1, 1]."""

    def log_probability(self, x: Data, outputs: Outputs) -> Values:
        return -continuous_bernoulli((x + 1) / 2, outputs) - x[0].size * math.log(2)

    def mean(self, outputs: Outputs) -> Data:
        """Their eq. 8, p / (2p - 1) + 1 / (2 artanh(1 - 2p)), by the output l: (1 + coth(l / 2)) / 2 - 1 / l."""
        near = jnp.abs(outputs) < 0.1
        safe = jnp.where(near, 1.0, outputs)
        return jnp.where(near, outputs / 6 - outputs**3 / 360, 1 / jnp.tanh(safe / 2) - 2 / safe)

    def sample(self, outputs: Outputs, keys: Keys) -> Data:
        """By the inverse of the distribution function, log(1 + u (e^l - 1)) / l; of -l where l > 0, mirrored."""
        u = uniform(keys, outputs.shape[1:])
        logit = -jnp.maximum(jnp.abs(outputs), 1e-3)  # flatter ones differ from the uniform by rounding
        x = jnp.log1p(u * jnp.expm1(logit)) / logit
        return 2 * jnp.where(outputs > 0, 1 - x, x) - 1


class _Scaled(Observation):
    """One scale for all dimensions, fixed or learned as in Dai and Wipf (2019), around squash(output).

    One scalar, because a scale of its own for each pixel has no optimum: on the border of MNIST, which is always black,
    its density grows without bound.
    """

    def __init__(self, scale: float, learned: bool):
        self.log_scale = (nnx.Param if learned else nnx.BatchStat)(jnp.asarray(math.log(scale)))
        self.learned = learned

    def mean(self, outputs: Outputs) -> Data:
        return squash(outputs)

    def metrics(self) -> Metrics:
        return {"scale": jnp.exp(self.log_scale[...])} if self.learned else {}


class Gaussian(_Scaled):
    """N(squash(output), scale^2 I)."""

    def log_probability(self, x: Data, outputs: Outputs) -> Values:
        return -gaussian(x, squash(outputs), 2 * self.log_scale[...])

    def sample(self, outputs: Outputs, keys: Keys) -> Data:
        return squash(outputs) + jnp.exp(self.log_scale[...]) * normal(keys, outputs.shape[1:])


class Logistic(_Scaled):
    """Probabilities of the 256 levels of 8-bit images: a logistic distribution around squash(output), cut into bins,
    the outermost of which are unbounded (Kingma et al. 2016, eq. 22; Salimans et al. 2017, eq. 2)."""

    def log_probability(self, x: Data, outputs: Outputs) -> Values:
        return example_sum(discretised_logistic(x, squash(outputs), self.log_scale[...]))

    def sample(self, outputs: Outputs, keys: Keys) -> Data:
        u = uniform(keys, outputs.shape[1:])
        return to_level(squash(outputs) + jnp.exp(self.log_scale[...]) * logistic_noise(u))


class LogisticMixture(Observation):
    """Probabilities of 8-bit pixels: mixtures of discretised logistics whose channels go by those before them.

    Salimans et al. (2017), eq. 2 and 3: of each pixel `components` weights, and of each channel means, scales, and the
    coefficients of the channels before it, all from the decoder.
    """

    def __init__(self, channels: int, components: int):
        self.channels, self.components = channels, components

    def _split(self, outputs: Outputs) -> tuple[Array, Array, Array, Array]:
        """Logits (b, h, w, k), means and log-scales (b, h, w, k, c), coefficients (b, h, w, k, c, c)."""
        c, k = self.channels, self.components
        parts = outputs.reshape(*outputs.shape[:-1], k, -1)
        logits, means, log_scales, rest = jnp.split(parts, [1, 1 + c, 1 + 2 * c], axis=-1)
        rows, columns = jnp.tril_indices(c, -1)
        below = jnp.zeros((*means.shape, c)).at[..., rows, columns].set(jnp.tanh(rest))
        return logits[..., 0], means, jnp.maximum(log_scales - 2, -7.0), below  # at first scales of about e^-2

    def log_probability(self, x: Data, outputs: Outputs) -> Values:
        logits, means, log_scales, below = self._split(outputs)
        pixels = x[..., None, :]
        centres = means + jnp.einsum("...kij,...j->...ki", below, x)
        each = discretised_logistic(pixels, centres, log_scales).sum(-1)
        return example_sum(jax.nn.logsumexp(each + jax.nn.log_softmax(logits), axis=-1))

    def mean(self, outputs: Outputs) -> Data:
        """That of the mixture before it is cut into levels."""
        logits, means, _, below = self._split(outputs)
        centres: list[Array] = []
        for i in range(self.channels):
            others = [below[..., i, j] * centres[j] for j in range(i)]
            centres.append(means[..., i] + sum(others, jnp.zeros_like(means[..., i])))
        return jnp.clip(jnp.einsum("bhwk,bhwkc->bhwc", jax.nn.softmax(logits), jnp.stack(centres, -1)), -1, 1)

    def sample(self, outputs: Outputs, keys: Keys) -> Data:
        logits, means, log_scales, below = self._split(outputs)
        gumbel = -jnp.log(-jnp.log(jnp.clip(uniform(fold(keys, 0), logits.shape[1:]), 1e-7, 1 - 1e-7)))
        chosen = jax.nn.one_hot((logits + gumbel).argmax(-1), self.components)
        mean, log_scale = (jnp.einsum("bhwk,bhwkc->bhwc", chosen, a) for a in (means, log_scales))
        coefficients = jnp.einsum("bhwk,bhwkij->bhwij", chosen, below)
        noise = jnp.exp(log_scale) * logistic_noise(uniform(fold(keys, 1), mean.shape[1:]))
        x = jnp.zeros_like(mean)
        for i in range(self.channels):
            centre = mean[..., i] + (coefficients[..., i, :] * x).sum(-1)
            x = x.at[..., i].set(to_level(centre + noise[..., i]))
        return x


def logistic_noise(u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Uniform draws to those of the standard logistic distribution."""
    u = jnp.clip(u, 1e-6, 1 - 1e-6)
    return jnp.log(u) - jnp.log1p(-u)


def to_level(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The nearest of the 256 levels in [-1, 1]."""
    return jnp.clip(jnp.round((x + 1) / LEVEL) * LEVEL - 1, -1, 1)


@dataclass(frozen=True)
class Likelihood:
    """The family of p(x|z)."""

    name: Kind = "bernoulli"
    """bernoulli (pixels as bits, or as their probabilities), continuous_bernoulli (a density of pixels in between),
    gaussian (of pixels or points), logistic or logistic_mixture (probabilities of the 256 levels of 8-bit pixels)."""
    scale: float = 0.1
    """Standard deviation of the gaussian, or scale of the logistic, in units of the data (images: [-1, 1])."""
    learn_scale: bool = False
    """Learn the scale, one number, from there on."""
    components: int = 5
    """Logistics of a logistic_mixture."""
    draws: bool = False
    """Whether a sample is a draw of p(x|z), with the noise of the pixels; else it is the mean."""

    def __post_init__(self) -> None:
        require(self.scale > 0, "scale", self.scale, "above 0")
        at_least(self, 1, "components")
        scaled = self.name in ("gaussian", "logistic") or not self.learn_scale
        require(scaled, "learn_scale", self.learn_scale, f"for {self.name}, which has none; use gaussian or logistic")

    def outputs(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of what a decoder gives for data of `shape`.

        Raises:
            Invalid: points, of a likelihood of images.
        """
        fits = len(shape) == 3 or self.name == "gaussian"
        require(fits, "method.likelihood.name", self.name, "for points: use gaussian")
        if self.name != "logistic_mixture":
            return shape
        c = shape[2]
        return (*shape[:2], self.components * (1 + 2 * c + c * (c - 1) // 2))

    def network(self, shape: tuple[int, ...]) -> Observation:
        """What it learns besides the decoder's networks."""
        match self.name:
            case "bernoulli":
                return Bernoulli()
            case "continuous_bernoulli":
                return ContinuousBernoulli()
            case "gaussian":
                return Gaussian(self.scale, self.learn_scale)
            case "logistic":
                return Logistic(self.scale, self.learn_scale)
        return LogisticMixture(shape[2], self.components)
