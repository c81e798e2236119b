"""A latent-variable model p(x|z) p(z) with its posterior q(z|x): what all variational methods compute with."""

from dataclasses import dataclass
from typing import cast

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.errors import require
from genlab.kernels.random import Keys, fold
from genlab.nn.net import Net
from genlab.nn.network import decoder, encoder, last_bias
from genlab.parts.distributions import Distribution, divergences
from genlab.parts.likelihood import Likelihood, Observation
from genlab.parts.posterior import Posterior
from genlab.parts.prior import Prior
from genlab.parts.types import Labels, Networks

Data = Float[Array, "b *shape"]
Latents = Float[Array, "b latent"]
Values = Float[Array, " b"]
NOISE = 1001  # stream of the draws of p(x|z), apart from all that a prior draws


@dataclass(frozen=True)
class LatentModel:
    """The parts together. With classes p(x|z, y) and q(z|x, y) are of a class y, as in Sohn et al. (2015)."""

    latent: int
    encoder: Net
    decoder: Net
    likelihood: Likelihood
    prior: Prior
    posterior: Posterior
    classes: int = 0

    def __post_init__(self) -> None:
        if self.prior.name != "vamp":
            return
        mixed = "allowed under a vamp prior: batch norm would mix the pseudo-inputs with the data; use layer or none"
        require(self.encoder.norm != "batch", "encoder.norm", self.encoder.norm, mixed)
        apart = "0, as a vamp prior wants it: dropout goes by an example's place in the batch; pseudo-inputs have none"
        require(not self.encoder.dropout, "encoder.dropout", self.encoder.dropout, apart)
        inverse = "allowed under a vamp prior, for which it would be inverted at every latent for every pseudo-input"
        require(self.posterior.name != "iaf", "posterior.name", self.posterior.name, inverse)
        require(not self.classes, "classes", self.classes, "0, as a vamp prior wants it: pseudo-inputs have no class")

    @property
    def names(self) -> tuple[str, ...]:
        """Its networks."""
        learned = {"prior": self.prior.name != "normal", "posterior": self.posterior.name == "iaf"}
        return ("encoder", "decoder", "observation", *(name for name, there in learned.items() if there))

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        """Fresh ones for data of `shape`."""
        features, outputs = self.posterior.features(self.latent), self.likelihood.outputs(shape)
        return {
            "encoder": encoder(self.encoder, shape, features, rngs, self.classes),
            "decoder": decoder(self.decoder, self.latent, outputs, rngs, self.classes),
            "observation": self.likelihood.network(shape),
            **self.prior.networks(self.latent, shape, rngs),
            **self.posterior.networks(self.latent, rngs),
        }

    def q(self, networks: Networks, x: Data, labels: Labels = None) -> Distribution:
        """q(z|x)."""
        return self.posterior(networks["encoder"](x, labels), self.latent, networks)

    def p(self, networks: Networks) -> Distribution:
        """p(z)."""
        return self.prior(self.latent, networks, lambda x: self.q(networks, x))

    def log_weight(self, networks: Networks, x: Data, keys: Keys, labels: Labels = None) -> Values:
        """log p(x, z) - log q(z|x) in nats of one z ~ q(z|x) per key."""
        q = self.q(networks, x, labels)
        z = q.draw(keys)
        log_prior = self.p(networks).log_probability(z)
        return log_prior + log_likelihood(networks, x, z, labels) - q.log_probability(z)

    def encode(self, networks: Networks, x: Data, labels: Labels = None) -> Latents:
        """The mean of q(z|x)."""
        return self.posterior.mean(networks["encoder"](x, labels), self.latent, networks)

    def decode(self, networks: Networks, z: Latents, labels: Labels = None) -> Data:
        """The mean of p(x|z), in [-1, 1] for images."""
        return observation(networks).mean(networks["decoder"](z, labels))

    def divergences(self, networks: Networks, x: Data, labels: Labels = None) -> Latents | None:
        """KL(q(z_i|x) || p(z_i)) of every latent, where both are of each latent by itself."""
        return divergences(self.q(networks, x, labels), self.p(networks))


def observation(networks: Networks) -> Observation:
    """What the decoder's outputs mean."""
    return cast(Observation, networks["observation"])


def log_likelihood(
    networks: Networks, x: Data, z: Float[Array, "kb latent"], labels: Labels = None
) -> Float[Array, " kb"]:
    """log p(x|z) in nats; of k latents to an example, one after the other, of each."""
    k = len(z) // len(x)
    if k > 1:
        x, labels = jnp.repeat(x, k, axis=0), None if labels is None else jnp.repeat(labels, k)
    return observation(networks).log_probability(x, networks["decoder"](z, labels))


def draw(likelihood: Likelihood, networks: Networks, z: Latents, keys: Keys, labels: Labels = None) -> Data:
    """An example of each latent: the mean of p(x|z), or a draw of it where the likelihood is to give those.

    The keys may be those that the latents were drawn by.
    """
    outputs = networks["decoder"](z, labels)
    return (
        observation(networks).sample(outputs, fold(keys, NOISE))
        if likelihood.draws
        else observation(networks).mean(outputs)
    )


def centre(networks: Networks, mean: Float[Array, "*shape"]) -> None:
    """Start the decoder's last bias, of each number of an example or of each channel, where the likelihood wants it,
    given the data's mean."""
    bias = last_bias(networks["decoder"])
    start = observation(networks).bias(mean, bias.size)
    if start is not None:
        bias[...] = start
