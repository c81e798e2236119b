"""The restricted Boltzmann machine as a network: its parameters, and what its visible units are to the data."""

import math
from dataclasses import dataclass
from typing import Literal, cast

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.errors import require
from genlab.kernels.boltzmann import Energy, Visible, log_pseudo_likelihood
from genlab.kernels.random import Keys
from genlab.parts.pixels import log_odds
from genlab.parts.types import Networks, Turn

UNITS = 64  # visible units of a held-out example, at most, that its pseudo-likelihood is taken of


class Machine(nnx.Module):
    """The parameters of one machine over data of `shape`, or over the hidden units of another one.

    Weights start as N(0, spread^2), Hinton (2010), section 8, and biases at 0 until `centre` moves some.
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

    def centre(self, mean: Float[Array, "*shape"]) -> None:
        """Visible biases at log p / (1 - p) of the data's bits, Hinton (2010), section 8.1; at Gaussian means."""
        self.visible[...] = (log_odds(mean) if self.scale is None else mean).reshape(-1)


def machine(networks: Networks, name: str) -> Machine:
    """A network that is a machine."""
    return cast(Machine, networks[name])


@dataclass(frozen=True)
class VisibleUnits:
    """What the visible units of a machine over data are."""

    kind: Literal["binary", "gaussian"] = "binary"
    """binary (pixels as bits or their probabilities; images only) or gaussian with a fixed scale."""
    scale: float = 0.3
    """Standard deviation of gaussian units, in units of the data (images: [-1, 1])."""

    def __post_init__(self) -> None:
        require(self.scale > 0, "scale", self.scale, "above 0")

    @property
    def observation(self) -> str:
        """What examples are to them, the name of a likelihood."""
        return "bernoulli" if self.kind == "binary" else "gaussian"

    def machine(self, shape: tuple[int, ...], hidden: int, rngs: nnx.Rngs) -> Machine:
        """The machine over data of this shape, with so many hidden units.

        Raises:
            Invalid: binary units for points.
        """
        fits = len(shape) == 3 or self.kind == "gaussian"
        require(fits, "method.visible.kind", self.kind, "for points: use gaussian")
        return Machine(shape, hidden, self.scale if self.kind == "gaussian" else None, rngs)


def negative_pseudo_likelihood(energy: Energy, v: Visible, keys: Keys, turn: Turn) -> Float[Array, ""]:
    """Of bits, in nats, its mean over examples: of one unit each in training, else of up to `UNITS`."""
    return -log_pseudo_likelihood(energy, v, keys, UNITS if turn is None else 1).mean()
