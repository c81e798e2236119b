"""What the loop costs: logging, sample grids, validation and checkpoints beside the bare compiled step."""

import contextlib
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from genlab.config.sections import Config
from genlab.train.interrupt import Interrupt
from genlab.train.loop import prepare

IMAGES = 60_000  # as many as MNIST has, and as large
ITERATIONS = 1000  # one interval of the default configuration: a checkpoint, a validation, a grid, ten rows of metrics


def measure(config: Config, rounds: int) -> dict[str, Any]:
    """Seconds for `ITERATIONS` of a configuration, bare and in the loop, in turn, on random images of MNIST's size."""
    bare: list[float] = []
    looped: list[float] = []
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        images = np.random.default_rng(0).integers(0, 256, (IMAGES, 28, 28, 1), dtype=np.uint8)
        np.savez(folder / "images.npz", x=images)
        config = replace(
            config,
            data=replace(config.data, name=f"npz:{folder / 'images.npz'}"),
            track=replace(config.track, wandb="disabled"),
            parallel=replace(config.parallel, devices=1),
        )
        loop, state, step = prepare(config, folder / "run", stack)
        interrupt = stack.enter_context(Interrupt())
        calls, alone = 10, np.array([True])

        def run_bare(state: Any, step: int) -> Any:
            for at in range(step, step + ITERATIONS, ITERATIONS // calls):
                state, metrics = loop.call(
                    state, loop.feed.arrays(at), loop.index, np.int32(ITERATIONS // calls), alone
                )
            return jax.block_until_ready(state)

        def run_looped(state: Any, step: int) -> Any:
            loop.config = replace(config, train=replace(config.train, steps=step + ITERATIONS))
            loop.observers = {name: replace(each, config=loop.config) for name, each in loop.observers.items()}
            return jax.block_until_ready(loop.run(state, step, interrupt))

        for turn in range(-1, rounds):  # the first round compiles
            for run, times in ((run_bare, bare), (run_looped, looped)):
                started = time.perf_counter()
                state, step = run(state, step), step + ITERATIONS
                if turn >= 0:
                    times.append(time.perf_counter() - started)
    overhead = statistics.median(looped) / statistics.median(bare) - 1
    return {"iterations": ITERATIONS, "bare": bare, "looped": looped, "overhead": overhead}
