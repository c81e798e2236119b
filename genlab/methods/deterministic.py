"""What autoencoders without a posterior share: one latent for each example, and squared errors."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.losses.reconstruction import squared_error
from genlab.methods.autoencoder import Autoencoder
from genlab.methods.game import Labels, Metrics, Networks, batch_mean
from genlab.nn.network import decoder, encoder


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


def blank(x: Float[Array, "b *shape"]) -> float:
    """What stands for nothing: black in images, which lie in [-1, 1]; 0 elsewhere."""
    return -1.0 if x.ndim == 4 else 0.0
