"""The VAE with a variational mixture of posteriors prior, Tomczak and Welling (2018)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import require
from genlab.kernels.random import Keys, fold, uniform
from genlab.losses.reconstruction import gaussian
from genlab.methods.variational import Annealed, Latents, Variational
from genlab.parts.pixels import squash
from genlab.parts.types import Metrics, Networks, Turn


class Pseudo(nnx.Module):
    """Learned inputs to the encoder: images in (-1, 1), near black at first, or points."""

    def __init__(self, count: int, shape: tuple[int, ...], *, rngs: nnx.Rngs):
        self.inputs = nnx.Param(0.5 * jax.random.normal(rngs.params(), (count, *shape)) - (len(shape) == 3))

    def __call__(self) -> Float[Array, "components *shape"]:
        return squash(self.inputs[...])


@dataclass(frozen=True)
class Vamp(Variational, Annealed):
    """Minimises E_q[-log p(x|z)] + beta KL(q(z|x) || p(z)), where p(z) is the mean of q(z|u) over learned inputs u."""

    sampling: ClassVar[tuple[str, ...]] = ("encoder", "decoder", "observation", "pseudo")

    components: int = 100
    """Pseudo-inputs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.components >= 1, "components", self.components, "at least 1")
        mixed = "allowed: batch norm would mix the pseudo-inputs with the data; use layer or none"
        require(self.encoder.norm != "batch", "encoder.norm", self.encoder.norm, mixed)
        apart = "0: dropout goes by an example's place in the batch, where pseudo-inputs have none"
        require(not self.encoder.dropout, "encoder.dropout", self.encoder.dropout, apart)

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        core = self.core(shape, 2 * self.latent, self.latent, rngs)
        return core | {"pseudo": Pseudo(self.components, shape, rngs=rngs)}

    def log_prior(self, networks: Networks, z: Latents) -> Float[Array, " b"]:
        """log 1/K sum_k q(z|u_k)."""
        means, log_variances = self.posterior(networks, networks["pseudo"]())
        each = jax.vmap(lambda mean, log_variance: -gaussian(z, mean, log_variance), out_axes=1)(means, log_variances)
        return jax.nn.logsumexp(each, axis=1) - math.log(self.components)

    def prior(self, networks: Networks, keys: Keys) -> Latents:
        means, log_variances = self.posterior(networks, networks["pseudo"]())
        chosen = (uniform(fold(keys, 0)) * self.components).astype(jnp.int32)
        return self.draw(means[chosen], log_variances[chosen], fold(keys, 1))

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        """-ELBO; its divergence, which has no closed form, from the one sample that the reconstruction takes."""
        mean, log_variance = self.posterior(networks, batch.x)
        z = self.draw(mean, log_variance, keys)
        distortion = self.distortion(networks, batch.x, z)
        kl = -gaussian(z, mean, log_variance) - self.log_prior(networks, z)
        return distortion.mean() + self.weight(turn) * kl.mean(), self.bound(networks, distortion, kl)
