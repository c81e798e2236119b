"""The vector-quantised VAE of van den Oord et al. (2017), with a codebook of moving averages and a learned prior."""

from dataclasses import dataclass, field
from typing import cast

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import at_least, require
from genlab.kernels.random import Keys
from genlab.losses.reconstruction import squared_error
from genlab.methods.game import Encoding, Player
from genlab.nn.made import Codes, Made
from genlab.nn.net import Net
from genlab.nn.network import decoder, encoder
from genlab.parts.code_prior import CodePrior
from genlab.parts.codebook import Codebook, Tokens
from genlab.parts.latent_model import centre, draw, log_likelihood, observation
from genlab.parts.likelihood import Likelihood
from genlab.parts.optimizer import Optimizer
from genlab.parts.types import Labels, Metrics, Networks, Turn


@dataclass(frozen=True)
class VQVAE(Encoding):
    """A latent is a few tokens, each a vector of one codebook; an autoregressive prior learns which go together."""

    sampling = ("encoder", "decoder", "observation", "codebook", "prior")
    headline = ("model/distortion", "model/perplexity")
    monitor = "validation/model/loss"

    latent: int = 16
    """Dimensions of all tokens together."""
    encoder: Net = field(default_factory=Net)
    """Examples to encodings of their tokens."""
    decoder: Net = field(default_factory=Net)
    """Vectors of the codebook to what the likelihood needs."""
    likelihood: Likelihood = field(default_factory=Likelihood)
    """p(x|z)."""
    prior: CodePrior = field(default_factory=CodePrior)
    """p(codes)."""
    optimizer: Optimizer = field(default_factory=lambda: Optimizer(learning_rate=2e-4))
    """The optimiser of encoder and decoder."""
    tokens: int = 4
    """Tokens of a latent; each has latent / tokens dimensions."""
    codes: int = 64
    """Vectors of the codebook."""
    decay: float = 0.99
    """Of the moving averages that the codebook is made of."""
    commitment: float = 0.25
    """Weight of the squared distance of the encodings from their vectors (beta in the paper)."""

    def __post_init__(self) -> None:
        at_least(self, 1, "latent", "tokens", "codes")
        at_least(self, 0, "commitment")
        require(self.latent % self.tokens == 0, "tokens", self.tokens, f"a divisor of latent = {self.latent}")
        require(0 <= self.decay < 1, "decay", self.decay, "in [0, 1)")

    @property
    def observation(self) -> str:
        return self.likelihood.name

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        return {
            "encoder": encoder(self.encoder, shape, self.latent, rngs),
            "decoder": decoder(self.decoder, self.latent, self.likelihood.outputs(shape), rngs),
            "observation": self.likelihood.network(shape),
            "codebook": Codebook(self.codes, self.latent // self.tokens, self.decay, rngs=rngs),
            "prior": Made(self.tokens, self.codes, self.prior.width, rngs=rngs),
        }

    def centre(self, networks: Networks, mean: Float[Array, "*shape"]) -> None:
        centre(networks, mean)

    def players(self) -> tuple[Player, ...]:
        model = ("encoder", "decoder", "observation", "codebook")
        return (
            Player("model", model, self.loss, self.optimizer),
            Player("prior", ("prior",), self.prior_loss, self.prior.optimizer),
        )

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        """Eq. 3, its middle term done by the moving averages."""
        z = self._tokens(networks, batch.x)
        codebook = _codebook(networks)
        codes = codebook.nearest(z)
        vectors = codebook.vectors[codes]
        passed = z + jax.lax.stop_gradient(vectors - z)  # straight through: the decoder's gradient reaches z as it is
        distortion = -log_likelihood(networks, batch.x, passed.reshape(len(z), -1)).mean()
        commitment = squared_error(z, jax.lax.stop_gradient(vectors)).mean()
        share = codebook.update(z, codes)
        return distortion + self.commitment * commitment, {
            "distortion": distortion,
            "commitment": commitment,
            "usage": (share > 0).mean(),  # the share of codes that occur in the batch
            "perplexity": jnp.exp(-jax.scipy.special.xlogy(share, share).sum()),  # how many equally used ones it equals
            **observation(networks).metrics(),
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
        log_prior = _prior(networks).log_probability(codes)
        return log_prior + log_likelihood(networks, x, self._latents(networks, codes))

    def draw_latents(self, networks: Networks, keys: Keys) -> Float[Array, "b latent"]:
        return self._latents(networks, _prior(networks).sample(keys))

    def encode(
        self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None
    ) -> Float[Array, "b latent"]:
        return self._latents(networks, self.codes_of(networks, x))

    def decode(
        self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None
    ) -> Float[Array, "b *shape"]:
        return observation(networks).mean(networks["decoder"](z))

    def draw(self, networks: Networks, keys: Keys, labels: Labels) -> Float[Array, "b *shape"]:
        return draw(self.likelihood, networks, self.draw_latents(networks, keys), keys)


def _codebook(networks: Networks) -> Codebook:
    return cast(Codebook, networks["codebook"])


def _prior(networks: Networks) -> Made:
    return cast(Made, networks["prior"])
