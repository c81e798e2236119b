"""The losses with which a run starts, beside those of networks that know nothing."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genlab.config.sections import Config
from genlab.data.splits import Dataset
from genlab.kernels.random import Keys, fold
from genlab.lab.updates import Updates, plays
from genlab.methods.game import Player
from genlab.train.setup import mean_of
from genlab.train.state import Game, TrainState
from genlab.train.step import LOSS, NETWORKS


@dataclass(frozen=True)
class Start:
    """A player's first loss."""

    player: str
    loss: float
    ignorant: float
    """That of the same networks with all weights 0, which say the same of every example, biases and all else as they
    are: 2 log 2 of a discriminator's logits, log K of guesses among K classes, of a decoder the loss at the mean."""


def fresh(game: Game, dataset: Dataset, config: Config) -> TrainState:
    """The state before the first iteration, of a run that does not start with another's networks."""
    mean = mean_of(dataset, config) if game.centred else None
    return jax.jit(game.init)(mean)


def starts(config: Config, dataset: Dataset, game: Game) -> tuple[Start, ...]:
    """The first losses of the players that move in the first iteration, on one batch each."""

    def loss(player: Player, state: TrainState, batch: Any, keys: Keys, turn: Any) -> Float[Array, ""]:
        networks = game.merge(state.params, state.stats, train=True, keys=fold(keys, NETWORKS))
        return player.loss(networks, batch, fold(keys, LOSS), turn)[0]

    state = fresh(game, dataset, config)
    ignorant = replace(state, params=jax.tree.map(lambda p: jnp.zeros_like(p) if p.ndim >= 2 else p, state.params))
    with Updates(config, dataset, game, loss) as first:
        return tuple(
            Start(game.players[play.number].name, float(first(state, play)), float(first(ignorant, play)))
            for play in plays(game, 0)
            if not play.play
        )
