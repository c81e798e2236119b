"""Normalising flows of latents: invertible maps whose Jacobian has a known determinant. Both start as the identity."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from genlab.nn.initialisers import glorot, he

Latents = Float[Array, "b latent"]
Values = Float[Array, " b"]
Mask = Bool[Array, "inputs outputs"]


class _Conditioner(nnx.Module):
    """One hidden layer from what is known to the shift and the log of the scale of each latent, at first both 0.

    The scale lies between 1/e and e.
    """

    def __init__(self, inputs: int, latent: int, width: int, *, rngs: nnx.Rngs):
        self.first = nnx.Param(he(rngs.params(), (inputs, width)))
        self.bias = nnx.Param(jnp.zeros(width))
        self.second = nnx.Param(glorot(rngs.params(), (width, 2 * latent)))
        self.gain = nnx.Param(jnp.zeros(2 * latent))

    def __call__(
        self, x: Float[Array, "b inputs"], reads: Mask | float = 1.0, writes: Mask | float = 1.0
    ) -> tuple[Latents, Latents]:
        """Along the connections that the masks of the two kernels leave."""
        hidden = jax.nn.relu(x @ (self.first[...] * reads) + self.bias[...])
        shift, log_scale = jnp.split(self.gain[...] * (hidden @ (self.second[...] * writes)), 2, axis=1)
        return shift, jnp.tanh(log_scale)


class CouplingFlow(nnx.Module):
    """RealNVP (Dinh et al. 2017): each step scales and shifts every other latent by functions of those between."""

    def __init__(self, latent: int, steps: int, width: int, *, rngs: nnx.Rngs):
        self.latent = latent
        self.steps = nnx.List([_Conditioner(latent, latent, width, rngs=rngs) for _ in range(steps)])

    def _mask(self, step: int) -> Float[Array, " latent"]:
        """1 for the latents that a step reads and leaves as they are: the even ones, then the odd ones, and so on."""
        return (jnp.arange(self.latent) % 2 == step % 2).astype(jnp.float32)

    def forward(self, noise: Latents) -> Latents:
        """Noise to latents."""
        z = noise
        for i, step in enumerate(self.steps):
            kept = self._mask(i)
            shift, log_scale = step(z * kept)
            z = kept * z + (1 - kept) * (z * jnp.exp(log_scale) + shift)  # eq. 9
        return z

    def inverse(self, z: Latents) -> tuple[Latents, Values]:
        """Latents to noise, and the log of the determinant of the Jacobian of this."""
        total = jnp.zeros(len(z))
        for i, step in reversed(list(enumerate(self.steps))):
            kept = self._mask(i)
            shift, log_scale = step(z * kept)
            z = kept * z + (1 - kept) * (z - shift) * jnp.exp(-log_scale)  # eq. 10
            total -= ((1 - kept) * log_scale).sum(1)
        return z, total


class AutoregressiveFlow(nnx.Module):
    """Inverse autoregressive flow (Kingma et al. 2016): a step scales and shifts each latent by functions of those
    before it and of a context; every other step begins at the other end."""

    def __init__(self, latent: int, context: int, steps: int, width: int, *, rngs: nnx.Rngs):
        self.steps = nnx.List([_Conditioner(latent + context, latent, width, rngs=rngs) for _ in range(steps)])

    def forward(self, z: Latents, context: Float[Array, "b context"]) -> Latents:
        """Draws of the base to latents, all at once."""
        for step in self.steps:
            shift, log_scale = _masked(step, z, context)
            z = (z * jnp.exp(log_scale) + shift)[:, ::-1]  # eq. 10 with another scale
        return z

    def inverse(self, z: Latents, context: Float[Array, "b context"]) -> tuple[Latents, Values]:
        """Latents to draws of the base, one latent after the other; the log of the Jacobian's determinant of this."""
        total = jnp.zeros(len(z))
        for step in reversed(list(self.steps)):
            z = z[:, ::-1]
            before = jnp.zeros_like(z)
            for _ in range(z.shape[1]):  # each pass makes one more latent right
                shift, log_scale = _masked(step, before, context)
                before = (z - shift) * jnp.exp(-log_scale)
            total -= _masked(step, before, context)[1].sum(1)
            z = before
        return z, total


def _masked(step: _Conditioner, z: Latents, context: Float[Array, "b context"]) -> tuple[Latents, Latents]:
    """Shift and log scale of latent i from the latents before i and the context (MADE, Germain et al. 2015, eq. 8, 9):
    hidden unit j reads the latents below its degree, latent i the hidden units of a degree up to i."""
    latent, width = z.shape[1], step.bias.shape[0]
    degrees, places = jnp.arange(width) % latent, jnp.arange(latent)
    reads = jnp.concatenate([places[:, None] < degrees, jnp.ones((context.shape[1], width), bool)])
    return step(jnp.concatenate([z, context], axis=1), reads, jnp.tile(degrees[:, None] <= places, (1, 2)))
