"""What autoencoders share whose decoder is a likelihood p(x|z): what its outputs mean, in nats."""

import math
from dataclasses import dataclass
from typing import Literal, cast

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.errors import require
from genlab.losses.reconstruction import bernoulli, gaussian
from genlab.methods.autoencoder import Coder
from genlab.methods.game import Labels, Likelihood, Metrics, Networks, squash
from genlab.nn.network import decoder, encoder

Data = Float[Array, "b *shape"]


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
class Probabilistic(Coder, Likelihood):
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

    def core(self, shape: tuple[int, ...], features: int, code: int, rngs: nnx.Rngs) -> Networks:
        """An encoder to so many features, a decoder of so many latents, and what the decoder's outputs mean."""
        bits = self.likelihood == "bernoulli"
        require(len(shape) == 3 or not bits, "method.likelihood", self.likelihood, "for points: use gaussian")
        return {
            "encoder": encoder(self.encoder, shape, features, rngs, self.classes),
            "decoder": decoder(self.decoder, code, shape, rngs, self.classes),
            "observation": Bernoulli() if bits else Gaussian(self.scale, self.learn_scale),
        }

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
