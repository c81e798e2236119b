"""The training loop: the order of events and their input and output, nothing else."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, PyTree

from genlab.config.sections import Config
from genlab.data.feed import Feed, make_feed
from genlab.data.splits import Dataset
from genlab.errors import Stopped
from genlab.parts.types import Metrics
from genlab.track.folder import RunFolder
from genlab.track.progress import Progress
from genlab.track.sinks import Sink
from genlab.train import capacity, spmd
from genlab.train.interrupt import Interrupt
from genlab.train.observer import Diagnoser, Observer, Scorer, Timetable, to_host
from genlab.train.setup import load_data, mean_if_needed, open_run
from genlab.train.state import Game, TrainState
from genlab.train.step import indices, make_iteration, make_step
from genlab.train.validate import make_pictures, make_validation, validation_batches

MakeScorer = Callable[[Config, Game, Dataset], Scorer]
# of the run in this folder, which goes on from this step; what it holds is let go of where the context ends
MakeDiagnoser = Callable[[Config, Game, Dataset, RunFolder, int], contextlib.AbstractContextManager[Diagnoser]]

CALL_SECONDS = 0.5  # how long a call into the compiled step should take: short enough to answer Ctrl-C and move the bar

# (state, arrays, index, n, which runs are under way) -> the state after up to n iterations, and the last one's metrics
Call = Callable[[TrainState, PyTree, PyTree, np.int32, Bool[np.ndarray, " runs"]], tuple[TrainState, Metrics]]


@dataclass
class Loop:
    """A run under way, or several that one program trains; `config` says when what happens in all of them."""

    config: Config
    call: Call
    index: PyTree
    feed: Feed
    observers: dict[str, Observer]
    split: Callable[[TrainState], list[TrainState]] | None
    """The states of several runs, of the state of all; their metrics have an axis of runs. None of a single one."""
    progress: Progress
    blocking: bool
    ended: dict[str, str] = field(default_factory=dict)
    """Runs that could not go on, and why."""

    def run(self, state: TrainState, step: int, interrupt: Interrupt) -> TrainState:
        """Train from `step` on, until the last step, an interrupt, or until no run has patience left.

        The state is saved at the end in all cases.

        A run among several that cannot go on ends alone. Raises what stops a single one, or the last of several.
        """
        times, pace, pending = Timetable(self.config), Pace(), None
        while step < self.config.train.steps and not interrupt.requested and self._under_way().any():
            n = 1 if self.feed.single else min(pace.iterations, times.next_event(step) - step)
            state, metrics = self.call(state, self.feed.arrays(step), self.index, np.int32(n), self._under_way())
            step += n
            if self.blocking:
                jax.block_until_ready(metrics)
            if pending is not None:
                self._handle_metrics(pending)  # one call late, so that the device is never waited for
            pending = metrics
            pace.record(n)
            if self.split or times.is_event(step):
                step, pending = self._handle_metrics(pending), None  # where one of several diverged all have stopped
            if times.is_event(step):
                self._for_each(partial(Observer.look, step=step), self._states(state))
                if times.due(step, self.config.track.diagnose):
                    self._for_each(self._diagnose, self._states(state))
                pace.restart()
        if pending is not None:
            self._handle_metrics(pending)
        self._for_each(partial(Observer.finish, step=step), self._states(state))
        return state

    def report(self) -> None:
        """Say which runs ended early for want of patience, and which checkpoints scored best."""
        for name, observer in self.observers.items():
            for found in observer.report():
                self.progress.message(f"{name}: {found}" if self.split else found)

    def _diagnose(self, observer: Observer, state: TrainState) -> None:
        for line in observer.diagnose(state):
            self.progress.message(f"{observer.folder.path}, {line}" if self.split else line)

    def _states(self, state: TrainState) -> list[TrainState]:
        return self.split(state) if self.split else [state]

    def _under_way(self) -> Bool[np.ndarray, " runs"]:
        return np.array(
            [name not in self.ended and not observer.patience.ended for name, observer in self.observers.items()]
        )

    def _handle_metrics(self, metrics: Metrics) -> int:
        """Fetch a call's metrics, show and record them; the iteration that they are of."""
        values = to_host(metrics)
        step = values.pop("step")
        rows = [values]
        if self.split:
            rows = [{name: value[i] for name, value in values.items()} for i in range(len(self.observers))]
        self._for_each(partial(Observer.record, step=step, speed=self._speed()), rows)
        shown = [row for row, under_way in zip(rows, self._under_way(), strict=True) if under_way]
        self.progress.update(step, {name: np.mean([row[name] for row in shown]) for name in self.progress.headline})
        return step

    def _for_each(self, action: Callable[..., None], parts: list[Any]) -> None:
        """Do something for every run that is under way, each with its own part."""
        for (name, observer), part, under_way in zip(self.observers.items(), parts, self._under_way(), strict=True):
            if not under_way:
                continue
            try:
                action(observer, part)
            except Stopped as error:
                self.ended[name] = str(error)
                if not self._under_way().any():
                    raise
                self.progress.message(f"{name} has ended: {error}; the others go on")

    def _speed(self) -> dict[str, float]:
        speed = self.progress.speed()
        names = {"time/steps_per_second": 1, "time/images_per_second": self.progress.images_per_step}
        return {name: speed * factor for name, factor in names.items()} if speed else {}


class Pace:
    """How many iterations to ask for in one call, from how long the last ones took."""

    def __init__(self) -> None:
        self.iterations = 1
        self._calls = 0
        self.restart()

    def restart(self) -> None:
        """Do not count what has passed since the last call."""
        self._since = time.monotonic()

    def record(self, n: int) -> None:
        """Note that a call of `n` iterations has been made; the first two compile or wait, and tell nothing."""
        now = time.monotonic()
        self._calls += 1
        if self._calls > 2:
            ideal = int(CALL_SECONDS * n / max(now - self._since, 1e-6))
            self.iterations = max(1, min(ideal, 4 * self.iterations))
        self._since = now


def train(
    config: Config,
    run_dir: Path,
    make_scorer: MakeScorer | None = None,
    sinks: Sequence[Sink] = (),
    make_diagnoser: MakeDiagnoser | None = None,
) -> str | None:
    """Train as `config` says, in `run_dir`, from its newest checkpoint if it has one.

    `make_scorer` scores samples where config.evaluate.every asks for it, and `make_diagnoser` says what is wrong where
    config.track.diagnose does; they come from the caller, since evaluation and lab stand above training. `sinks` take
    the record of the run besides those that always do.

    Returns the name of the signal that ended it early, if one did.

    Raises:
        Invalid: the configuration cannot work, or the folder belongs to another one.
        Diverged: a metric is no longer finite.
        Stopped: a checkpoint cannot be written.
    """
    with contextlib.ExitStack() as stack:
        interrupt = stack.enter_context(Interrupt())
        loop, state, step = prepare(config, run_dir, stack, make_scorer, sinks, make_diagnoser)
        loop.run(state, step, interrupt)
        loop.report()
        return interrupt.requested


def prepare(
    config: Config,
    run_dir: Path,
    stack: contextlib.ExitStack,
    make_scorer: MakeScorer | None = None,
    sinks: Sequence[Sink] = (),
    make_diagnoser: MakeDiagnoser | None = None,
) -> tuple[Loop, TrainState, int]:
    """All that `train` needs before its first iteration: the loop, and the state and the step to go on from.

    What must be closed afterwards goes to `stack`. Raises as `train` does.
    """
    devices = spmd.training_devices(config.parallel, config.data.batch_size)
    run = open_run(config, run_dir, stack)
    config, seed = run.config, run.config.train.seed
    dataset = load_data(config)
    capacity.check(config, dataset.shape, devices)
    game = Game.of(config, dataset.shape)
    feed = make_feed(config.data, dataset, seed, game.reads, len(devices), partial(spmd.replicate, devices=devices))
    stack.callback(feed.close)
    fresh = jax.jit(game.init)(mean_if_needed(game, dataset, [run]))
    game.check(fresh)
    step, state = run.start(game, fresh, devices)
    held, trained = validation_batches(dataset, config)
    diagnoser = None
    if make_diagnoser and config.track.diagnose:
        diagnoser = stack.enter_context(make_diagnoser(config, game, dataset, run.folder, step))
    observer = run.observe(
        dataset,
        step,
        stack,
        validate=make_validation(game, held, trained) if held else None,
        pictures=make_pictures(game, held),
        scorer=make_scorer(config, game, dataset) if make_scorer and config.evaluate.every else None,
        sinks=sinks,
        diagnoser=diagnoser,
    )
    iteration = make_iteration(game, feed, *config.train.averaging(config.data.batch_size), config.track.every)
    compiled = spmd.spread(make_step(iteration), devices, config.parallel.mapper, feed.axis)

    def call(state: TrainState, arrays: PyTree, index: PyTree, n: np.int32, _: Bool[np.ndarray, " runs"]):
        return compiled(state, arrays, index, n)

    index = spmd.scatter(indices(config.data.batch_size, len(devices)), devices)
    # several simulated devices deadlock in XLA's rendezvous when many steps are under way
    blocking = devices[0].platform == "cpu" and len(devices) > 1
    return make_loop({str(run_dir): observer}, call, None, feed, index, game, step, stack, blocking), state, step


def make_loop(
    observers: dict[str, Observer],
    call: Call,
    split: Callable[[TrainState], list[TrainState]] | None,
    feed: Feed,
    index: PyTree,
    game: Game,
    step: int,
    stack: contextlib.ExitStack,
    blocking: bool = False,
) -> Loop:
    """The loop of runs that are made ready, whose progress is shown from `step` on.

    `blocking`: whether to wait for every call; of several runs at once each call's metrics are waited for anyway.
    """
    config = next(iter(observers.values())).config
    progress = Progress(config.train.steps, step, game.reads * config.data.batch_size, config.method.headline)
    stack.callback(progress.close)
    return Loop(
        config=config,
        call=call,
        index=index,
        feed=feed,
        observers=observers,
        split=split,
        progress=progress,
        blocking=blocking,
    )
