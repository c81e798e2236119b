"""Distributions of latents: what posteriors and priors are, with or without one set of parameters per example."""

import abc
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genlab.kernels.random import Keys, fold, normal, uniform
from genlab.losses.divergence import kl_normal
from genlab.losses.reconstruction import gaussian
from genlab.nn.flows import AutoregressiveFlow, CouplingFlow

Latents = Float[Array, "b latent"]
Values = Float[Array, " b"]


class Distribution(abc.ABC):
    """Of latents; a posterior's row i is that of example i, a prior has one for all. A pytree of its parameters."""

    @abc.abstractmethod
    def draw(self, keys: Keys) -> Latents:
        """One latent per key, differentiable by the parameters where that is possible: the reparametrisation."""

    @abc.abstractmethod
    def log_probability(self, z: Latents) -> Values:
        """log of the density in nats."""

    @abc.abstractmethod
    def repeated(self, k: int) -> "Distribution":
        """Of a posterior: every row k times, one after the other."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Normal(Distribution):
    """A Gaussian of independent latents."""

    mean: Float[Array, "*b latent"]
    log_variance: Float[Array, "*b latent"]

    def draw(self, keys: Keys) -> Latents:
        """Kingma and Welling (2014), eq. 4 and 10."""
        return self.mean + jnp.exp(self.log_variance / 2) * normal(keys, self.mean.shape[-1:])

    def log_probability(self, z: Latents) -> Values:
        return -gaussian(z, self.mean, self.log_variance)

    def repeated(self, k: int) -> "Normal":
        return jax.tree.map(lambda a: jnp.repeat(a, k, axis=0), self)


def standard(latent: int) -> Normal:
    """N(0, I)."""
    return Normal(jnp.zeros(latent), jnp.zeros(latent))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class FullNormal(Distribution):
    """A Gaussian with any covariance L L^T, of which `root` is the lower triangular L, its diagonal above 0."""

    mean: Float[Array, "b latent"]
    root: Float[Array, "b latent latent"]

    def draw(self, keys: Keys) -> Latents:
        return self.mean + jnp.einsum("bij,bj->bi", self.root, normal(keys, self.mean.shape[-1:]))

    def log_probability(self, z: Latents) -> Values:
        solve = jax.vmap(lambda root, a: jax.scipy.linalg.solve_triangular(root, a, lower=True))
        log_diagonal = jnp.log(jnp.diagonal(self.root, axis1=1, axis2=2)).sum(1)
        return -gaussian(solve(self.root, z - self.mean), 0.0, 0.0) - log_diagonal

    def repeated(self, k: int) -> "FullNormal":
        return jax.tree.map(lambda a: jnp.repeat(a, k, axis=0), self)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Mixture(Distribution):
    """A mixture of Gaussians: row i of `components` has the log weight i, all of which are normalised here."""

    components: Normal | FullNormal
    logits: Float[Array, " components"]

    def draw(self, keys: Keys) -> Latents:
        """By the inverse of the cumulative weights; no gradient reaches the weights."""
        ends = jnp.cumsum(jax.nn.softmax(self.logits))
        chosen = jnp.minimum(jnp.searchsorted(ends, uniform(fold(keys, 0)), side="right"), len(ends) - 1)
        return jax.tree.map(lambda a: a[chosen], self.components).draw(fold(keys, 1))

    def log_probability(self, z: Latents) -> Values:
        def of_one(component: Normal | FullNormal) -> Values:
            return jax.tree.map(lambda a: jnp.broadcast_to(a, (len(z), *a.shape)), component).log_probability(z)

        each = jax.vmap(of_one, out_axes=1)(self.components)
        return jax.nn.logsumexp(each + jax.nn.log_softmax(self.logits), axis=1)

    def repeated(self, k: int) -> "Mixture":
        return jax.tree.map(lambda a: jnp.repeat(a, k, axis=0), self)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class CouplingDistribution(Distribution):
    """Standard normal noise through a coupling flow."""

    flow: CouplingFlow

    def draw(self, keys: Keys) -> Latents:
        return self.flow.forward(normal(keys, (self.flow.latent,)))

    def log_probability(self, z: Latents) -> Values:
        noise, log_slope = self.flow.inverse(z)
        return -gaussian(noise, 0.0, 0.0) + log_slope

    def repeated(self, k: int) -> "CouplingDistribution":
        return self


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class AutoregressiveDistribution(Distribution):
    """Draws from a Gaussian through an inverse autoregressive flow, which is told the example by a context."""

    base: Normal
    context: Float[Array, "b context"]
    flow: AutoregressiveFlow

    def draw(self, keys: Keys) -> Latents:
        return self.flow.forward(self.base.draw(keys), self.context)

    def log_probability(self, z: Latents) -> Values:
        """Inverts the flow, one latent after the other: as many passes as there are latents."""
        start, log_slope = self.flow.inverse(z, self.context)
        return self.base.log_probability(start) + log_slope

    def repeated(self, k: int) -> "AutoregressiveDistribution":
        return AutoregressiveDistribution(self.base.repeated(k), jnp.repeat(self.context, k, axis=0), self.flow)


def divergences(q: Distribution, p: Distribution) -> Latents | None:
    """KL(q(z_i|x) || p(z_i)) of every latent in nats; None where either is none of each latent by itself."""
    if isinstance(q, Normal) and isinstance(p, Normal):
        return kl_normal(q.mean, q.log_variance, p.mean, p.log_variance)
    return None
