"""genlab's side of a benchmark: the compiled step of the trainer itself."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from genlab.benchmark.flop import flop
from genlab.benchmark.side import Side, Task
from genlab.benchmark.workloads import IMAGES, Workload
from genlab.data.config import Data
from genlab.data.feed import Resident
from genlab.data.splits import Examples, InMemory
from genlab.nn.layers import AXIS
from genlab.train import spmd
from genlab.train.state import Game, TrainState
from genlab.train.step import indices, make_iteration, make_step


class Genlab(Side):
    """The method's own players, optimisers, batches and averaged weights; nothing is left out."""

    def __init__(self, workload: Workload):
        self.workload = workload
        self.devices = jax.devices()[:1]
        self.index = spmd.scatter(indices(workload.batch, 1), self.devices)
        self.compile_seconds = 0.0
        self.flop = 0.0

    def tasks(self) -> dict[Task, Callable[[int], None]]:
        return {
            "update": self._outside_loop(self._first_player_alone()),
            "looped": self._in_loop(self._first_player_alone()),
            "iteration": self._in_loop(Game(self.workload.method, self.workload.shape, 0, 1)),
        }

    def _first_player_alone(self) -> Game:
        """The game in which only the first player plays, and once."""
        game = Game(self.workload.method, self.workload.shape, 0, 1)
        first = game.players[0]
        game.players = (replace(first, plays=1),)
        return game

    def _feed(self, game: Game) -> Resident:
        rng = np.random.default_rng(0)
        pixels = rng.integers(0, 256, (IMAGES, *self.workload.shape), dtype=np.uint8)
        images = InMemory(Examples(pixels, np.zeros(IMAGES, np.int32)))
        data = Data(batch_size=self.workload.batch)
        place = partial(spmd.replicate, devices=self.devices)
        return Resident(data, images, self.workload.shape, game.reads, place)

    def _outside_loop(self, game: Game) -> Callable[[int], None]:
        """One iteration in a program of its own, outside of any loop."""
        feed = self._feed(game)
        iteration = make_iteration(game, feed, [0.999])

        def update(state: TrainState, arrays: PyTree, index: PyTree) -> TrainState:
            return iteration(state, arrays, index, False)[0]  # without metrics: what they cost is no useful work

        one = jax.vmap(update, in_axes=(None, None, 0), axis_name=AXIS)
        self.flop = flop(one, jax.eval_shape(game.init), feed.arrays(0), self.index)
        return self._compiled(
            game, feed, lambda state, arrays, index, n: iteration(state, arrays, index, True), looped=False
        )

    def _in_loop(self, game: Game) -> Callable[[int], None]:
        """Any number of iterations in one call, as training makes them."""
        feed = self._feed(game)
        return self._compiled(game, feed, make_step(make_iteration(game, feed, [0.999])), looped=True)

    def _compiled(self, game: Game, feed: Resident, step: Callable[..., Any], looped: bool) -> Callable[[int], None]:
        state = spmd.replicate(jax.jit(game.init)(), self.devices)
        arrays = feed.arrays(0)
        started = time.perf_counter()
        spread: Any = spmd.spread(step, self.devices, "pmap", None)
        program = spread.lower(state, arrays, self.index, np.int32(1)).compile()
        self.compile_seconds = time.perf_counter() - started  # the last task is the whole iteration

        def run(times: int) -> None:
            nonlocal state
            for n in [times] if looped else [1] * times:
                state, metrics = program(state, arrays, self.index, np.int32(n))
            jax.block_until_ready(metrics)

        return run

    def matmul(self, size: int, compute: str) -> Callable[[int], None]:
        a = jax.random.normal(jax.random.key(0), (size, size)).astype(compute)
        product = jax.jit(jax.numpy.dot)

        def run(times: int) -> None:
            for _ in range(times):
                c = product(a, a)
            jax.block_until_ready(c)

        return run

    def device_memory(self) -> int | None:
        return (self.devices[0].memory_stats() or {}).get("peak_bytes_in_use")

    def device(self) -> str:
        return self.devices[0].device_kind
