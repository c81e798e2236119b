"""The deep belief network of Hinton, Osindero and Teh (2006): machines stacked greedily, fine-tuned by wake-sleep."""

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import require
from genlab.kernels.boltzmann import (
    Energy,
    Hidden,
    Visible,
    contrast,
    draw_hidden,
    draw_visible,
    free_energy,
    gibbs,
    hidden_logits,
    visible_input,
    visible_mean,
)
from genlab.kernels.random import Keys, fold
from genlab.losses.reconstruction import bernoulli, gaussian
from genlab.methods.boltzmann import Boltzmann, Machine, machine
from genlab.methods.game import Player
from genlab.parts.types import Labels, Metrics, Networks, Turn

Layers = list[Float[Array, "b _"]]  # visible units first


@dataclass(frozen=True)
class DBN(Boltzmann):
    """Directed layers of bits below a machine; p(v, h1, .., hL) = p(v|h1) .. p(hL-2|hL-1) p(hL-1, hL), eq. 3.

    Every machine is trained on what the one below makes of the data, one after the other. Then the up-down algorithm
    (appendix B) fine-tunes all of them: below the top, weights up (recognition) and down (generation) part from each
    other, as differences from the pre-trained ones that start at 0.
    """

    headline: ClassVar[tuple[str, str]] = ("model/loss", "model/rmse")

    hidden: tuple[int, ...] = (128,)
    """Hidden units of the layers below the topmost one, from the data upwards."""
    phase: int = 3000
    """Iterations of every machine's own training, before they are fine-tuned together."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.hidden) >= 1, "hidden", self.hidden, "at least one layer; a single machine is an rbm")
        require(min(self.hidden) >= 1, "hidden", self.hidden, "at least 1 in every layer")
        require(self.phase >= 0, "phase", self.phase, "at least 0")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"machine_{i}" for i in range(1, len(self.hidden) + 2))

    @property
    def untied(self) -> tuple[str, ...]:
        """The differences of the layers below the top."""
        return tuple(f"{way}_{i}" for i in range(1, len(self.hidden) + 1) for way in ("up", "down"))

    @property
    def sampling(self) -> tuple[str, ...]:  # type: ignore[override]  # how many there are is a setting
        return self.names + self.untied

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        sizes = (*self.hidden, self.latent)
        networks: Networks = {self.names[0]: self.bottom(shape, sizes[0], rngs)}
        for i, name in enumerate(self.names[1:]):
            networks[name] = Machine((sizes[i],), sizes[i + 1], None, rngs)
        for name in self.untied:
            model = machine(networks, f"machine_{name.partition('_')[2]}")
            networks[name] = Machine(model.shape, len(model.energy.hidden), model.scale, rngs, spread=0.0)
        return networks

    def players(self) -> tuple[Player, ...]:
        each = self.phase
        greedy = (
            Player(name, (name,), partial(self.pretrain, i), self.optimizer, start=i * each, stop=(i + 1) * each)
            for i, name in enumerate(self.names)
        )
        owned = (*self.untied, self.top)
        return (*greedy, Player("model", owned, self.loss, self.optimizer, start=len(self.names) * each))

    def up(self, networks: Networks, i: int) -> Energy:
        """The machine of layer i (from 0) as it recognises: its `hidden_logits` are q(h_{i+1} | h_i)."""
        return self._parted(networks, "up", i)

    def down(self, networks: Networks, i: int) -> Energy:
        """The machine of layer i (from 0) as it generates: its `visible_input` is p(h_i | h_{i+1})."""
        return self._parted(networks, "down", i)

    def _parted(self, networks: Networks, way: str, i: int) -> Energy:
        tied, difference = (machine(networks, f"{name}_{i + 1}").energy for name in ("machine", way))
        return jax.tree.map(jnp.add, tied, difference)

    def rise(self, networks: Networks, v: Visible, keys: Keys, depth: int) -> Layers:
        """Bits drawn upwards from the data, up to the layer `depth`; (v, h1, .., h_depth)."""
        layers = [v]
        for i in range(depth):
            layers.append(draw_hidden(self.up(networks, i), layers[-1], fold(keys, i)))
        return layers

    def fall(self, networks: Networks, h: Hidden, keys: Keys) -> Layers:
        """Bits drawn downwards from the layer below the top; (v, h1, .., h)."""
        layers = [h]
        for i in reversed(range(len(self.hidden))):
            layers.insert(0, draw_visible(self.down(networks, i), layers[0], fold(keys, i)))
        return layers

    def pretrain(
        self, i: int, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Contrastive divergence of machine i on what those below it make of the data."""
        v = machine(networks, self.names[0]).units(batch.x)
        data = self.rise(networks, v, fold(keys, 0), i)[-1]
        energy = machine(networks, self.names[i]).energy
        end = gibbs(energy, data, fold(keys, 1), self.k)
        return contrast(energy, data, end).mean(), {"free_energy": free_energy(energy, data).mean()}

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        """The up-down algorithm, appendix B; the three sums share no parameter.

        As a metric, minus the bound of log p(v) with the topmost machine's pseudo-likelihood for its likelihood.
        """
        v = machine(networks, self.names[0]).units(batch.x)
        energy = machine(networks, self.top).energy
        wake = jax.lax.stop_gradient(self.rise(networks, v, fold(keys, 0), len(self.hidden)))
        fantasy = gibbs(energy, wake[-1], fold(keys, 1), self.k)
        sleep = jax.lax.stop_gradient(self.fall(networks, fantasy, fold(keys, 2)))
        generation = self.distortion(networks, wake).mean()
        unlikely = self.unlikely(energy, wake[-1], fold(keys, 3), turn)
        recognition = self.surprise(networks, sleep).mean()
        contrastive = contrast(energy, wake[-1], fantasy).mean()
        below = generation - self.surprise(networks, wake).mean()  # all of -log p(v, h) + log q(h|v) but the top's part
        return generation + recognition + contrastive, {
            "distortion": generation,
            "recognition": recognition,
            "contrast": contrastive,
            "free_energy": below + free_energy(energy, wake[-1]).mean(),  # minus the mean of `log_weight`
            "negative_pseudo_likelihood": below + unlikely,
            "rmse": self.rmse(networks, batch.x),
        }

    def distortion(self, networks: Networks, layers: Layers) -> Float[Array, " b"]:
        """-log p(v|h1) - .. - log p(hL-2|hL-1) in nats."""

        def below(i: int) -> Float[Array, " b"]:
            energy = self.down(networks, i)
            given = visible_input(energy, layers[i + 1])
            if energy.scale is None:
                return bernoulli(layers[i], given)
            return gaussian(layers[i], given, 2 * math.log(energy.scale))

        return sum((below(i) for i in range(len(self.hidden))), jnp.zeros(len(layers[0])))

    def surprise(self, networks: Networks, layers: Layers) -> Float[Array, " b"]:
        """-log q(h1|v) - .. - log q(hL-1|hL-2) in nats."""
        each = (bernoulli(h, hidden_logits(self.up(networks, i), layers[i])) for i, h in enumerate(layers[1:]))
        return sum(each, jnp.zeros(len(layers[0])))

    def encode(
        self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None
    ) -> Float[Array, "b latent"]:
        """The means of the topmost hidden units, of the means of the layers below them."""
        z = machine(networks, self.names[0]).units(x)
        for i in range(len(self.hidden)):
            z = jax.nn.sigmoid(hidden_logits(self.up(networks, i), z))
        return jax.nn.sigmoid(hidden_logits(machine(networks, self.top).energy, z))

    def decode(
        self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None
    ) -> Float[Array, "b *shape"]:
        """The means of the visible units, of the means of the layers above them."""
        z = visible_mean(machine(networks, self.top).energy, z)
        for i in reversed(range(len(self.hidden))):
            z = visible_mean(self.down(networks, i), z)
        return machine(networks, self.names[0]).data(z)

    def sample(self, networks: Networks, keys: Keys, labels: Labels = None) -> Float[Array, "b *shape"]:
        """Bits drawn downwards from the topmost machine, and the means of the visible units given those above them."""
        h = draw_visible(machine(networks, self.top).energy, self.draw_latents(networks, fold(keys, 0)), fold(keys, 1))
        above = self.fall(networks, h, fold(keys, 2))[1]
        return machine(networks, self.names[0]).data(visible_mean(self.down(networks, 0), above))

    def log_weight(
        self, networks: Networks, x: Float[Array, "b *shape"], keys: Keys, labels: Labels = None
    ) -> Float[Array, " b"]:
        """log Z + log p(v, h1, .., hL-1) - log q(h1, .., hL-1 | v); the topmost layer is summed out, eq. 8."""
        v = machine(networks, self.names[0]).units(x)
        layers = self.rise(networks, v, keys, len(self.hidden))
        prior = -free_energy(machine(networks, self.top).energy, layers[-1])
        return prior - self.distortion(networks, layers) + self.surprise(networks, layers)
