"""Losses on networks as they are, outside the compiled step, and games small enough to follow by hand."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.data.feed import Batch
from genlab.kernels.random import example_keys
from genlab.nn.layers import AXIS
from genlab.train import spmd
from genlab.train.state import Game
from genlab.train.step import indices, make_step


class Seen(NamedTuple):
    """What one evaluation of a loss gives; gradients and statistics by network."""

    loss: jax.Array
    metrics: dict
    grads: dict
    stats: dict  # those that the first device has afterwards


def compiled(f):
    """`jax.jit` for functions that run once: compiling is all that takes time."""
    return jax.jit(f, compiler_options={"xla_backend_optimization_level": 0})


def evaluate(loss, networks, x, keys, devices=1, labels=None) -> Seen:
    """A method's loss on examples `x` (None for a loss without any), with the batch cut into so many devices' parts.

    Without labels all examples are of class 0.
    """
    labels = jnp.zeros(len(keys), jnp.int32) if labels is None else jnp.asarray(labels)
    graph, *state = nnx.split(networks, nnx.Param, ...)
    params, stats = map(nnx.to_pure_dict, state)
    cut = jax.tree.map(lambda a: a.reshape(devices, -1, *a.shape[1:]), (x, keys, labels))

    def local(x, keys, labels):
        def objective(params):
            merged = nnx.merge(graph, params, stats)
            batch = None if x is None else Batch(x, labels)
            value, metrics = loss(merged, batch, keys)
            return value, (metrics, nnx.to_pure_dict(nnx.state(merged, nnx.Not(nnx.Param))))

        (value, (metrics, after)), grads = jax.value_and_grad(objective, has_aux=True)(params)
        return *jax.lax.pmean((value, metrics, grads), AXIS), after

    return Seen(*jax.tree.map(lambda a: a[0], compiled(jax.vmap(local, axis_name=AXIS))(*cut)))


class Table:
    """A feed of given examples, (iterations, reads, batch, *shape)."""

    axis, single = None, False

    def __init__(self, real):
        self.real = real

    def arrays(self, step):
        return self.real

    def draw(self, arrays, step, read, index, keys):
        return Batch(arrays[step, read][index], jnp.zeros(len(index), jnp.int32))

    def close(self):
        pass


def play(method, real, horizon, iterations):
    """The state after so many iterations of the compiled step, of a training that is to last `horizon` of them."""
    game, feed, devices = Game(method, real.shape[3:], 0, horizon), Table(jnp.asarray(real)), jax.devices()[:1]
    step = spmd.spread(make_step(game, feed, 0.0), devices, "pmap", feed.axis)
    state = spmd.replicate(compiled(game.init)(), devices)
    index = spmd.scatter(indices(real.shape[2], 1), devices)
    return jax.device_get(step(state, feed.arrays(0), index, np.int32(iterations))[0])


@pytest.fixture(name="compiled")
def _compiled() -> Callable[[Callable], Callable]:
    """See `compiled`."""
    return compiled


@functools.cache
def initial(method, shape):
    game = Game(method, shape, 0, 1)
    return game, compiled(game.init)()


@pytest.fixture
def fresh() -> Callable:
    """`fresh(method, shape)`: its networks at initialisation, in training mode."""

    def networks(method, shape=(2,)):
        game, state = initial(method, shape)
        return game.merge(state.params, state.stats, train=True)

    return networks


@pytest.fixture(name="evaluate")
def _evaluate() -> Callable[..., Seen]:
    """See `evaluate`."""
    return evaluate


@pytest.fixture(scope="module", name="play")
def _play() -> Callable:
    """See `play`."""
    return play


@pytest.fixture
def keys() -> Callable:
    """`keys(n, seed)`: one key for each of `n` examples."""
    return lambda n, seed=0: compiled(example_keys)(jax.random.key(seed), jnp.arange(n))
