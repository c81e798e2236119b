"""The training loop: the order of events and their input and output, nothing else."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from genlab.config.plain import check_same, read, to_dict
from genlab.config.sections import Config, resolved
from genlab.data.feed import Feed, make_feed, mean_example
from genlab.data.sources import load
from genlab.data.splits import Dataset
from genlab.errors import Stopped, require
from genlab.parts.types import Metrics
from genlab.track.folder import RunFolder, versions, write_json
from genlab.track.progress import Progress
from genlab.track.sinks import Jsonl, Pngs, Sink, Tracker, Wandb
from genlab.train import capacity, spmd, transfer
from genlab.train.checkpoint import Checkpoints, abstract, set_aside_damaged
from genlab.train.interrupt import Interrupt
from genlab.train.state import Game, TrainState
from genlab.train.step import indices, make_step
from genlab.train.validate import held_out, make_pictures, make_validation, training_batches

Scores = tuple[float, dict[str, float]]  # what the best checkpoint is kept by, lower is better; and all by name
Scorer = Callable[[TrainState], Scores]
MakeScorer = Callable[[Config, Game, Dataset], Scorer]

CALL_SECONDS = 0.5  # how long a call into the compiled step should take: short enough to answer Ctrl-C and move the bar


class Diverged(Stopped):
    """A metric is no longer finite."""


@dataclasses.dataclass
class Loop:
    """A run under way. Everything that may be slow or fail is outside the compiled step, which is `call`."""

    config: Config
    call: Callable[[TrainState, PyTree, PyTree, np.int32], tuple[TrainState, Metrics]]
    index: PyTree
    feed: Feed
    validate: Callable[[TrainState], Metrics] | None
    scorer: Scorer | None
    pictures: Callable[[TrainState], dict[str, np.ndarray]]
    folder: RunFolder
    checkpoints: Checkpoints
    tracker: Tracker
    progress: Progress
    blocking: bool

    def run(self, state: TrainState, step: int, interrupt: Interrupt) -> TrainState:
        """Train from `step` on, until the last step or an interrupt; the state is saved at the end in both cases.

        DO NOT change the order: a row is checked before its state is saved, and saved before it can be lost.
        """
        c, pace, pending = self.config, Pace(), None
        while step < c.train.steps and not interrupt.requested:
            n = 1 if self.feed.single else min(pace.iterations, self._next_event(step) - step)
            state, metrics = self.call(state, self.feed.arrays(step), self.index, np.int32(n))
            step += n
            if self.blocking:
                jax.block_until_ready(metrics)
            if pending:
                self._handle_metrics(*pending)  # one call late, so that the device is never waited for
            pending = (step, metrics)
            pace.record(n)
            if self._is_event(step):
                self._handle_metrics(*pending)
                pending = None
                self._events(step, state)
                pace.restart()
        if pending:
            self._handle_metrics(*pending)
        self.folder.check()
        if step not in self.checkpoints.steps:
            self.checkpoints.save(step, state)
        self.checkpoints.wait()
        return state

    def _intervals(self) -> tuple[int, ...]:
        c = self.config
        scoring = (c.evaluate.every,) if self.scorer else ()
        return (c.track.every, c.track.samples_every, c.train.validate_every, c.checkpoint.every, *scoring)

    def _next_event(self, step: int) -> int:
        return min(self.config.train.steps, *((step // every + 1) * every for every in self._intervals()))

    def _is_event(self, step: int) -> bool:
        return self._next_event(step - 1) == step

    def _due(self, step: int, every: int) -> bool:
        return step % every == 0 or step == self.config.train.steps

    def _handle_metrics(self, step: int, metrics: Metrics) -> None:
        """Fetch a call's metrics; stop at the first that is not finite, show them, and record them if a row is due."""
        values = _to_host(metrics)
        self._check(values.pop("step"), values)
        self.progress.update(step, values)
        if self._due(step, self.config.track.every):
            self.folder.check()
            self.tracker.scalars(step, values | self._speed())

    def _check(self, step: int, values: dict[str, Any]) -> None:
        not_finite = [name for name, value in values.items() if not np.isfinite(value).all()]
        if not_finite:
            self.checkpoints.wait()
            good = self.checkpoints.steps
            last = f"last good checkpoint: step {good[-1]}" if good else "no checkpoint yet"
            raise Diverged(f"step {step}: {not_finite[0]} is {values[not_finite[0]]}; {last}")

    def _speed(self) -> dict[str, float]:
        speed = self.progress.speed()
        names = {"time/steps_per_second": 1, "time/images_per_second": self.progress.images_per_step}
        return {name: speed * factor for name, factor in names.items()} if speed else {}

    def _events(self, step: int, state: TrainState) -> None:
        c = self.config
        self.folder.check()
        saving = self._due(step, c.checkpoint.every) or bool(self.scorer and self._due(step, c.evaluate.every))
        monitor = None
        if self.validate and (saving or self._due(step, c.train.validate_every)):
            metrics = _to_host(self.validate(state))
            self._check(step, metrics)
            monitor = metrics[self.config.method.monitor]
            self.tracker.scalars(step, metrics)
        if self.scorer and saving:
            monitor, scores = self.scorer(state)
            self._check(step, scores)
            self.tracker.scalars(step, scores)
        if self._due(step, c.track.samples_every):
            for name, pixels in self.pictures(state).items():
                self.tracker.image(step, name, pixels)
        if saving:
            self.checkpoints.save(step, state, monitor)

    def report(self) -> None:
        """Say which checkpoint scored best, and how the last one did."""
        monitors = self.checkpoints.monitors
        if self.scorer and monitors:
            (best, score), last = next(iter(monitors.items())), self.checkpoints.steps[-1]
            final = f"{monitors[last]:.4g} at the last" if last in monitors else "none at the last"
            self.progress.message(f"score: {score:.4g} at the best checkpoint, step {best}; {final}, step {last}")


def _to_host(metrics: Metrics) -> dict[str, Any]:
    """Metrics off the device as numbers, and lists of numbers."""
    return {name: np.asarray(value).tolist() for name, value in jax.device_get(metrics).items()}


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
    config: Config, run_dir: Path, make_scorer: MakeScorer | None = None, sinks: Sequence[Sink] = ()
) -> str | None:
    """Train as `config` says, in `run_dir`, from its newest checkpoint if it has one.

    `make_scorer` scores samples where config.evaluate.every asks for it; it comes from the caller, since evaluation
    stands above training. `sinks` take the record as well, after the run's own; one that raises `Stopped` ends the run.

    Returns the name of the signal that ended it early, if one did.

    Raises:
        Invalid: the configuration cannot work, or the folder belongs to another one.
        Diverged: a metric is no longer finite.
        Stopped: a checkpoint cannot be written.
    """
    with contextlib.ExitStack() as stack:
        interrupt = stack.enter_context(Interrupt())
        loop, state, step = prepare(config, run_dir, stack, make_scorer, sinks)
        loop.run(state, step, interrupt)
        loop.report()
        return interrupt.requested


def prepare(
    config: Config,
    run_dir: Path,
    stack: contextlib.ExitStack,
    make_scorer: MakeScorer | None = None,
    sinks: Sequence[Sink] = (),
) -> tuple[Loop, TrainState, int]:
    """All that `train` needs before its first iteration: the loop, and the state and the step to go on from.

    What must be closed afterwards goes to `stack`. Raises as `train` does.
    """
    config = resolved(config)  # the record says what was done, whatever defaults become
    devices = spmd.training_devices(config.parallel, config.data.batch_size)
    folder = RunFolder.create(run_dir)
    stack.enter_context(folder.lock())
    set_aside_damaged(folder.checkpoints)
    checkpoints = stack.enter_context(Checkpoints(folder.checkpoints, config, config.checkpoint.keep))
    before = to_dict(config)
    if checkpoints.steps and folder.is_run():  # without a checkpoint nothing is lost by another configuration
        before = read(folder.config)["config"]
        check_same(before, config)
    dataset = load(config.data)
    known, own = len(dataset.classes), config.method.classes
    allowed = f"0 or {known}, the classes of {dataset.name}" if known else f"0: {dataset.name} has no labels"
    require(own in (0, known), "method.classes", own, allowed)
    capacity.check(config, dataset.shape, devices)
    game = Game(config.method, dataset.shape, config.train.seed, config.train.steps, config.init.freeze)
    place = partial(spmd.replicate, devices=devices)
    feed = make_feed(config.data, dataset, config.train.seed, game.reads, len(devices), place)
    stack.callback(feed.close)
    needs_mean = (
        game.centred and not checkpoints.steps
    )  # a run that goes on needs no mean, for which files must be read
    fresh = jax.jit(game.init)(mean_example(dataset.train, config.data) if needs_mean else None)
    game.check(fresh)
    state = place(fresh)
    found = checkpoints.latest(abstract(state, spmd.replicated(devices)))
    step, state = found or (0, place(transfer.initial_state(game, state, config.init)))
    if found is None and config.init.run_dir is not None:  # the other run may go on, or go
        checkpoints.save(0, state)
        checkpoints.wait()
    write_json(folder.config, {"config": to_dict(config), "shape": dataset.shape, "classes": dataset.classes})
    write_json(folder.versions, versions())
    tracker = stack.enter_context(contextlib.closing(_open_tracker(config, folder, step, before, sinks)))
    images = game.reads * config.data.batch_size
    progress = Progress(config.train.steps, step, images, config.method.headline)
    stack.callback(progress.close)
    batches = held_out(dataset, config.data, config.train.seed)
    ema, ramp = config.train.averaging(config.data.batch_size)
    iterations = make_step(game, feed, ema, config.track.every, ramp)
    trained = (
        training_batches(dataset, config.data, config.train.seed, batches) if batches and config.method.gap else None
    )
    loop = Loop(
        config=config,
        call=spmd.spread(iterations, devices, config.parallel.mapper, feed.axis),
        index=spmd.scatter(indices(config.data.batch_size, len(devices)), devices),
        feed=feed,
        validate=make_validation(game, batches, trained) if batches else None,
        scorer=make_scorer(config, game, dataset) if make_scorer and config.evaluate.every else None,
        pictures=make_pictures(game, batches),
        folder=folder,
        checkpoints=checkpoints,
        tracker=tracker,
        progress=progress,
        # several simulated devices deadlock in XLA's rendezvous when many steps are under way
        blocking=devices[0].platform == "cpu" and len(devices) > 1,
    )
    return loop, state, step


def _open_tracker(
    config: Config, folder: RunFolder, step: int, before: dict[str, Any], sinks: Sequence[Sink]
) -> Tracker:
    """The run's sinks and others; the record is cut back to what a run that never stopped would have written."""

    def keep(row: Mapping[str, Any]) -> bool:
        kinds = {name.partition("/")[0] for name in row}
        saving = (config.checkpoint.every, *([config.evaluate.every] if config.evaluate.every else []))
        intervals: tuple[int, ...] = (config.track.every,)
        if kinds & {"validation", "eval"}:
            intervals = (config.train.validate_every, *saving) if "validation" in kinds else saving
        only_at_the_end = row["step"] == before["train"]["steps"] < config.train.steps
        return not only_at_the_end or any(row["step"] % every == 0 for every in intervals)

    jsonl = Jsonl(folder.metrics)
    jsonl.truncate(step, keep)
    wandb = Wandb(folder, config.track.wandb, config.track.project, folder.path.resolve().name, to_dict(config))
    return Tracker([jsonl, Pngs(folder.samples), wandb, *sinks])
