"""What variational methods share: likelihoods, posteriors, importance weights, and weights of their divergence."""

import abc
import math
from dataclasses import dataclass
from typing import ClassVar, Literal, cast

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import require
from genlab.kernels.random import Keys, normal
from genlab.losses.divergence import kl_normal
from genlab.losses.reconstruction import bernoulli, gaussian
from genlab.methods.autoencoder import Coder
from genlab.methods.conditional import Conditional
from genlab.methods.game import Method, Player
from genlab.nn.network import decoder, encoder, last_bias
from genlab.parts.pixels import log_odds, squash
from genlab.parts.types import Labels, Metrics, Networks, Turn

Data = Float[Array, "b *shape"]
Latents = Float[Array, "b latent"]


@dataclass(frozen=True)
class Annealed(Method):
    """A divergence with a weight that may rise in the course of training."""

    beta: float = 1.0
    """Weight of the KL term; 1 is the ELBO."""
    warmup: int = 0
    """Iterations over which the weight rises linearly from 0 to beta (Sonderby et al. 2016); outside training: beta."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.beta >= 0, "beta", self.beta, "at least 0")
        require(self.warmup >= 0, "warmup", self.warmup, "at least 0")

    def weight(self, turn: Turn) -> Float[Array, ""] | float:
        """Of the KL term in this turn."""
        return self.beta * jnp.minimum(turn / self.warmup, 1.0) if self.warmup and turn is not None else self.beta


class Bernoulli(nnx.Module):
    """Pixels in [-1, 1] that are 1 with the probability sigmoid(output), else -1; in between they count as shares."""

    def distortion(self, x: Data, output: Data) -> Float[Array, " b"]:
        """-log p(x|z) in nats per example."""
        return bernoulli((x + 1) / 2, output)

    def mean(self, output: Data) -> Data:
        """The mean of p(x|z)."""
        return 2 * jax.nn.sigmoid(output) - 1

    def metrics(self) -> Metrics:
        """What is worth recording of it."""
        return {}


class Gaussian(nnx.Module):
    """N(squash(output), scale^2 I): one scale for all dimensions, fixed, or learned as in Dai and Wipf (2019).

    One scalar, because a scale of its own for each pixel has no optimum: on the border of MNIST, which is always
    black, its density grows without bound.
    """

    def __init__(self, scale: float, learned: bool):
        self.log_scale = (nnx.Param if learned else nnx.BatchStat)(jnp.asarray(math.log(scale)))
        self.learned = learned

    def distortion(self, x: Data, output: Data) -> Float[Array, " b"]:
        """-log p(x|z) in nats per example."""
        return gaussian(x, squash(output), 2 * self.log_scale[...])

    def mean(self, output: Data) -> Data:
        """The mean of p(x|z)."""
        return squash(output)

    def metrics(self) -> Metrics:
        """What is worth recording of it."""
        return {"scale": jnp.exp(self.log_scale[...])} if self.learned else {}


@dataclass(frozen=True)
class Probabilistic(Coder):
    """An encoder, and a decoder that is trained by its likelihood."""

    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    """bernoulli (pixels as probabilities in [0, 1]; images only) or gaussian."""
    scale: float = 0.1
    """Standard deviation of the gaussian likelihood, in units of the data (images: [-1, 1])."""
    learn_scale: bool = False
    """Learn the scale, one number, from there on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.scale > 0, "scale", self.scale, "above 0")
        fits = self.likelihood == "gaussian" or not self.learn_scale
        require(fits, "learn_scale", self.learn_scale, "for the bernoulli, which has none; use gaussian")

    @property
    def observation(self) -> str:
        return self.likelihood

    def core(self, shape: tuple[int, ...], features: int, code: int, rngs: nnx.Rngs, *, bias: bool = True) -> Networks:
        """An encoder to so many features, a decoder of so many latents, and what the decoder's outputs mean.

        `bias` is whether the encoder's output layer has one.
        """
        bits = self.likelihood == "bernoulli"
        require(len(shape) == 3 or not bits, "method.likelihood", self.likelihood, "for points: use gaussian")
        return {
            "encoder": encoder(self.encoder, shape, features, rngs, self.classes, bias=bias),
            "decoder": decoder(self.decoder, code, shape, rngs, self.classes),
            "observation": Bernoulli() if bits else Gaussian(self.scale, self.learn_scale),
        }

    def centre(self, networks: Networks, mean: Float[Array, "*shape"]) -> None:
        """The decoder's last bias is the logit of the data's mean if bernoulli, as in the official code of Burda et al.

        That of each pixel, or of each channel where the last layer is a convolution.
        """
        if self.likelihood == "bernoulli":
            bias = last_bias(networks["decoder"])
            bias[...] = log_odds(mean.reshape(-1, bias.size).mean(0))

    def distortion(
        self, networks: Networks, x: Data, z: Float[Array, "b code"], labels: Labels = None
    ) -> Float[Array, " b"]:
        """-log p(x|z) in nats per example."""
        return _observation(networks).distortion(x, networks["decoder"](z, labels))

    def mean(self, networks: Networks, z: Float[Array, "b code"], labels: Labels = None) -> Data:
        """The mean of p(x|z), in [-1, 1] for images."""
        return _observation(networks).mean(networks["decoder"](z, labels))

    def bound(self, networks: Networks, distortion: Float[Array, " b"], kl: Float[Array, " b"]) -> Metrics:
        """The two sides of the evidence lower bound, and the bound, in nats; the scale if it is learned."""
        seen = {"distortion": distortion.mean(), "kl": kl.mean(), "elbo": -(distortion + kl).mean()}
        return seen | _observation(networks).metrics()


def _observation(networks: Networks) -> Bernoulli | Gaussian:
    return cast(Bernoulli | Gaussian, networks["observation"])


@dataclass(frozen=True)
class Posterior(Coder):
    """q(z|x) = N(mean(x), diag(variance(x))), both from the encoder."""

    def posterior(
        self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None
    ) -> tuple[Latents, Latents]:
        """Mean and log-variance of q(z|x)."""
        mean, log_variance = jnp.split(networks["encoder"](x, labels), 2, axis=1)
        return mean, log_variance

    def draw(self, mean: Latents, log_variance: Latents, keys: Keys) -> Latents:
        """z ~ q(z|x), one per key: the reparametrisation, Kingma and Welling (2014), eq. 4 and 10."""
        return mean + jnp.exp(log_variance / 2) * normal(keys, (self.latent,))

    def encode(self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None) -> Latents:
        return self.posterior(networks, x, labels)[0]


@dataclass(frozen=True)
class Variational(Probabilistic, Posterior):
    """p(x|z) by the decoder, q(z|x) by the encoder, and some p(z)."""

    headline: ClassVar[tuple[str, str]] = ("model/loss", "model/kl")

    @abc.abstractmethod
    def log_prior(self, networks: Networks, z: Latents) -> Float[Array, " b"]:
        """log p(z) in nats."""

    @abc.abstractmethod
    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        """What is minimised, over all networks together."""

    def players(self) -> tuple[Player, ...]:
        return (Player("model", self.sampling, self.loss, self.optimizer),)

    def weigh(
        self,
        networks: Networks,
        x: Float[Array, "b *shape"],
        mean: Latents,
        log_variance: Latents,
        keys: Keys,
        labels: Labels = None,
    ) -> Float[Array, " b"]:
        """log p(x, z) - log q(z|x) of one z ~ q(z|x) per key, from the posterior's mean and log-variance."""
        z = self.draw(mean, log_variance, keys)
        return self.log_prior(networks, z) - self.distortion(networks, x, z, labels) + gaussian(z, mean, log_variance)

    def log_weight(
        self, networks: Networks, x: Float[Array, "b *shape"], keys: Keys, labels: Labels = None
    ) -> Float[Array, " b"]:
        return self.weigh(networks, x, *self.posterior(networks, x, labels), keys, labels)

    def decode(self, networks: Networks, z: Latents, labels: Labels = None) -> Float[Array, "b *shape"]:
        return self.mean(networks, z, labels)


@dataclass(frozen=True)
class Isotropic(Conditional, Variational):
    """p(z) = N(0, I).

    With classes p(x|z, y) and q(z|x, y) are of a class y, as in Sohn et al. (2015), and all bounds are of log p(x|y).
    """

    sampling: ClassVar[tuple[str, ...]] = ("encoder", "decoder", "observation")

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        return self.core(shape, 2 * self.latent, self.latent, rngs)

    normal = True

    def prior(self, networks: Networks, keys: Keys) -> Latents:
        return normal(keys, (self.latent,))

    def log_prior(self, networks: Networks, z: Latents) -> Float[Array, " b"]:
        return -gaussian(z, 0.0, 0.0)

    def divergences(
        self, networks: Networks, x: Float[Array, "b *shape"], keys: Keys, labels: Labels = None
    ) -> Latents:
        return kl_normal(*self.posterior(networks, x, labels))
