"""One more update of every player of a run, looked at and thrown away."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from genlab.config.sections import Config
from genlab.data.splits import Dataset
from genlab.kernels.random import Keys, fold
from genlab.lab.units import Pass, Units, summary, watch
from genlab.lab.updates import Updates, at_peak, plays, update
from genlab.methods.game import Player
from genlab.train import paths
from genlab.train.state import Game, TrainState
from genlab.train.step import LOSS, NETWORKS


@dataclass(frozen=True)
class Layer:
    """One layer of what a player moves, as one batch moves it: root mean squares, None of a layer without a matrix."""

    name: str
    """Its path, from the network's name on."""
    weight: float | None = None
    """Of its weights."""
    gradient: float | None = None
    """Of their gradients."""
    update: float | None = None
    """Of their update, at the peak learning rate."""


@dataclass(frozen=True)
class Turn:
    """One update of a player."""

    player: str
    layers: tuple[Layer, ...]
    units: tuple[Units, ...] = ()
    """Of its own networks, in the order in which they compute."""


class Probe(contextlib.AbstractContextManager["Probe"]):
    """The next update of every player that has moved in the last iteration, from one batch, as on one device.

    At the peak learning rate: where a schedule has ended nothing would move.
    """

    def __init__(self, config: Config, dataset: Dataset, game: Game):
        self._config, self._game = config, game
        self._passes: list[Pass] = []
        self._updates = Updates(config, dataset, game, self._update)

    def __exit__(self, *_: object) -> None:
        self._updates.__exit__()

    def __call__(self, state: TrainState) -> tuple[Turn, ...]:
        """What the next updates would do to this state."""
        return tuple(self._turns(state))

    def _turns(self, state: TrainState) -> Iterator[Turn]:
        for play in plays(self._game, max(int(state.step) - 1, 0)):
            if play.play:
                continue
            self._passes.clear()
            moved = jax.device_get(self._updates(state, play))
            jax.effects_barrier()  # until all that was watched has told
            yield Turn(self._game.players[play.number].name, tuple(_layers(*moved)), summary(self._passes))

    def _update(self, player: Player, state: TrainState, batch: Any, keys: Keys, turn: Any) -> tuple[PyTree, ...]:
        networks = self._game.merge(state.params, state.stats, train=True, keys=fold(keys, NETWORKS))
        watch({name: networks[name] for name in player.networks}, self._passes.append)
        player.loss(networks, batch, fold(keys, LOSS), turn)
        transformation = at_peak(player, self._config.train.steps)
        return update(self._game, player, transformation, state, batch, keys, turn)[:3]


def _layers(params: PyTree, grads: PyTree, updates: PyTree) -> Iterator[Layer]:
    """Every module that has parameters of its own among those that are moved."""
    values, gradient, update = (dict(paths.leaves(tree)) for tree in (params, grads, updates))
    own: dict[str, list[str]] = {}
    for path in values:
        own.setdefault(path.rpartition("/")[0], []).append(path)
    for name, leaves in own.items():
        matrices = [path for path in leaves if values[path].ndim >= 2]
        yield Layer(name, *(_rms([tree[path] for path in matrices]) for tree in (values, gradient, update)))


def _rms(arrays: list[np.ndarray]) -> float | None:
    """Of all their elements together; None if there are none."""
    count = sum(a.size for a in arrays)
    return math.sqrt(sum(float(np.square(a, dtype=np.float64).sum()) for a in arrays) / count) if count else None
