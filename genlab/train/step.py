"""The training step: whole iterations of the game, written for one device, with means over the axis of devices."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from genlab.config.sections import RAMP
from genlab.data.feed import Feed
from genlab.kernels.random import Keys, example_keys, fold
from genlab.methods.game import Player
from genlab.nn.layers import AXIS
from genlab.parts.tally import TALLY
from genlab.parts.types import Metrics, Networks, Number, Turn
from genlab.train.paths import graft
from genlab.train.state import Game, TrainState, Weights, averages, select, stream, together

Iteration = Callable[[TrainState, PyTree, Int[Array, " local"], Bool[Array, ""] | bool], tuple[TrainState, Metrics]]
Step = Callable[[TrainState, PyTree, Int[Array, " local"], Int[Array, ""]], tuple[TrainState, Metrics]]
Carry = tuple[Int[Array, ""], Bool[Array, ""], TrainState, Metrics]  # iterations done, whether to go on
DATA, LOSS, NETWORKS = 0, 1, 2  # streams of an example's key: what its batch, its loss and the networks draw


def make_iteration(
    game: Game, feed: Feed, decays: Sequence[Number], ramp: float = RAMP, log_every: int = 1
) -> Iteration:
    """`iteration(state, arrays, index, log_metrics)`: every player's turn, then the averages of weights; its metrics.

    `index` holds the global indices of this device's examples within a batch. `log_metrics`: whether the metrics
    are read; if not, the norms of the gradients are 0, which cost a pass over as many numbers as there are parameters.
    Metrics that only some updates have are means over those since the last multiple of `log_every` iterations.
    """

    def iteration(
        state: TrainState, arrays: PyTree, index: Int[Array, " local"], log_metrics: Bool[Array, ""] | bool
    ) -> tuple[TrainState, Metrics]:
        metrics: Metrics = {}
        read = 0
        state = _reset_tally(state, log_every)
        for number, player in enumerate(game.players):
            key = turn_key(game, state.step, number)
            play = partial(
                _play, game, feed, player, arrays=arrays, index=index, key=key, read=read, log_metrics=log_metrics
            )
            state, player_metrics = _if_due(player, play, state)
            tallied = state.stats[TALLY]["means"] if TALLY in player.networks else {}
            metrics |= {f"{player.name}/{name}": value for name, value in (player_metrics | tallied).items()}
            read += player.plays * player.real
        return _average(game, state, decays, ramp), metrics

    return iteration


def turn_key(game: Game, step: Int[Array, ""], number: int) -> Key[Array, ""]:
    """The root key of a player's turn in an iteration; play i of it folds i in."""
    return jax.random.fold_in(jax.random.fold_in(stream(game.seed, "play"), step), number)


def make_step(iteration: Iteration) -> Step:
    """`step(state, arrays, index, n)`: `n` iterations, fewer if a metric ceases to be finite; the last one's metrics.

    How many iterations a call makes is an argument, not a constant of the program: one program serves every interval,
    and cutting a run into other calls cannot change a bit of it.
    """

    def step(
        state: TrainState, arrays: PyTree, index: Int[Array, " local"], n: Int[Array, ""]
    ) -> tuple[TrainState, Metrics]:
        def own(state: TrainState, log_metrics: Bool[Array, ""] | bool) -> tuple[TrainState, Metrics]:
            return iteration(state, arrays, index, log_metrics)

        def finite(metrics: list[Array]) -> Bool[Array, ""]:
            return jnp.isfinite(jnp.concatenate([jnp.ravel(metric) for metric in metrics])).all()

        state, metrics = repeat(own, state, n, finite)
        return state, {"step": state.step} | metrics

    return step


def repeat(
    iteration: Callable[[TrainState, Bool[Array, ""] | bool], tuple[TrainState, Metrics]],
    state: TrainState,
    n: Int[Array, ""],
    healthy: Callable[[list[Array]], Bool[Array, ""]],
) -> tuple[TrainState, Metrics]:
    """`n` iterations, fewer if the metrics are no longer `healthy`; the state, and the last one's metrics."""
    shapes = jax.eval_shape(iteration, state, True)[1]

    def unfinished(carry: Carry) -> Bool[Array, ""]:
        done, going_on, _, _ = carry
        return (done < n) & going_on

    def advance(carry: Carry) -> Carry:
        done, _, state, _ = carry
        state, metrics = iteration(state, done + 1 == n)
        return done + 1, healthy(list(metrics.values())), state, metrics

    start = (jnp.int32(0), jnp.bool_(True), state, jax.tree.map(lambda m: jnp.zeros(m.shape, m.dtype), shapes))
    return jax.lax.while_loop(unfinished, advance, start)[2:]


def _reset_tally(state: TrainState, log_every: int) -> TrainState:
    """At every multiple of `log_every` iterations, start to tally anew; a game may tally nothing."""
    if TALLY not in state.stats:
        return state
    tally = state.stats[TALLY]
    count = jnp.where(state.step % log_every == 0, 0, tally["count"])
    return replace(state, stats={**state.stats, TALLY: {**tally, "count": count}})


def _if_due(
    player: Player, play: Callable[[TrainState], tuple[TrainState, Metrics]], state: TrainState
) -> tuple[TrainState, Metrics]:
    """The player's turn; while it rests nothing of it is computed or changes, and its metrics are 0."""
    if (player.start, player.stop) == (0, None):
        return play(state)
    due = state.step >= player.start
    if player.stop is not None:
        due &= state.step < player.stop
    nothing = jax.tree.map(lambda m: jnp.zeros(m.shape, m.dtype), jax.eval_shape(play, state)[1])
    return jax.lax.cond(due, play, lambda state: (state, nothing), state)


def _play(
    game: Game,
    feed: Feed,
    player: Player,
    state: TrainState,
    arrays: PyTree,
    index: Int[Array, " local"],
    key: Array,
    read: int,
    log_metrics: Bool[Array, ""] | bool,
) -> tuple[TrainState, Metrics]:
    """All plays of one player: gradient of its loss over what it moves, mean over devices, update."""

    def play(carry: tuple[PyTree, PyTree, PyTree], i: Int[Array, ""]) -> tuple[tuple[PyTree, PyTree, PyTree], Metrics]:
        params, stats, moments = carry
        keys = example_keys(jax.random.fold_in(key, i), index)
        batch = feed.draw(arrays, game.seed, state.step, read + i, index, fold(keys, DATA)) if player.real else None

        turn = state.step * player.plays + i
        grads, (metrics, stats) = gradients(game, player, state, params, stats, batch, keys, turn)
        if jax.lax.axis_size(AXIS) > 1:  # XLA would copy every gradient of one device to itself
            grads, metrics = jax.lax.pmean((grads, metrics), AXIS)
        params, moments, _ = move(player, game.optimizers[player.name], grads, moments, params)
        norm = jax.lax.cond(log_metrics, optax.tree.norm, lambda _: jnp.zeros(()), grads)
        return (params, stats, moments), metrics | {"grad_norm": norm}

    carry = (game.trainable(player, state.params), select(state.stats, player.networks), state.optimizers[player.name])
    (params, stats, moments), metrics = jax.lax.scan(play, carry, jnp.arange(player.plays))
    return played(state, player, params, stats, moments), jax.tree.map(lambda values: values.mean(0), metrics)


def move(
    player: Player, transformation: optax.GradientTransformation, grads: PyTree, moments: PyTree, params: PyTree
) -> tuple[PyTree, PyTree, PyTree]:
    """What a player moves and the moments of its optimiser, after an update by these gradients; and the update."""
    updates, moments = transformation.update(grads, moments, params)
    params = optax.apply_updates(params, updates)
    return player.project(params) if player.project else params, moments, updates


def played(state: TrainState, player: Player, params: PyTree, stats: PyTree, moments: PyTree) -> TrainState:
    """The state with what a player has moved, updated and remembers."""
    return replace(
        state,
        params=graft(state.params, params),
        stats={**state.stats, **stats},
        optimizers={**state.optimizers, player.name: moments},
    )


def gradients(
    game: Game, player: Player, state: TrainState, params: PyTree, stats: PyTree, batch: Any, keys: Keys, turn: Turn
) -> tuple[PyTree, tuple[Metrics, PyTree]]:
    """Of a player's loss on a batch by the `params` that it moves, traced; its metrics, and its new `stats`."""

    def objective(params: PyTree) -> tuple[Float[Array, ""], tuple[Metrics, PyTree]]:
        merged = graft(state.params, params), {**state.stats, **stats}
        networks = game.merge(*merged, train=True, keys=fold(keys, NETWORKS))
        loss, metrics = player.loss(networks, batch, fold(keys, LOSS), turn)
        return loss, ({"loss": loss} | metrics, _stats(game, networks, player))

    return jax.grad(objective, has_aux=True)(params)


def _stats(game: Game, networks: Networks, player: Player) -> PyTree:
    return game.split({name: networks[name] for name in player.networks})[1]


def _average(game: Game, state: TrainState, decays: Sequence[Number], ramp: float) -> TrainState:
    """Count the iteration and move the averages of weights; early on they are short and forget the start.

    A decay (1 + t) / (ramp + t) is that of a half-life of t log(2) / (ramp - 1). What does not move keeps its bits.
    """
    first = (1 + state.step) / (ramp + state.step)
    sampling = game.method.sampling
    current = {"params": select(state.params, sampling), "stats": select(state.stats, sampling)}

    def moved(decay: Number, average: Weights) -> Weights:
        decay = jnp.minimum(decay, first)
        return jax.tree.map(lambda old, new: new + decay * (old - new), average, current)

    averaged = [moved(decay, average) for decay, average in zip(decays, averages(state), strict=True)]
    return replace(state, step=state.step + 1, ema=together(averaged))


def indices(batch_size: int, devices: int) -> Int[Array, "devices local"]:
    """The global example indices of a batch, a row for each device."""
    return jnp.arange(batch_size, dtype=jnp.int32).reshape(devices, -1)
