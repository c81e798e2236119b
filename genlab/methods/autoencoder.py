"""What autoencoders share: an encoder, a decoder, squared errors, and a Gaussian of their codes to sample from."""

import abc
from dataclasses import dataclass, field
from typing import ClassVar, cast

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.kernels.random import Keys, normal
from genlab.losses.reconstruction import squared_error
from genlab.methods.game import Encoding, Player
from genlab.nn.layers import AXIS
from genlab.nn.network import Net, decoder, encoder
from genlab.parts.metrics import batch_mean
from genlab.parts.optimizer import Optimizer
from genlab.parts.pixels import squash
from genlab.parts.types import Labels, Metrics, Networks, Turn


@dataclass(frozen=True)
class Coder(Encoding):
    """An encoder and a decoder, whatever their outputs mean."""

    monitor: ClassVar[str] = "validation/model/loss"

    latent: int = 16
    """Dimensions of the latent space."""
    encoder: Net = field(default_factory=Net)
    """Examples to latents, or to what a posterior over them needs."""
    decoder: Net = field(default_factory=Net)
    """Latents to examples, or to what a likelihood of them needs."""
    optimizer: Optimizer = field(default_factory=Optimizer)
    """The optimiser of both."""


@dataclass(frozen=True)
class Autoencoder(Coder):
    """Examples to latents and back."""

    normal = True

    def draw_latents(self, networks: Networks, keys: Keys) -> Float[Array, "b latent"]:
        return normal(keys, (self.latent,))

    def decode(
        self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None
    ) -> Float[Array, "b *shape"]:
        return squash(networks["decoder"](z))


@dataclass(frozen=True)
class Deterministic(Autoencoder):
    """An encoder that gives every example one latent."""

    sampling: ClassVar[tuple[str, ...]] = ("encoder", "decoder")
    headline: ClassVar[tuple[str, str]] = ("model/loss", "model/rmse")

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        return {
            "encoder": encoder(self.encoder, shape, self.latent, rngs),
            "decoder": decoder(self.decoder, self.latent, shape, rngs),
        }

    def encode(
        self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None
    ) -> Float[Array, "b latent"]:
        return networks["encoder"](x)


def error(x: Float[Array, "b *shape"], y: Float[Array, "b *shape"]) -> tuple[Float[Array, ""], Metrics]:
    """The squared error summed over an example, its mean; as a metric, its root mean over all numbers."""
    errors = squared_error(x, y)
    return errors.mean(), {"rmse": jnp.sqrt(batch_mean(errors) / x[0].size)}


class Codes(nnx.Module):
    """Running mean and second moment of the codes: a full-covariance Gaussian to sample latents from.

    Ghosh et al. (2020), "From variational to deterministic autoencoders", section 4, fit it after training; running
    averages give it at any step. Nothing is differentiated through it.
    """

    def __init__(self, latent: int, decay: float = 0.99):
        self.mean = nnx.BatchStat(jnp.zeros(latent))
        self.second = nnx.BatchStat(jnp.eye(latent))
        self.decay = decay

    def update(self, z: Float[Array, "b latent"]) -> None:
        """Move the averages towards this batch, the mean of all devices'."""
        z = jax.lax.stop_gradient(z)
        mean, second = jax.lax.pmean((z.mean(0), z.T @ z / len(z)), AXIS)
        self.mean[...] = self.decay * self.mean[...] + (1 - self.decay) * mean
        self.second[...] = self.decay * self.second[...] + (1 - self.decay) * second

    def __call__(self, noise: Float[Array, "b latent"]) -> Float[Array, "b latent"]:
        """Standard normal noise to draws from the Gaussian."""
        covariance = self.second[...] - jnp.outer(self.mean[...], self.mean[...])
        variance, axes = jnp.linalg.eigh(covariance)  # a symmetric root, which a singular covariance has too
        return self.mean[...] + noise * jnp.sqrt(jnp.maximum(variance, 0)) @ axes.T


@dataclass(frozen=True)
class Coded(Deterministic):
    normal = False
    """An autoencoder sampled from the Gaussian of its codes; one player moves all of it."""

    sampling: ClassVar[tuple[str, ...]] = ("encoder", "decoder", "codes")

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        return super().networks(shape, rngs) | {"codes": Codes(self.latent)}

    def players(self) -> tuple[Player, ...]:
        return (Player("model", ("encoder", "decoder", "codes"), self.loss, self.optimizer),)

    @abc.abstractmethod
    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        """What the player minimises; it codes every batch once."""

    def code(self, networks: Networks, x: Float[Array, "b *shape"]) -> Float[Array, "b latent"]:
        """The latents of a batch, to which the Gaussian then moves."""
        z = self.encode(networks, x)
        cast(Codes, networks["codes"]).update(z)
        return z

    def draw_latents(self, networks: Networks, keys: Keys) -> Float[Array, "b latent"]:
        return networks["codes"](normal(keys, (self.latent,)))
