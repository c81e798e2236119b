"""What one run's folder sees of training: metrics checked and recorded, validation, scores, pictures, checkpoints."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np

from genlab.config.sections import Config
from genlab.errors import Stopped
from genlab.parts.types import Metrics
from genlab.track.folder import RunFolder
from genlab.track.sinks import Tracker
from genlab.train.checkpoint import Checkpoints
from genlab.train.patience import Patience
from genlab.train.snapshots import Snapshots
from genlab.train.state import TrainState

Scores = tuple[float, dict[str, float]]  # what the best checkpoint is kept by, lower is better; and all by name
Scorer = Callable[[TrainState], Scores]
Diagnoser = Callable[[TrainState], list[str]]  # what is newly found to be wrong, a line each; it raises nothing


class Diverged(Stopped):
    """A metric is no longer finite."""


@dataclass(frozen=True)
class Timetable:
    """When what happens in a run."""

    config: Config

    @cached_property
    def snapshots(self) -> Snapshots:
        """The iterations whose checkpoints are kept for good."""
        return Snapshots.of(self.config)

    def next_event(self, step: int) -> int:
        """The first iteration after `step` at which anything but an iteration is to be done."""
        c = self.config
        always = (c.track.every, c.track.samples_every, c.train.validate_every, c.checkpoint.every)
        intervals = (*always, *(every for every in (c.evaluate.every, c.track.diagnose) if every))
        regular = ((step // every + 1) * every for every in intervals)
        return min(c.train.steps, *regular, *self.snapshots.after(step))

    def is_event(self, step: int) -> bool:
        """Whether anything is to be done after iteration `step`."""
        return self.next_event(step - 1) == step

    def due(self, step: int, every: int) -> bool:
        """Whether what is done every so many iterations, and at the end, is due; never where that is 0."""
        return every > 0 and (step % every == 0 or step == self.config.train.steps)

    def saving(self, step: int) -> bool:
        """Whether a checkpoint is due, as at the end of every cycle, and after all that may end training early."""
        c = self.config
        deciding = c.evaluate.every or (c.train.patience and c.train.validate_every)
        return self.due(step, c.checkpoint.every) or self.due(step, deciding) or step in self.snapshots

    def validating(self, step: int) -> bool:
        """Whether a validation is due, as before every checkpoint."""
        return self.saving(step) or self.due(step, self.config.train.validate_every)


@dataclass(frozen=True)
class Observer:
    """One run while it trains. All that it does may be slow or fail, and is outside the compiled step."""

    config: Config
    folder: RunFolder
    checkpoints: Checkpoints
    tracker: Tracker
    validate: Callable[[TrainState], Metrics] | None
    scorer: Scorer | None
    pictures: Callable[[TrainState], dict[str, np.ndarray]]
    patience: Patience
    diagnoser: Diagnoser | None = None

    def record(self, values: dict[str, Any], step: int, speed: dict[str, float]) -> None:
        """Check the metrics of iteration `step`, and record them if a row is due.

        Raises:
            Diverged: one is not finite.
        """
        self._check(step, values)
        if Timetable(self.config).due(step, self.config.track.every):
            self.folder.check()
            self.tracker.scalars(step, values | speed)

    def look(self, state: TrainState, step: int) -> None:
        """Validate, score, draw and save, as far as each is due; whether that ends the run is up to its patience.

        DO NOT change the order: a row is checked before its state is saved, and saved before it can be lost.

        Raises:
            Diverged: a metric of validation, or a score, is not finite.
        """
        times = Timetable(self.config)
        self.folder.check()
        saving, monitor = times.saving(step), None
        if self.validate and times.validating(step):
            metrics = to_host(self.validate(state))
            self._check(step, metrics)
            monitor = metrics[self.config.method.monitor]
            self.tracker.scalars(step, metrics)
        if self.scorer and saving:
            monitor, scores = self.scorer(state)
            self._check(step, scores)
            self.tracker.scalars(step, scores)
        if times.due(step, self.config.track.samples_every):
            for name, pixels in self.pictures(state).items():
                self.tracker.image(step, name, pixels)
        if saving:
            self.checkpoints.save(step, state, monitor)
            if monitor is not None:
                self.patience.values[step] = monitor
        if self.patience.ended:
            self.finish(state, step)

    def diagnose(self, state: TrainState) -> list[str]:
        """What is newly found to be wrong."""
        return self.diagnoser(state) if self.diagnoser else []

    def finish(self, state: TrainState, step: int) -> None:
        """Make sure that the state is on disk."""
        self.folder.check()
        if step not in self.checkpoints.steps:
            self.checkpoints.save(step, state)
        self.checkpoints.wait()

    def report(self) -> list[str]:
        """Why it ended early, if it did; with scores, which checkpoint scored best, and how the last one did."""
        monitors = self.checkpoints.monitors
        early = [self.patience.describe(monitors)] if self.patience.ended else []
        if not (self.scorer and monitors):
            return early
        (best, score), last = next(iter(monitors.items())), self.checkpoints.steps[-1]
        final = f"{monitors[last]:.4g} at the last" if last in monitors else "none at the last"
        return [*early, f"score: {score:.4g} at the best checkpoint, step {best}; {final}, step {last}"]

    def _check(self, step: int, values: dict[str, Any]) -> None:
        not_finite = [name for name, value in values.items() if not np.isfinite(value).all()]
        if not_finite:
            self.tracker.scalars(step, values)  # whatever the rhythm of rows, since it tells where it began
            self.checkpoints.wait()
            good = self.checkpoints.steps
            last = f"last good checkpoint: step {good[-1]}" if good else "no checkpoint yet"
            raise Diverged(f"step {step}: {not_finite[0]} is {values[not_finite[0]]}; {last}")


def to_host(metrics: Metrics) -> dict[str, Any]:
    """Metrics off the device as numbers, and lists of numbers."""
    return {name: np.asarray(value).tolist() for name, value in jax.device_get(metrics).items()}
