"""Priors p(z) over latents."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.errors import at_least, require
from genlab.nn.flows import CouplingFlow
from genlab.parts.distributions import CouplingDistribution, Distribution, FullNormal, Mixture, Normal, standard
from genlab.parts.pixels import squash
from genlab.parts.types import Networks

Kind = Literal["normal", "vamp", "mixture", "flow"]


class PseudoInputs(nnx.Module):
    """Learned inputs to the encoder: images in (-1, 1), near black at first, or points."""

    def __init__(self, count: int, shape: tuple[int, ...], *, rngs: nnx.Rngs):
        self.inputs = nnx.Param(0.5 * jax.random.normal(rngs.params(), (count, *shape)) - (len(shape) == 3))

    def __call__(self) -> Float[Array, "components *shape"]:
        return squash(self.inputs[...])


class Gaussians(nnx.Module):
    """Learned means, log-variances and weights of a mixture; at first about N(0, I), all weights alike."""

    def __init__(self, count: int, latent: int, *, rngs: nnx.Rngs):
        self.means = nnx.Param(jax.random.normal(rngs.params(), (count, latent)))
        self.log_variances = nnx.Param(jnp.zeros((count, latent)))
        self.logits = nnx.Param(jnp.zeros(count))


@dataclass(frozen=True)
class Prior:
    """The family of p(z)."""

    name: Kind = "normal"
    """normal (N(0, I)), vamp (the mean of the posteriors of learned inputs, Tomczak and Welling 2018), mixture (of
    Gaussians, learned) or flow (RealNVP, Dinh et al. 2017)."""
    components: int = 100
    """Pseudo-inputs of vamp, Gaussians of a mixture."""
    steps: int = 4
    """Coupling steps; flow only."""
    width: int = 64
    """Hidden units of each step; flow only."""

    def __post_init__(self) -> None:
        at_least(self, 1, "components", "steps", "width")

    def networks(self, latent: int, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        """Networks of its own, as "prior"; N(0, I) has none. Data are of `shape`."""
        match self.name:
            case "vamp":
                return {"prior": PseudoInputs(self.components, shape, rngs=rngs)}
            case "mixture":
                return {"prior": Gaussians(self.components, latent, rngs=rngs)}
            case "flow":
                require(latent >= 2, "latent", latent, "at least 2 under a flow, whose steps read some and move others")
                return {"prior": CouplingFlow(latent, self.steps, self.width, rngs=rngs)}
        return {}

    def __call__(
        self, latent: int, networks: Networks, posterior: Callable[[Float[Array, "n *shape"]], Distribution]
    ) -> Distribution:
        """p(z), given the networks and what the posterior of examples is."""
        match self.name:
            case "vamp":
                inputs = cast(PseudoInputs, networks["prior"])()
                components = cast(Normal | FullNormal, posterior(inputs))
                return Mixture(components, jnp.zeros(self.components))
            case "mixture":
                own = cast(Gaussians, networks["prior"])
                return Mixture(Normal(own.means[...], own.log_variances[...]), own.logits[...])
            case "flow":
                return CouplingDistribution(cast(CouplingFlow, networks["prior"]))
        return standard(latent)
