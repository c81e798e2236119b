"""The vector-quantised VAE of van den Oord et al. (2017), with a codebook of moving averages and a learned prior."""

from dataclasses import dataclass, field
from typing import ClassVar, cast

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import require
from genlab.kernels.random import Keys
from genlab.losses.reconstruction import squared_error
from genlab.methods.game import Player
from genlab.methods.variational import Probabilistic
from genlab.nn.layers import AXIS
from genlab.nn.made import Codes, Made
from genlab.parts.optimizer import Optimizer
from genlab.parts.types import Labels, Metrics, Networks, Turn

DEAD = 0.01  # a code with less than this share of an even use is given to an example
Tokens = Float[Array, "b tokens width"]


class Codebook(nnx.Module):
    """Vectors that follow the encodings assigned to them, by moving averages over all devices (appendix A.1)."""

    def __init__(self, codes: int, width: int, decay: float, *, rngs: nnx.Rngs):
        self.counts = nnx.BatchStat(jnp.ones(codes))  # 1 where all codes are used alike
        self.sums = nnx.BatchStat(jax.random.normal(rngs.params(), (codes, width)))
        self.decay = decay

    @property
    def vectors(self) -> Float[Array, "codes width"]:
        """The codes' vectors."""
        return self.sums[...] / self.counts[...][:, None]

    def nearest(self, z: Tokens) -> Codes:
        """The code of each token: that of the nearest vector (eq. 1)."""
        vectors = self.vectors
        return jnp.argmin(jnp.square(vectors).sum(1) - 2 * z @ vectors.T, axis=-1)

    def update(self, z: Tokens, codes: Codes) -> Float[Array, " codes"]:
        """Move the averages towards the tokens of all devices (eq. 6 to 8), and return each code's share of these.

        A code that has fallen out of use takes the place of an encoding of this batch, code i that of the i-th of
        evenly spaced ones, so that neither chance nor the number of devices enters.
        """
        z = jax.lax.stop_gradient(z)
        assigned = jax.nn.one_hot(codes, len(self.counts[...])).reshape(-1, len(self.counts[...]))
        tokens = z.reshape(len(assigned), -1)
        share, total = jax.lax.pmean((assigned.mean(0), assigned.T @ tokens / len(tokens)), AXIS)
        everyone = jax.lax.all_gather(tokens, AXIS, tiled=True)
        counts = self.decay * self.counts[...] + (1 - self.decay) * len(share) * share
        sums = self.decay * self.sums[...] + (1 - self.decay) * len(share) * total
        seeds = everyone[jnp.arange(len(share)) * len(everyone) // len(share)]
        dead = counts < DEAD
        self.counts[...] = jnp.where(dead, 1.0, counts)
        self.sums[...] = jnp.where(dead[:, None], seeds, sums)
        return share


@dataclass(frozen=True)
class VQVAE(Probabilistic):
    """A latent is a few tokens, each a vector of one codebook; an autoregressive prior learns which go together."""

    sampling: ClassVar[tuple[str, ...]] = ("encoder", "decoder", "observation", "codebook", "prior")
    headline: ClassVar[tuple[str, str]] = ("model/distortion", "model/perplexity")

    optimizer: Optimizer = field(default_factory=lambda: Optimizer(learning_rate=2e-4))
    """The optimiser of both."""
    tokens: int = 4
    """Tokens of a latent; each has latent / tokens dimensions."""
    codes: int = 64
    """Vectors of the codebook."""
    decay: float = 0.99
    """Of the moving averages that the codebook is made of."""
    commitment: float = 0.25
    """Weight of the squared distance of the encodings from their vectors (beta in the paper)."""
    prior_width: int = 64
    """Hidden units of the prior for each token."""
    prior_optimizer: Optimizer = field(default_factory=Optimizer)
    """The prior's optimiser."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("tokens", "codes", "prior_width"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        require(self.latent % self.tokens == 0, "tokens", self.tokens, f"a divisor of latent = {self.latent}")
        require(0 <= self.decay < 1, "decay", self.decay, "in [0, 1)")
        require(self.commitment >= 0, "commitment", self.commitment, "at least 0")

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        return self.core(shape, self.latent, self.latent, rngs) | {
            "codebook": Codebook(self.codes, self.latent // self.tokens, self.decay, rngs=rngs),
            "prior": Made(self.tokens, self.codes, self.prior_width, rngs=rngs),
        }

    def players(self) -> tuple[Player, ...]:
        model = ("encoder", "decoder", "observation", "codebook")
        return (
            Player("model", model, self.loss, self.optimizer),
            Player("prior", ("prior",), self.prior_loss, self.prior_optimizer),
        )

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        """Eq. 3, its middle term done by the moving averages."""
        z = self._tokens(networks, batch.x)
        codebook = _codebook(networks)
        codes = codebook.nearest(z)
        vectors = codebook.vectors[codes]
        passed = z + jax.lax.stop_gradient(vectors - z)  # straight through: the decoder's gradient reaches z as it is
        distortion = self.distortion(networks, batch.x, passed.reshape(len(z), -1)).mean()
        commitment = squared_error(z, jax.lax.stop_gradient(vectors)).mean()
        share = codebook.update(z, codes)
        return distortion + self.commitment * commitment, {
            "distortion": distortion,
            "commitment": commitment,
            "usage": (share > 0).mean(),  # the share of codes that occur in the batch
            "perplexity": jnp.exp(-jax.scipy.special.xlogy(share, share).sum()),  # how many equally used ones it equals
        }

    def prior_loss(
        self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """-log p of the codes, which are whole numbers: no gradient reaches the encoder."""
        return -_prior(networks).log_probability(self.codes_of(networks, batch.x)).mean(), {}

    def codes_of(self, networks: Networks, x: Float[Array, "b *shape"]) -> Codes:
        """The discrete latent of each example."""
        return _codebook(networks).nearest(self._tokens(networks, x))

    def _tokens(self, networks: Networks, x: Float[Array, "b *shape"]) -> Tokens:
        return networks["encoder"](x).reshape(len(x), self.tokens, -1)

    def _latents(self, networks: Networks, codes: Codes) -> Float[Array, "b latent"]:
        return _codebook(networks).vectors[codes].reshape(len(codes), -1)

    def log_weight(
        self, networks: Networks, x: Float[Array, "b *shape"], keys: Keys, labels: Labels = None
    ) -> Float[Array, " b"]:
        """log p(x|c) + log p(c): the posterior is certain of its codes, so that all draws are one."""
        codes = self.codes_of(networks, x)
        distortion = self.distortion(networks, x, self._latents(networks, codes))
        return _prior(networks).log_probability(codes) - distortion

    def prior(self, networks: Networks, keys: Keys) -> Float[Array, "b latent"]:
        return self._latents(networks, _prior(networks).sample(keys))

    def encode(
        self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None
    ) -> Float[Array, "b latent"]:
        return self._latents(networks, self.codes_of(networks, x))

    def decode(
        self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None
    ) -> Float[Array, "b *shape"]:
        return self.mean(networks, z)


def _codebook(networks: Networks) -> Codebook:
    return cast(Codebook, networks["codebook"])


def _prior(networks: Networks) -> Made:
    return cast(Made, networks["prior"])
