"""Single updates of a run, made as training makes them but one at a time and on one device, to be looked at."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PyTree

from genlab.config.sections import Config
from genlab.data.feed import make_feed
from genlab.data.splits import Dataset
from genlab.kernels.random import Keys, example_keys, fold
from genlab.methods.game import Player
from genlab.nn.layers import AXIS
from genlab.parts.types import Metrics
from genlab.parts.types import Turn as Count
from genlab.train import optimizer
from genlab.train.state import Game, TrainState, select
from genlab.train.step import DATA, gradients, indices, move, played, turn_key


class Update(NamedTuple):
    """One update of a player: what it moves, by what, and what comes of it."""

    params: PyTree
    grads: PyTree
    moved: PyTree
    """What is added to the parameters."""
    metrics: Metrics
    state: TrainState
    """Afterwards."""


class Play(NamedTuple):
    """Whose update it is: a player by its number, the play of its turn, and the iteration's batches read before it."""

    number: int
    play: int
    read: int


def plays(game: Game, step: int) -> Iterator[Play]:
    """Every update of iteration `step`, in the order of play."""
    read = 0
    for number, player in enumerate(game.players):
        if player.plays_in(step):
            yield from (Play(number, play, read + play * player.real) for play in range(player.plays))
        read += player.plays * player.real


def at_peak(player: Player, steps: int) -> optax.GradientTransformation:
    """A player's optimiser without its schedule, which may have ended: what it moves at its peak learning rate."""
    return optimizer.build(replace(player, optimizer=replace(player.optimizer, schedule="constant", warmup=0)), steps)


def update(
    game: Game,
    player: Player,
    transformation: optax.GradientTransformation,
    state: TrainState,
    batch: Any,
    keys: Keys,
    turn: Count,
) -> Update:
    """A player's update by a batch, traced, within the axis of devices; the iteration is not counted."""
    params, stats = game.trainable(player, state.params), select(state.stats, player.networks)
    grads, (metrics, stats) = gradients(game, player, state, params, stats, batch, keys, turn)
    after, moments, moved = move(player, transformation, grads, state.optimizers[player.name], params)
    return Update(params, grads, moved, metrics, played(state, player, after, stats, moments))


class Updates(contextlib.AbstractContextManager["Updates"]):
    """The updates of a run, whose programs are compiled once each.

    `f(player, state, batch, keys, turn)`, traced within the axis of devices, is what is made of one: see `update`.
    """

    def __init__(self, config: Config, dataset: Dataset, game: Game, f: Callable[..., PyTree]):
        self._config, self._game, self._f = config, game, f
        self._feed = make_feed(config.data, dataset, config.train.seed, game.reads, 1)
        self._program = cache(self._compile)

    def __exit__(self, *_: object) -> None:
        self._feed.close()

    def __call__(self, state: TrainState, play: Play) -> PyTree:
        """`f` of this update in the iteration that follows `state`."""
        # arguments, since XLA takes minutes to fold the rounds of `data.order` of constants
        arrays, index = self._feed.arrays(int(state.step)), indices(self._config.data.batch_size, 1)
        return self._program(play.number)(state, arrays, index, jnp.int32(play.play), jnp.int32(play.read))

    def _compile(self, number: int) -> Callable[..., PyTree]:
        game, feed, player = self._game, self._feed, self._game.players[number]

        def on_device(
            state: TrainState, arrays: PyTree, index: Array, play: Int[Array, ""], read: Int[Array, ""]
        ) -> PyTree:
            keys = example_keys(jax.random.fold_in(turn_key(game, state.step, number), play), index)
            batch = feed.draw(arrays, game.seed, state.step, read, index, fold(keys, DATA)) if player.real else None
            return self._f(player, state, batch, keys, state.step * player.plays + play)

        alone = jax.vmap(on_device, in_axes=(None, feed.axis, 0, None, None), axis_name=AXIS)  # losses average over it
        return jax.jit(lambda *arguments: jax.tree.map(lambda x: x[0], alone(*arguments)))


def as_trained(game: Game, player: Player, *rest: Any) -> Update:
    """`update` with the optimiser's schedule."""
    return update(game, player, game.optimizers[player.name], *rest)
