"""Where a run that diverged first held numbers that are not finite: its last iterations are made again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from genlab.config.sections import Config
from genlab.data.feed import make_feed
from genlab.data.splits import Dataset
from genlab.kernels.random import Keys, fold
from genlab.lab.units import Pass, summary, watch
from genlab.lab.updates import Update, Updates, as_trained, plays
from genlab.methods.game import Player
from genlab.track.rows import Row
from genlab.train import paths, spmd
from genlab.train.state import Game, TrainState
from genlab.train.step import LOSS, NETWORKS, indices, make_iteration, make_step

BEYOND = 10  # iterations past the recorded one, which on other devices may differ by rounding


@dataclass(frozen=True)
class Origin:
    """The first update that made or met a number that is not finite."""

    iteration: int
    """Counted from 1, as rows are."""
    player: str
    play: int
    """Of the player's turn, counted from 1."""
    plays: int
    what: str
    """"activations", "loss", "gradients" or "parameters": the first of these that is not finite, in this order."""
    layer: str | None
    """The first in which, in the order in which the network computes; None of a loss whose activations are finite."""


def find_origin(config: Config, dataset: Dataset, game: Game, state: TrainState, rows: Sequence[Row]) -> Origin | None:
    """That of a run whose rows say that it diverged after `state`, found by making the iterations since then again.

    None where no row says so, where these are more than lie between two checkpoints, or where they are finite when they
    are made again, as where only validation was not.
    """
    broken = next((row["step"] for row in rows if None in row.values()), None)
    start = int(state.step)
    if broken is None or not start < broken <= start + config.checkpoint.every:
        return None
    last = _healthy_until(config, dataset, game, state, broken + BEYOND)
    return None if last is None else _first(config, dataset, game, last)


def _healthy_until(config: Config, dataset: Dataset, game: Game, state: TrainState, end: int) -> TrainState | None:
    """The last state before an iteration whose metrics are not finite; None if all are up to `end`."""
    devices = jax.devices()[:1]
    feed = make_feed(config.data, dataset, config.train.seed, game.reads, 1)
    iteration = make_iteration(game, feed, *config.train.averaging(config.data.batch_size), config.track.every)
    step = spmd.spread(make_step(iteration), devices, "pmap", feed.axis)
    index = spmd.scatter(indices(config.data.batch_size, 1), devices)
    host = jax.device_get(state)

    def advance(state: TrainState, n: int) -> tuple[TrainState, bool]:
        if n <= 0:
            return state, True
        arrays = feed.arrays(int(state.step))
        after, metrics = step(spmd.replicate(state, devices), arrays, index, np.int32(n))
        return jax.device_get(after), _finite(metrics.values())

    try:
        n = 1 if feed.single else end - int(host.step)
        while int(host.step) < end:
            after, finite = advance(host, n)
            if not finite:
                # a turn may leave parameters that only the next iteration's metrics show
                back = (advance(host, int(after.step) - ago - int(host.step))[0] for ago in (1, 2))
                return next((state for state in back if _finite(jax.tree.leaves(state))), None)
            host = after
        return None
    finally:
        feed.close()


def _first(config: Config, dataset: Dataset, game: Game, state: TrainState) -> Origin | None:
    """In the iteration that follows `state`."""
    passes: list[Pass] = []

    def watched(player: Player, state: TrainState, batch: Any, keys: Keys, turn: Any) -> Update:
        networks = game.merge(state.params, state.stats, train=True, keys=fold(keys, NETWORKS))
        watch(networks, passes.append)
        player.loss(networks, batch, fold(keys, LOSS), turn)
        return as_trained(game, player, state, batch, keys, turn)

    iteration = int(state.step) + 1
    with Updates(config, dataset, game, watched) as updates:
        for play in plays(game, int(state.step)):
            passes.clear()
            made = jax.device_get(updates(state, play))
            jax.effects_barrier()
            found = _in_update(made, passes)
            if found:
                player = game.players[play.number]
                return Origin(iteration, player.name, play.play + 1, player.plays, *found)
            state = made.state
    return None


def _in_update(made: Update, passes: Sequence[Pass]) -> tuple[str, str | None] | None:
    """What is not finite in an update, and in which layer."""
    for units in summary(passes):
        if not units.finite:
            return "activations", units.name
    if not _finite(made.metrics.values()):
        return "loss", None
    for what, tree in (("gradients", made.grads), ("parameters", made.state.params)):
        layer = _layer(tree)
        if layer:
            return what, layer
    return None


def _layer(tree: PyTree) -> str | None:
    return next((path.rpartition("/")[0] for path, x in paths.leaves(tree) if not _finite([x])), None)


def _finite(arrays: Iterable[Any]) -> bool:
    return all(np.isfinite(np.asarray(x)).all() for x in arrays)
