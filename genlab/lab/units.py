"""What becomes of the units behind each activation in one update: dead, saturated, no longer finite."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float

from genlab.nn.layers import ACTIVATIONS
from genlab.parts.types import Networks

FLAT = 1e-3  # slope of an activation below which nothing to speak of is learned through it; that of tanh at 4


@dataclass(frozen=True)
class Units:
    """The units of one activation, over all examples, places and passes of an update."""

    name: str
    """The path of what holds it, from the network's name on."""
    dead: float
    """Share of them that are 0, and flat there, for every example."""
    saturated: float
    """Share of the others whose activation is flat for every example."""
    finite: bool
    """Whether all of them were finite."""


@dataclass(frozen=True)
class Pass:
    """One call of an activation: of all its examples and places, by unit."""

    name: str
    zero: Bool[np.ndarray, " units"]
    flat: Bool[np.ndarray, " units"]
    finite: bool


def watch(networks: Networks, tell: Callable[[Pass], None]) -> None:
    """Have the activations of networks tell of every call, whatever it is nested in; their values stay the same.

    The networks are those of one trace, thrown away with it.
    """
    for name, network in networks.items():
        for path, module in nnx.iter_modules(network):
            known = [key for key, value in vars(module).items() if any(value is f for f in ACTIVATIONS.values())]
            for key in known:
                holder = "/".join(map(str, (name, *(path[:-1] if isinstance(module, nnx.List) else path))))
                watched = partial(_watched, vars(module)[key], partial(_tell, tell, holder))
                if isinstance(module, nnx.List):
                    module[int(key)] = watched
                else:
                    setattr(module, key, watched)


def _watched(function: Callable, tell: Callable, x: Float[Array, "b ..."]) -> Float[Array, "b ..."]:
    y, slope = jax.jvp(function, (x,), (jnp.ones_like(x),))
    axes = tuple(range(x.ndim - 1))
    jax.debug.callback(tell, (y == 0).all(axes), (jnp.abs(slope) < FLAT).all(axes), jnp.isfinite(y).all())
    return y


def _tell(tell: Callable[[Pass], None], name: str, *found: Any) -> None:
    zero, flat, finite = map(np.asarray, found)
    tell(Pass(name, zero, flat, bool(finite)))


def summary(passes: Sequence[Pass]) -> tuple[Units, ...]:
    """By activation, in the order of their first calls."""
    found = []
    for name in dict.fromkeys(each.name for each in passes):
        own = [each for each in passes if each.name == name]
        zero, flat = (np.logical_and.reduce([getattr(each, kind) for each in own]) for kind in ("zero", "flat"))
        dead, saturated = float((zero & flat).mean()), float((flat & ~zero).mean())
        found.append(Units(name, dead, saturated, all(each.finite for each in own)))
    return tuple(found)
