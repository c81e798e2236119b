"""One more update of every player of a trained run, looked at and thrown away."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Int, PyTree

from genlab.config.sections import Config
from genlab.data.feed import Feed, make_feed
from genlab.data.splits import Dataset
from genlab.kernels.random import example_keys, fold
from genlab.methods.game import Player
from genlab.nn.layers import AXIS, Affine
from genlab.nn.norms import BatchNorm, InstanceNorm, LayerNorm
from genlab.parts.types import Networks
from genlab.train import optimizer, paths
from genlab.train.state import Game, TrainState, select
from genlab.train.step import DATA, gradients, indices, turn_key

UNITS = (Affine, BatchNorm, LayerNorm, InstanceNorm)  # layers whose parameters belong to one unit each, along one axis


@dataclass(frozen=True)
class Layer:
    """One layer of what a player moves, as one batch moves it."""

    name: str
    """Its path, from the network's name on."""
    weight: float | None = None
    """Root mean square of its weights; None, as the next two, of a layer that has no matrix."""
    gradient: float | None = None
    """That of their gradients."""
    update: float | None = None
    """That of their update, at the peak learning rate."""
    idle: float | None = None
    """Share of its units none of whose parameters has a gradient; None where parameters belong to no unit."""


@dataclass(frozen=True)
class Turn:
    """One update of a player."""

    player: str
    layers: tuple[Layer, ...]


def probe(config: Config, dataset: Dataset, game: Game, state: TrainState) -> list[Turn]:
    """The next update of every player that has moved in the last iteration, from one batch, as on one device.

    At the peak learning rate: where a schedule has ended nothing would move.
    """
    feed = make_feed(config.data, dataset, config.train.seed, game.reads, 1)
    try:
        last, read, found = max(int(state.step) - 1, 0), 0, []
        arrays = feed.arrays(int(state.step))
        networks = game.merge(state.params, state.stats, train=False)
        for number, player in enumerate(game.players):
            if player.start <= last and (player.stop is None or last < player.stop):
                update = jax.jit(partial(_update, config, game, feed, player, number))
                # arguments, since XLA takes minutes to fold the rounds of `data.order` of constants
                moved = update(state, arrays, indices(config.data.batch_size, 1), jnp.int32(read))
                found.append(Turn(player.name, tuple(_layers(networks, *jax.device_get(moved)))))
            read += player.plays * player.real
        return found
    finally:
        feed.close()


def _update(
    config: Config,
    game: Game,
    feed: Feed,
    player: Player,
    number: int,
    state: TrainState,
    arrays: PyTree,
    index: Int[Array, "one batch"],
    read: Int[Array, ""],
) -> tuple[PyTree, PyTree, PyTree]:
    """A player's parameters, their gradients and their update, traced."""
    constant = replace(player.optimizer, schedule="constant", warmup=0)
    transformation = optimizer.build(replace(player, optimizer=constant), config.train.steps)
    params, stats = game.trainable(player, state.params), select(state.stats, player.networks)

    def on_device(arrays: PyTree, index: Int[Array, " batch"]) -> PyTree:
        keys = example_keys(jax.random.fold_in(turn_key(game, state.step, number), 0), index)
        batch = feed.draw(arrays, game.seed, state.step, read, index, fold(keys, DATA)) if player.real else None
        return gradients(game, player, state, params, stats, batch, keys, state.step * player.plays)[0]

    alone = jax.vmap(on_device, in_axes=(feed.axis, 0), axis_name=AXIS)  # the axis that losses may average over
    grads = jax.tree.map(lambda g: g[0], alone(arrays, index))
    return params, grads, transformation.update(grads, state.optimizers[player.name], params)[0]


def _layers(networks: Networks, params: PyTree, grads: PyTree, updates: PyTree) -> Iterator[Layer]:
    """Every module that has parameters of its own among those that are moved."""
    own: dict[str, list[str]] = {}
    values, gradient, update = (dict(paths.leaves(tree)) for tree in (params, grads, updates))
    for path in values:
        own.setdefault(path.rpartition("/")[0], []).append(path)
    modules = {
        "/".join(map(str, (name, *path))): module
        for name, network in networks.items()
        for path, module in nnx.iter_modules(network)
    }
    for name, leaves in own.items():
        matrices = [path for path in leaves if values[path].ndim >= 2]
        idle = _idle(modules[name], [gradient[path] for path in leaves]) if isinstance(modules[name], UNITS) else None
        weight, slope, moved = (_rms([tree[path] for path in matrices]) for tree in (values, gradient, update))
        yield Layer(name, weight, slope, moved, idle)


def _idle(module: nnx.Module, gradients: list[np.ndarray]) -> float:
    axis = module.outputs_axis if isinstance(module, Affine) else -1
    by_unit = [np.moveaxis(g, axis if g.ndim > 1 else -1, -1) for g in gradients]
    moved = np.concatenate([g.reshape(-1, g.shape[-1]) for g in by_unit]).any(0)
    return float(1 - moved.mean())


def _rms(arrays: list[np.ndarray]) -> float | None:
    """Of all their elements together; None if there are none."""
    count = sum(a.size for a in arrays)
    return math.sqrt(sum(float(np.square(a, dtype=np.float64).sum()) for a in arrays) / count) if count else None
