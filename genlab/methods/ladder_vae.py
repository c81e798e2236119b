"""The ladder VAE of Sonderby et al. (2016): several layers of latents, inferred from the top down."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import at_least, require
from genlab.kernels.random import Keys, normal
from genlab.losses.divergence import kl_normal
from genlab.losses.reconstruction import gaussian
from genlab.methods.game import Encoding, Player
from genlab.nn.builder import Builder
from genlab.nn.net import Net
from genlab.nn.network import decoder, encoder
from genlab.nn.norms import needs_bias
from genlab.parts.latent_model import centre, draw, log_likelihood, observation
from genlab.parts.likelihood import Likelihood
from genlab.parts.objective import Objective, evidence
from genlab.parts.optimizer import Optimizer
from genlab.parts.types import Labels, Metrics, Networks, Turn

Latents = Float[Array, "b latent"]  # of all layers
Part = Float[Array, "b _"]  # of one


class Normal(NamedTuple):
    """A diagonal Gaussian of each example."""

    mean: Part
    log_variance: Part

    def at(self, noise: Part) -> Part:
        """Standard normal noise as a draw."""
        return self.mean + jnp.exp(self.log_variance / 2) * noise

    def whitened(self, z: Part) -> Part:
        """The noise that gives this draw, the inverse of `at`."""
        return (z - self.mean) * jnp.exp(-self.log_variance / 2)


class Layer(NamedTuple):
    """One layer of latents: drawn from q, whose mean and variance saw the example, where the prior is p."""

    z: Part
    q: Normal
    p: Normal


def combined(a: Normal, b: Normal) -> Normal:
    """The normalised product of two Gaussians: precisions add, means are weighted by them.

    From log-variances throughout, so that it is finite however sharp or flat they are.
    """
    share = jax.nn.sigmoid(b.log_variance - a.log_variance)
    mean = share * a.mean + (1 - share) * b.mean
    return Normal(mean, -jnp.logaddexp(-a.log_variance, -b.log_variance))


class Ladder(nnx.Module):
    """Upwards from the encoder's features to what each layer sees, downwards from a layer to the prior of the next.

    A layer sees linear functions of its features, the next layer's features are a network's of them. All features are
    normalised and activated as the hidden layers of `net` are.
    """

    def __init__(self, net: Net, layers: tuple[int, ...], *, rngs: nnx.Rngs):
        ups: list[Callable] = [nnx.identity]
        ups += [encoder(net, (net.width,), net.width, rngs, bias=needs_bias(net.norm)) for _ in layers[1:]]
        build = Builder(net, rngs)
        self.ups = nnx.List([build.block(up, net.width) for up in ups])
        self.seen = nnx.List([build.linear(net.width, 2 * size, gain=1) for size in layers])
        self.downs = nnx.List([encoder(net, (b,), 2 * a, rngs) for a, b in zip(layers[:-1], layers[1:], strict=True)])

    def up(self, features: Float[Array, "b features"]) -> list[Normal]:
        """What each layer sees of the example, from the data upwards."""
        seen = []
        for up, head in zip(self.ups, self.seen, strict=True):
            features = up(features)
            seen.append(gaussian_of(head(features)))
        return seen

    def down(self, layer: int, above: Part) -> Normal:
        """p(z | the layer above)."""
        return gaussian_of(self.downs[layer](above))


def gaussian_of(parameters: Part) -> Normal:
    """Means, and softplus of the other half as variances, as in Sonderby et al. (2016).

    Their logs, which all else goes by, have a gradient everywhere: softplus(h) is h to rounding where it is large, and
    its log is h to rounding below -15.
    """
    mean, h = jnp.split(parameters, 2, axis=1)
    return Normal(mean, jnp.where(h < -15, h, jnp.log(jax.nn.softplus(jnp.maximum(h, -15)))))


@dataclass(frozen=True)
class LadderVAE(Encoding):
    """Hierarchical VAE: p(x|z_1) p(z_1|z_2) ... p(z_L), q from the top down.

    `decode` and `encode` deal in whitened latents, all layers side by side from the data upwards: standard normal noise
    for each layer, which the layer above turns into a draw of its prior. So the prior of all of them is N(0, I).
    """

    sampling = ("encoder", "ladder", "decoder", "observation")
    headline = ("model/loss", "model/kl")
    monitor = "validation/model/loss"
    normal = True

    latent: int = 16
    """Dimensions of all layers of latents together."""
    layers: tuple[int, ...] = (12, 4)
    """Dimensions of each layer of latents, from the data upwards; together `latent`."""
    encoder: Net = field(default_factory=Net)
    """Examples to the features that the lowest layer sees."""
    between: Net = field(default_factory=lambda: Net(depth=1))
    """The networks between layers; an mlp, whose norm is also that of the features which the layers see."""
    decoder: Net = field(default_factory=Net)
    """The lowest layer of latents to what the likelihood needs."""
    likelihood: Likelihood = field(default_factory=Likelihood)
    """p(x|z_1)."""
    objective: Objective = field(default_factory=Objective)
    """What is minimised: the evidence lower bound, the weight of its KL term, free bits."""
    optimizer: Optimizer = field(default_factory=Optimizer)
    """The optimiser of all networks."""

    def __post_init__(self) -> None:
        at_least(self, 1, "latent")
        fits = bool(self.layers) and min(self.layers) >= 1 and sum(self.layers) == self.latent
        require(fits, "layers", self.layers, f"positive dimensions that add up to latent = {self.latent}")
        require(self.between.backbone == "mlp", "between.backbone", self.between.backbone, "mlp")
        bound = "elbo: the other objectives are of a single layer of latents"
        require(self.objective.name == "elbo", "objective.name", self.objective.name, bound)

    @property
    def observation(self) -> str:
        return self.likelihood.name

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        bias = needs_bias(self.between.norm)  # of the encoder's features, which that norm reads
        return {
            "encoder": encoder(self.encoder, shape, self.between.width, rngs, bias=bias),
            "decoder": decoder(self.decoder, self.layers[0], self.likelihood.outputs(shape), rngs),
            "observation": self.likelihood.network(shape),
            "ladder": Ladder(self.between, self.layers, rngs=rngs),
        }

    def centre(self, networks: Networks, mean: Float[Array, "*shape"]) -> None:
        centre(networks, mean)

    def players(self) -> tuple[Player, ...]:
        return (Player("model", self.sampling, self.loss, self.optimizer),)

    def posterior(self, networks: Networks, x: Float[Array, "b *shape"], noise: Latents) -> list[Layer]:
        """Draws from q, with whatever `noise` for all layers; from the data upwards.

        The top layer is drawn from what was seen of it; the others weigh that against their prior by precision.
        """
        ladder, parts = _ladder(networks), self._parts(noise)
        layers: list[Layer] = []
        for i, seen in reversed(list(enumerate(ladder.up(networks["encoder"](x))))):
            p = ladder.down(i, layers[0].z) if layers else _standard(parts[i])
            q = combined(seen, p) if layers else seen
            layers.insert(0, Layer(q.at(parts[i]), q, p))
        return layers

    def log_weight(
        self, networks: Networks, x: Float[Array, "b *shape"], keys: Keys, labels: Labels = None
    ) -> Float[Array, " b"]:
        layers = self.posterior(networks, x, normal(keys, (self.latent,)))
        ratios = jnp.stack([gaussian(z, *q) - gaussian(z, *p) for z, q, p in layers]).sum(0)
        return ratios + log_likelihood(networks, x, layers[0].z)

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        layers = self.posterior(networks, batch.x, normal(keys, (self.latent,)))
        distortion = -log_likelihood(networks, batch.x, layers[0].z)
        kls = [kl_normal(*q, *p) for _, q, p in layers]
        kl = jnp.concatenate(kls, axis=1)
        loss = distortion.mean() + self.objective.weight_of_kl(turn) * self.objective.charged(kl)
        each = {f"kl_{i}": kl.sum(1).mean() for i, kl in enumerate(kls, 1)}
        return loss, evidence(distortion, kl.sum(1)) | each | observation(networks).metrics()

    def divergences(
        self, networks: Networks, x: Float[Array, "b *shape"], keys: Keys, labels: Labels = None
    ) -> Latents:
        """Of each latent given a draw of the layer above; these add up to the KL term of the bound."""
        layers = self.posterior(networks, x, normal(keys, (self.latent,)))
        return jnp.concatenate([kl_normal(*q, *p) for _, q, p in layers], axis=1)

    def encode(self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None) -> Latents:
        layers = self.posterior(networks, x, jnp.zeros((len(x), self.latent)))
        return jnp.concatenate([p.whitened(z) for z, _, p in layers], axis=1)

    def decode(self, networks: Networks, z: Latents, labels: Labels = None) -> Float[Array, "b *shape"]:
        return observation(networks).mean(networks["decoder"](self._lowest(networks, z)))

    def draw(self, networks: Networks, keys: Keys, labels: Labels) -> Float[Array, "b *shape"]:
        return draw(self.likelihood, networks, self._lowest(networks, self.draw_latents(networks, keys)), keys)

    def _lowest(self, networks: Networks, z: Latents) -> Part:
        """The layer of latents next to the data, from whitened ones."""
        parts = self._parts(z)
        below = parts[-1]
        for i in reversed(range(len(self.layers) - 1)):
            below = _ladder(networks).down(i, below).at(parts[i])
        return below

    def draw_latents(self, networks: Networks, keys: Keys) -> Latents:
        return normal(keys, (self.latent,))

    def _parts(self, z: Latents) -> list[Part]:
        """Each layer's share, from the data upwards."""
        return jnp.split(z, list(itertools.accumulate(self.layers))[:-1], axis=1)


def _standard(like: Part) -> Normal:
    return Normal(jnp.zeros_like(like), jnp.zeros_like(like))


def _ladder(networks: Networks) -> Ladder:
    return cast(Ladder, networks["ladder"])
