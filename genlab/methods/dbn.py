"""The deep belief network of Hinton, Osindero and Teh (2006): machines stacked greedily, fine-tuned by wake-sleep."""

from dataclasses import dataclass, field
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import at_least, require
from genlab.kernels.boltzmann import Energy, contrast, draw_visible, free_energy, hidden_logits, visible_mean
from genlab.kernels.random import Keys, fold
from genlab.methods.game import Encoding, Player
from genlab.parts.belief import distortion, down_pass, recognition, up_pass
from genlab.parts.gibbs import Gibbs
from genlab.parts.machine import Machine, VisibleUnits, machine, negative_pseudo_likelihood
from genlab.parts.optimizer import Optimizer
from genlab.parts.squared_error import rmse
from genlab.parts.types import Labels, Metrics, Networks, Turn


@dataclass(frozen=True)
class DBN(Encoding):
    """Directed layers of bits below a machine; p(v, h1, .., hL) = p(v|h1) .. p(hL-2|hL-1) p(hL-1, hL), eq. 3.

    Every machine is trained on what the one below makes of the data, one after the other. Then the up-down algorithm
    (appendix B) fine-tunes all of them: below the top, weights up (recognition) and down (generation) part from each
    other, as differences from the pre-trained ones that start at 0.
    """

    headline = ("model/loss", "model/rmse")
    monitor = "validation/model/negative_pseudo_likelihood"  # see `RBM.monitor`
    gap = "model/free_energy"

    latent: int = 128
    """Hidden units of the topmost layer."""
    hidden: tuple[int, ...] = (128,)
    """Hidden units of the layers below the topmost one, from the data upwards."""
    visible: VisibleUnits = field(default_factory=VisibleUnits)
    """The visible units."""
    gibbs: Gibbs = field(default_factory=Gibbs)
    """The length of all machines' chains."""
    phase: int = 3000
    """Iterations of every machine's own training, before they are fine-tuned together."""
    optimizer: Optimizer = field(default_factory=Optimizer)
    """The optimiser of every player."""

    def __post_init__(self) -> None:
        at_least(self, 1, "latent")
        require(len(self.hidden) >= 1, "hidden", self.hidden, "at least one layer; a single machine is an rbm")
        require(min(self.hidden) >= 1, "hidden", self.hidden, "at least 1 in every layer")
        at_least(self, 0, "phase")

    @property
    def machines(self) -> tuple[str, ...]:
        """From the data upwards; the hidden units of the last one are the latents."""
        return tuple(f"machine_{i}" for i in range(1, len(self.hidden) + 2))

    @property
    def untied(self) -> tuple[str, ...]:
        """The differences of the layers below the top."""
        return tuple(f"{way}_{i}" for i in range(1, len(self.hidden) + 1) for way in ("up", "down"))

    @property
    def sampling(self) -> tuple[str, ...]:
        return self.machines + self.untied

    @property
    def observation(self) -> str:
        return self.visible.observation

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        sizes = (*self.hidden, self.latent)
        networks: Networks = {self.machines[0]: self.visible.machine(shape, sizes[0], rngs)}
        for i, name in enumerate(self.machines[1:]):
            networks[name] = Machine((sizes[i],), sizes[i + 1], None, rngs)
        for name in self.untied:
            model = machine(networks, f"machine_{name.partition('_')[2]}")
            networks[name] = Machine(model.shape, len(model.energy.hidden), model.scale, rngs, spread=0.0)
        return networks

    def centre(self, networks: Networks, mean: Float[Array, "*shape"]) -> None:
        self.bottom(networks).centre(mean)

    def bottom(self, networks: Networks) -> Machine:
        """The machine over the data."""
        return machine(networks, self.machines[0])

    def top(self, networks: Networks) -> Energy:
        """The topmost machine."""
        return machine(networks, self.machines[-1]).energy

    def layers(self, networks: Networks, way: str) -> list[Energy]:
        """Those below the top as they recognise ("up") or generate ("down"), see `parts.belief`."""
        pairs = ((f"machine_{i}", f"{way}_{i}") for i in range(1, len(self.hidden) + 1))
        return [jax.tree.map(jnp.add, *(machine(networks, name).energy for name in pair)) for pair in pairs]

    def players(self) -> tuple[Player, ...]:
        each = self.phase
        greedy = (
            Player(name, (name,), partial(self.pretrain, i), self.optimizer, start=i * each, stop=(i + 1) * each)
            for i, name in enumerate(self.machines)
        )
        owned = (*self.untied, self.machines[-1])
        return (*greedy, Player("model", owned, self.loss, self.optimizer, start=len(self.machines) * each))

    def pretrain(
        self, i: int, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Contrastive divergence of machine i on what those below it make of the data."""
        v = self.bottom(networks).units(batch.x)
        data = up_pass(self.layers(networks, "up")[:i], v, fold(keys, 0))[-1]
        energy = machine(networks, self.machines[i]).energy
        end = self.gibbs.negative(energy, data, fold(keys, 1))
        return contrast(energy, data, end).mean(), {"free_energy": free_energy(energy, data).mean()}

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        """The up-down algorithm, appendix B; the three sums share no parameter.

        As a metric, minus the bound of log p(v) with the topmost machine's pseudo-likelihood for its likelihood.
        """
        up, down, top = self.layers(networks, "up"), self.layers(networks, "down"), self.top(networks)
        v = self.bottom(networks).units(batch.x)
        wake = jax.lax.stop_gradient(up_pass(up, v, fold(keys, 0)))
        fantasy = self.gibbs.negative(top, wake[-1], fold(keys, 1))
        sleep = jax.lax.stop_gradient(down_pass(down, fantasy, fold(keys, 2)))
        generative = distortion(down, wake).mean()
        recognised = recognition(up, sleep).mean()
        contrastive = contrast(top, wake[-1], fantasy).mean()
        below = generative - recognition(up, wake).mean()  # all of -log p(v, h) + log q(h|v) but the top's part
        pseudo = negative_pseudo_likelihood(top, wake[-1], fold(keys, 3), turn)
        return generative + recognised + contrastive, {
            "distortion": generative,
            "recognition": recognised,
            "contrast": contrastive,
            "free_energy": below + free_energy(top, wake[-1]).mean(),  # minus the mean of `log_weight`
            "negative_pseudo_likelihood": below + pseudo,
            "rmse": rmse(batch.x, self.reconstruct(networks, batch.x)),
        }

    def encode(
        self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None
    ) -> Float[Array, "b latent"]:
        """The means of the topmost hidden units, of the means of the layers below them."""
        z = self.bottom(networks).units(x)
        for energy in (*self.layers(networks, "up"), self.top(networks)):
            z = jax.nn.sigmoid(hidden_logits(energy, z))
        return z

    def decode(
        self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None
    ) -> Float[Array, "b *shape"]:
        """The means of the visible units, of the means of the layers above them."""
        for energy in (self.top(networks), *reversed(self.layers(networks, "down"))):
            z = visible_mean(energy, z)
        return self.bottom(networks).data(z)

    def draw_latents(self, networks: Networks, keys: Keys) -> Float[Array, "b latent"]:
        return self.gibbs.hidden(self.top(networks), keys)

    def draw(self, networks: Networks, keys: Keys, labels: Labels) -> Float[Array, "b *shape"]:
        """Bits drawn downwards from the topmost machine, and the means of the visible units given those above them."""
        down = self.layers(networks, "down")
        h = draw_visible(self.top(networks), self.draw_latents(networks, fold(keys, 0)), fold(keys, 1))
        above = down_pass(down, h, fold(keys, 2))[1]
        return self.bottom(networks).data(visible_mean(down[0], above))

    def log_weight(
        self, networks: Networks, x: Float[Array, "b *shape"], keys: Keys, labels: Labels = None
    ) -> Float[Array, " b"]:
        """log Z + log p(v, h1, .., hL-1) - log q(h1, .., hL-1 | v); the topmost layer is summed out, eq. 8."""
        up, down = self.layers(networks, "up"), self.layers(networks, "down")
        units = up_pass(up, self.bottom(networks).units(x), keys)
        prior = -free_energy(self.top(networks), units[-1])
        return prior - distortion(down, units) + recognition(up, units)

    def log_partition(self, networks: Networks, keys: Keys) -> Float[Array, " runs"]:
        return self.gibbs.log_partition(self.top(networks), keys)
