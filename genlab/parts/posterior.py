"""Posteriors q(z|x), made of what an encoder gives."""

from dataclasses import dataclass
from typing import Literal, cast

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.errors import at_least
from genlab.nn.flows import AutoregressiveFlow
from genlab.parts.distributions import AutoregressiveDistribution, Distribution, FullNormal, Normal

Kind = Literal["diagonal", "full", "iaf"]


@dataclass(frozen=True)
class Posterior:
    """The family of q(z|x)."""

    name: Kind = "diagonal"
    """diagonal (a Gaussian of independent latents), full (of any covariance) or iaf (an inverse autoregressive flow of
    the first, Kingma et al. 2016)."""
    steps: int = 2
    """Steps of the flow; iaf only."""
    width: int = 64
    """Hidden units of each step, and numbers by which the encoder tells it the example; iaf only."""

    def __post_init__(self) -> None:
        at_least(self, 1, "steps", "width")

    def features(self, latent: int) -> int:
        """How many numbers it asks of the encoder."""
        match self.name:
            case "full":
                return 2 * latent + latent * (latent - 1) // 2
            case "iaf":
                return 2 * latent + self.width
        return 2 * latent

    def networks(self, latent: int, rngs: nnx.Rngs) -> dict[str, nnx.Module]:
        """Networks of its own, as "posterior"; the Gaussians have none."""
        if self.name != "iaf":
            return {}
        return {"posterior": AutoregressiveFlow(latent, self.width, self.steps, self.width, rngs=rngs)}

    def __call__(
        self, features: Float[Array, "b features"], latent: int, networks: dict[str, nnx.Module]
    ) -> Distribution:
        """q(z|x) of each example, from the encoder's numbers: means, log-variances, and what else it asks for."""
        mean, log_variance, others = jnp.split(features, [latent, 2 * latent], axis=1)
        match self.name:
            case "full":
                rows, columns = jnp.tril_indices(latent, -1)
                below = jnp.zeros((len(features), latent, latent)).at[:, rows, columns].set(others)
                return FullNormal(mean, below + jnp.exp(log_variance / 2)[:, :, None] * jnp.eye(latent))
            case "iaf":
                flow = cast(AutoregressiveFlow, networks["posterior"])
                return AutoregressiveDistribution(Normal(mean, log_variance), others, flow)
        return Normal(mean, log_variance)

    def mean(self, features: Float[Array, "b features"], latent: int, networks: dict[str, nnx.Module]) -> Array:
        """The latent that stands for an example: the mean of a Gaussian, which a flow takes with it."""
        q = self(features, latent, networks)
        if isinstance(q, AutoregressiveDistribution):
            return q.flow.forward(q.base.mean, q.context)
        return cast(Normal | FullNormal, q).mean
