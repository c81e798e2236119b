"""Whether a run fits the machine, from shapes alone: nothing of its size is allocated to find out."""

import math
import os
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.errors import TraceContextError

from genlab.config.plain import flatten, from_dict, to_dict
from genlab.config.sections import Config
from genlab.data.feed import Batch, to_float
from genlab.errors import Invalid
from genlab.kernels.programs import subprograms
from genlab.kernels.random import fold
from genlab.nn.layers import AXIS
from genlab.train.state import Game, TrainState
from genlab.train.step import DATA, LOSS, NETWORKS


def check(config: Config, shape: tuple[int, ...], devices: list[jax.Device], runs: int = 1) -> None:
    """That the state of training, and the largest array of its losses, fit the memory at once, so many times.

    A run needs more than that: what is refused could work only if XLA never made that array, and what is not may
    still be too large.

    Raises:
        Invalid: they do not; the largest setting that it is due to is named, with the figures.
    """
    has = memory(devices)
    needs = needed(config, shape, devices, has)
    if runs * needs <= has:
        return
    if needs <= has:
        each = f"each takes at least {_gibibytes(needs)} of memory, of {_gibibytes(has)}"
        raise Invalid(f"seeds: {runs} runs in one program are not at most {has // needs}; {each}")
    plain = to_dict(config)
    sizes = {name: value for name, value in flatten(plain).items() if type(value) is int and value > 1}
    for name, value in sorted(sizes.items(), key=lambda size: -size[1]):
        try:
            without = needed(from_dict(_with_one(plain, name.split("."))), shape, devices, has)
        except Invalid:  # 1 is not allowed there
            continue
        if without < needs / 2:
            raise Invalid(
                f"{name}: {value} takes at least {_gibibytes(needs)} of memory; at most {_gibibytes(has)} are there"
            )
    raise Invalid(f"method: it takes at least {_gibibytes(needs)} of memory; at most {_gibibytes(has)} are there")


def memory(devices: list[jax.Device]) -> int:
    """Bytes that JAX may use: of one device, or of the machine where that is one."""
    stats = devices[0].memory_stats() or {}
    return stats.get("bytes_limit") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def needed(config: Config, shape: tuple[int, ...], devices: list[jax.Device], most: int) -> int:
    """Bytes of the state and of the largest array in any loss, on one device; on all of those that share a memory.

    Losses are traced, which may make constants as long as a batch; where the state and a batch of examples exceed
    `most` already, they alone are counted.
    """
    game = Game.of(config, shape)
    state = jax.eval_shape(game.init)
    local = config.data.batch_size // len(devices)
    keys = jax.ShapeDtypeStruct((local,), jax.random.key(0).dtype)
    images = len(shape) == 3
    x = jax.ShapeDtypeStruct((local, *shape), np.uint8 if images else np.float32)

    def losses(state: TrainState, x: Any, label: Any, keys: Any) -> list[Any]:
        batch = Batch(to_float(x, fold(keys, DATA), config.data) if images else x, label)
        networks = game.merge(state.params, state.stats, train=True, keys=fold(keys, NETWORKS))
        loss_keys = fold(keys, LOSS)
        return [p.loss(networks, batch if p.real else None, loss_keys, jnp.int32(0))[0] for p in game.players]

    copies = len(devices) if devices[0].platform == "cpu" else 1
    state_bytes, batch_bytes = (
        sum(map(_bytes, jax.tree.leaves(state))),
        _bytes(jax.ShapeDtypeStruct(x.shape, np.float32)),
    )
    if copies * (state_bytes + batch_bytes) > most:
        return copies * (state_bytes + batch_bytes)
    label = jax.ShapeDtypeStruct((local,), np.int32)
    try:
        traced = jax.make_jaxpr(losses, axis_env=[(AXIS, len(devices))])(state, x, label, keys)
    except TraceContextError:  # a critic whose slopes move its statistics: `Game.check` says so, once there are weights
        return copies * (state_bytes + batch_bytes)
    return copies * (state_bytes + max(map(_bytes, _arrays(traced.jaxpr))))


def _arrays(jaxpr: Any) -> Iterator[Any]:
    """The types of all arrays that a computation makes."""
    for equation in jaxpr.eqns:
        yield from (variable.aval for variable in equation.outvars)
        for inner in subprograms(equation.params):
            yield from _arrays(inner)


def _bytes(array: Any) -> int:
    return math.prod(array.shape) * array.dtype.itemsize


def _with_one(plain: dict[str, Any], path: list[str]) -> dict[str, Any]:
    """A configuration with 1 at a path."""
    first, *rest = path
    return plain | {first: _with_one(plain[first], rest) if rest else 1}


def _gibibytes(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB"
