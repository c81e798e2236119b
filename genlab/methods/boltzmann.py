"""What restricted Boltzmann machines and stacks of them share: visible units, chains, annealing, and one optimiser."""

import abc
import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal, cast

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.errors import require
from genlab.kernels import annealing
from genlab.kernels.boltzmann import (
    Energy,
    Visible,
    draw_hidden,
    draw_visible,
    gibbs,
    log_pseudo_likelihood,
    visible_mean,
)
from genlab.kernels.random import Keys, fold
from genlab.losses.reconstruction import squared_error
from genlab.methods.game import Encoding
from genlab.parts.metrics import batch_mean
from genlab.parts.optimizer import Optimizer
from genlab.parts.pixels import log_odds
from genlab.parts.types import Networks, Turn

UNITS = 64  # visible units of a held-out example, at most, that its pseudo-likelihood is taken of


class Machine(nnx.Module):
    """The parameters of one machine over data of `shape`, or over the hidden units of another one.

    Weights start as N(0, spread^2), Hinton (2010), section 8, and biases at 0 until `Boltzmann.centre` moves some.
    """

    def __init__(
        self, shape: tuple[int, ...], hidden: int, scale: float | None, rngs: nnx.Rngs, *, spread: float = 0.01
    ):
        visible = math.prod(shape)
        self.weights = nnx.Param(spread * jax.random.normal(rngs.params(), (visible, hidden)))
        self.visible = nnx.Param(jnp.zeros(visible))
        self.hidden = nnx.Param(jnp.zeros(hidden))
        self.shape, self.scale = shape, scale

    @property
    def energy(self) -> Energy:
        """What the kernels take."""
        return Energy(self.weights[...], self.visible[...], self.hidden[...], self.scale)

    def units(self, x: Float[Array, "b *shape"]) -> Visible:
        """Data as visible units: images in [-1, 1] as bits or their probabilities, unless the units are Gaussian."""
        flat = x.reshape(len(x), -1)
        return (flat + 1) / 2 if self.scale is None else flat

    def data(self, v: Visible) -> Float[Array, "b *shape"]:
        """Visible units as data; images are clipped to [-1, 1]."""
        x = (2 * v - 1 if self.scale is None else v).reshape(-1, *self.shape)
        return jnp.clip(x, -1, 1) if len(self.shape) == 3 else x


def machine(networks: Networks, name: str) -> Machine:
    """A network that is a machine."""
    return cast(Machine, networks[name])


@dataclass(frozen=True)
class Boltzmann(Encoding):
    """Machines of visible units and layers of hidden bits, the topmost pair of layers undirected."""

    # Hinton (2010), section 5, warns against the reconstruction error, which says little of how probable the data are
    monitor: ClassVar[str] = "validation/model/negative_pseudo_likelihood"
    gap: ClassVar[str] = "model/free_energy"  # his section 6: the constant log Z cancels in it

    latent: int = 128
    """Hidden units (of the topmost layer)."""
    visible: Literal["binary", "gaussian"] = "binary"
    """binary (pixels as bits or their probabilities; images only) or gaussian with a fixed scale."""
    scale: float = 0.3
    """Standard deviation of gaussian visible units, in units of the data (images: [-1, 1])."""
    k: int = 1
    """Gibbs steps v -> h -> v of a chain in every play: the k of CD-k."""
    gibbs: int = 200
    """Gibbs steps to a sample, from visible units that know no hidden ones."""
    temperatures: int = 1000
    """Steps of an annealed run that estimates the partition function."""
    optimizer: Optimizer = field(default_factory=Optimizer)
    """The optimiser of every player."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.scale > 0, "scale", self.scale, "above 0")
        for name in ("k", "gibbs", "temperatures"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")

    @property
    @abc.abstractmethod
    def names(self) -> tuple[str, ...]:
        """The machines from the data upwards; the hidden units of the last one are the latents."""

    @property
    def top(self) -> str:
        """The topmost machine."""
        return self.names[-1]

    @property
    def observation(self) -> str:
        return "bernoulli" if self.visible == "binary" else "gaussian"

    def bottom(self, shape: tuple[int, ...], hidden: int, rngs: nnx.Rngs) -> Machine:
        """The machine over the data.

        Raises:
            Invalid: binary units for points.
        """
        fits = len(shape) == 3 or self.visible == "gaussian"
        require(fits, "method.visible", self.visible, "for points: use gaussian")
        return Machine(shape, hidden, self.scale if self.visible == "gaussian" else None, rngs)

    def centre(self, networks: Networks, mean: Float[Array, "*shape"]) -> None:
        """Visible biases start at log p / (1 - p) of the data's bits, Hinton (2010), section 8.1; at Gaussian means."""
        model = machine(networks, self.names[0])
        model.visible[...] = (log_odds(mean) if model.scale is None else mean).reshape(-1)

    def draw_latents(self, networks: Networks, keys: Keys) -> Float[Array, "b latent"]:
        """Hidden units of the topmost machine after `gibbs` steps, one chain per key."""
        energy = machine(networks, self.top).energy
        start = draw_visible(energy, jnp.zeros((len(keys), self.latent)), fold(keys, 0))
        end = gibbs(energy, start, fold(keys, 1), self.gibbs)
        return draw_hidden(energy, end, fold(keys, 2))

    def log_partition(self, networks: Networks, keys: Keys) -> Float[Array, " runs"]:
        """See `Unnormalised`; the keys of a call share the base that their annealed runs start from."""
        energy = machine(networks, self.top).energy
        base = annealing.base_rates(energy, visible_mean(energy, self.draw_latents(networks, fold(keys, 0))))
        return annealing.log_partition(energy, base, fold(keys, 1), self.temperatures)

    def unlikely(self, energy: Energy, v: Visible, keys: Keys, turn: Turn) -> Float[Array, ""]:
        """Mean negative log pseudo-likelihood of bits in nats: of one unit each in training, else of up to `UNITS`."""
        return -log_pseudo_likelihood(energy, v, keys, UNITS if turn is None else 1).mean()

    def rmse(self, networks: Networks, x: Float[Array, "b *shape"]) -> Float[Array, ""]:
        """Root mean square error of a pixel of the reconstruction, over the whole batch."""
        return jnp.sqrt(batch_mean(squared_error(x, self.reconstruct(networks, x))) / x[0].size)
