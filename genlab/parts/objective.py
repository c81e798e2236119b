"""What a variational method minimises, per example in nats, of a posterior q, a prior p and a likelihood."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genlab.errors import at_least, require
from genlab.kernels.random import Keys, fold
from genlab.losses.divergence import mmd
from genlab.nn.layers import AXIS
from genlab.parts.distributions import Distribution, Normal, divergences
from genlab.parts.latent_model import LatentModel
from genlab.parts.types import Metrics, Turn

Latents = Float[Array, "b latent"]
Scalar = Float[Array, ""]
LogLikelihood = Callable[[Latents], Float[Array, " b"]]  # of k latents to an example, k times as many
PRIOR = 1  # stream of the draws from the prior


@dataclass(frozen=True)
class Objective:
    """What is minimised."""

    name: Literal["elbo", "iwae", "mmd", "tc"] = "elbo"
    """elbo (minus the evidence lower bound), iwae (minus the importance-weighted bound, Burda et al. 2016), mmd
    (InfoVAE, Zhao et al. 2019) or tc (beta-TCVAE, Chen et al. 2018)."""
    beta: float = 1.0
    """Weight of the KL term (Higgins et al. 2017), 1 for the bound itself; of tc that of the total correlation. Not of
    iwae."""
    warmup: int = 0
    """Iterations over which the weight of the KL term rises linearly from 0 (Sonderby et al. 2016); outside training it
    is whole. Not of iwae."""
    free_bits: float = 0.0
    """Nats of KL that every latent may use for nothing, on average over the batch; 0 charges all. Of elbo only."""
    k: int = 5
    """Latents drawn for each example; iwae only."""
    gradient: Literal["plain", "dreg", "stl"] = "plain"
    """Of iwae: its own, the doubly reparametrised one (DReG, Tucker et al. 2019), unbiased with a signal that grows
    with k, or the one that leaves out the score of q (sticking the landing, Roeder et al. 2017), biased for k > 1."""
    weight: float = 10.0
    """Weight of the discrepancy of all latents from the prior, alpha + lambda - 1 where beta is 1 - alpha; mmd only."""

    def __post_init__(self) -> None:
        at_least(self, 0, "beta", "warmup", "free_bits", "weight")
        at_least(self, 1, "k")
        plain = self.name != "iwae" or (self.beta == 1 and not self.warmup)
        require(plain, "beta", self.beta, "1 without a warm-up, as of iwae, whose bound has no KL term to weigh")
        require(self.name == "elbo" or not self.free_bits, "free_bits", self.free_bits, f"0 with {self.name}; use elbo")
        require(self.name == "iwae" or self.gradient == "plain", "gradient", self.gradient, "plain; use iwae")

    def check(self, model: LatentModel) -> None:
        """That it can be had of this model.

        Raises:
            Invalid: it cannot; the message says why.
        """
        apart = model.posterior.name == "diagonal"
        of_each = "0: only with the diagonal posterior and the normal prior the KL term is of each latent by itself"
        require(apart and model.prior.name == "normal" or not self.free_bits, "free_bits", self.free_bits, of_each)
        product = "diagonal, as the total correlation of tc wants it, which compares it with its marginals"
        require(apart or self.name != "tc", "posterior.name", model.posterior.name, product)
        one = "0: dropout goes by an example's place in the batch, where k latents of each have none of their own"
        single = self.name != "iwae" or self.k == 1
        require(single or not model.decoder.dropout, "decoder.dropout", model.decoder.dropout, one)

    def __call__(
        self, q: Distribution, p: Distribution, log_likelihood: LogLikelihood, keys: Keys, turn: Turn = None
    ) -> tuple[Scalar, Metrics]:
        """The loss of a batch and its metrics; draws by the examples' keys."""
        match self.name:
            case "iwae":
                return self._importance(q, p, log_likelihood, keys)
            case "mmd":
                return self._discrepant(q, p, log_likelihood, keys, turn)
            case "tc":
                return self._correlated(q, p, log_likelihood, keys, turn)
        loss, metrics, _ = self._bound(q, p, log_likelihood, keys, self.weight_of_kl(turn))
        return loss, metrics

    def rise(self, turn: Turn) -> Scalar | float:
        """How much of the KL term's weight is in force in this turn."""
        return jnp.minimum(turn / self.warmup, 1.0) if self.warmup and turn is not None else 1.0

    def weight_of_kl(self, turn: Turn) -> Scalar | float:
        """beta, as far as it has risen in this turn."""
        return self.beta * self.rise(turn)

    def _bound(
        self, q: Distribution, p: Distribution, log_likelihood: LogLikelihood, keys: Keys, weight: Scalar | float
    ) -> tuple[Scalar, Metrics, Latents]:
        """-E_q[log p(x|z)] + weight KL(q || p), the metrics of the bound, and the latents drawn."""
        z = q.draw(keys)
        distortion = -log_likelihood(z)
        each = divergences(q, p)
        if each is None:  # no closed form: from the one sample that the reconstruction takes
            kl = q.log_probability(z) - p.log_probability(z)
            charged = kl.mean()
        else:
            kl, charged = each.sum(1), self.charged(each)
        return distortion.mean() + weight * charged, evidence(distortion, kl), z

    def charged(self, kl: Latents) -> Scalar:
        """The sum over latents of max(free bits, mean KL) of Kingma et al. (2016), the mean being all devices'.

        Written as a choice, so that each device's gradient is that of its own share of the mean.
        """
        mine = kl.mean(0)
        everyone = jax.lax.pmean(jax.lax.stop_gradient(mine), AXIS)
        return jnp.where(everyone > self.free_bits, mine, self.free_bits).sum()

    def _importance(
        self, q: Distribution, p: Distribution, log_likelihood: LogLikelihood, keys: Keys
    ) -> tuple[Scalar, Metrics]:
        """Minus the log of the mean of k importance weights: Burda et al. (2016), eq. 8, and its own gradient, in which
        every latent counts by the share of its weight; or that of dreg or stl."""
        keys = jax.vmap(lambda key: jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(self.k)))(keys).reshape(-1)
        q = q.repeated(self.k)
        z = q.draw(keys)
        scored = q if self.gradient == "plain" else jax.lax.stop_gradient(q)

        def log_weights(z: Latents) -> Float[Array, "b k"]:
            each = p.log_probability(z) + log_likelihood(z) - scored.log_probability(z)
            return each.reshape(-1, self.k)

        weights = log_weights(z)
        shares = jax.lax.stop_gradient(jax.nn.softmax(weights, axis=1))
        metrics = {"elbo": weights.mean(), "effective_samples": (1 / jnp.square(shares).sum(1)).mean()}  # Kish's
        bound = jax.nn.logsumexp(weights, axis=1) - jnp.log(self.k)
        if self.gradient == "dreg":  # eq. 8: by way of z every latent counts by the square of its share
            shared = (shares * log_weights(scale_gradient(z, shares.reshape(-1, 1)))).sum(1)
            bound = jax.lax.stop_gradient(bound - shared) + shared
        return -bound.mean(), metrics

    def _discrepant(
        self, q: Distribution, p: Distribution, log_likelihood: LogLikelihood, keys: Keys, turn: Turn
    ) -> tuple[Scalar, Metrics]:
        """InfoVAE, eq. 6 of Zhao et al. (2019): the bound, its KL term weighed by beta = 1 - alpha, and the discrepancy
        between the latents of all devices' batch and as many draws of the prior."""
        loss, metrics, z = self._bound(q, p, log_likelihood, keys, self.weight_of_kl(turn))
        everyone, prior = jax.lax.all_gather((z, p.draw(fold(keys, PRIOR))), AXIS, tiled=True)
        discrepancy = mmd(everyone, prior, 1.0)
        return loss + self.weight * discrepancy, metrics | {"mmd": discrepancy}

    def _correlated(
        self, q: Distribution, p: Distribution, log_likelihood: LogLikelihood, keys: Keys, turn: Turn
    ) -> tuple[Scalar, Metrics]:
        """beta-TCVAE, eq. 4 of Chen et al. (2018): the bound with beta - 1 more of the total correlation of q(z)."""
        rise = self.rise(turn)
        loss, metrics, z = self._bound(q, p, log_likelihood, keys, rise)
        correlation = total_correlation(z, jax.lax.all_gather(q, AXIS, tiled=True)).mean()
        return loss + rise * (self.beta - 1) * correlation, metrics | {"total_correlation": correlation}


def evidence(distortion: Float[Array, " b"], kl: Float[Array, " b"]) -> Metrics:
    """The two sides of the evidence lower bound, and the bound, in nats."""
    return {"distortion": distortion.mean(), "kl": kl.mean(), "elbo": -(distortion + kl).mean()}


def total_correlation(z: Latents, q: Normal) -> Float[Array, " b"]:
    """log q(z) - sum_i log q(z_i) of each latent, where q(z) is the mean of the posteriors of a batch, in nats.

    Their minibatch-weighted estimate (eq. S6) but for a constant that depends on the size of the data set alone, and so
    without a gradient. Biased: the batch stands for the data.
    """
    terms = jnp.square(z[:, None] - q.mean) * jnp.exp(-q.log_variance) + q.log_variance + jnp.log(2 * jnp.pi)
    each = -0.5 * terms  # log q(z_i | x_j), (b, batch, latent)
    joint = jax.nn.logsumexp(each.sum(2), axis=1) - jnp.log(each.shape[1])
    marginals = jax.nn.logsumexp(each, axis=1) - jnp.log(each.shape[1])
    return joint - marginals.sum(1)


def scale_gradient(z: Latents, factor: Float[Array, "b 1"]) -> Latents:
    """z itself, whose gradient is multiplied by a factor."""
    return jax.lax.stop_gradient(z) + factor * (z - jax.lax.stop_gradient(z))
