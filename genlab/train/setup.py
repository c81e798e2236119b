"""What a run needs before its first iteration: its folder, its data, and the state to go on from."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from genlab.config.plain import check_same, read, to_dict
from genlab.config.sections import Config, resolved
from genlab.data.feed import mean_example
from genlab.data.sources import load
from genlab.data.splits import Dataset
from genlab.errors import require
from genlab.parts.types import Metrics
from genlab.track.folder import RunFolder, versions, write_json
from genlab.track.history import curves
from genlab.track.sinks import Jsonl, Pngs, Sink, Tracker, Wandb
from genlab.train import spmd, transfer
from genlab.train.checkpoint import Checkpoints, abstract, set_aside_damaged
from genlab.train.observer import Diagnoser, Observer, Scorer, Timetable
from genlab.train.patience import Patience
from genlab.train.state import Game, TrainState


@dataclass(frozen=True)
class OpenRun:
    """A run folder that this process holds, to train in it."""

    config: Config  # with the numbers that optimisers leave to their update rules
    folder: RunFolder
    checkpoints: Checkpoints
    before: dict[str, Any]  # the configuration that it was trained with so far

    def start(self, game: Game, fresh: TrainState, devices: list[jax.Device]) -> tuple[int, TrainState]:
        """The step and the state to go on from, on all devices: the newest checkpoint's, or of a new run.

        Raises:
            Invalid: no checkpoint can be read, or none of the run whose networks it is to begin with.
        """
        state = spmd.replicate(fresh, devices)
        found = self.checkpoints.latest(abstract(state, spmd.replicated(devices)))
        if found:
            return found
        state = spmd.replicate(transfer.initial_state(game, state, self.config.init), devices)
        if self.config.init.run_dir is not None:  # the other run may go on, or go
            self.checkpoints.save(0, state)
            self.checkpoints.wait()
        return 0, state

    def observe(
        self,
        dataset: Dataset,
        step: int,
        stack: contextlib.ExitStack,
        validate: Callable[[TrainState], Metrics] | None,
        pictures: Callable[[TrainState], dict[str, np.ndarray]],
        scorer: Scorer | None,
        sinks: Sequence[Sink] = (),
        diagnoser: Diagnoser | None = None,
        name: str | None = None,
        group: str | None = None,
    ) -> Observer:
        """Write down what the run is, and open its records to go on from `step`; `stack` closes them.

        `name`, by default that of its folder, and `group` are what Weights & Biases calls it and those trained with it.
        """
        plain = to_dict(self.config)
        write_json(self.folder.config, {"config": plain, "shape": dataset.shape, "classes": dataset.classes})
        write_json(self.folder.versions, versions())
        jsonl = Jsonl(self.folder.metrics)
        jsonl.truncate(step, self._belongs)
        track = self.config.track
        name = name or self.folder.path.resolve().name
        wandb = Wandb(self.folder, track.wandb, track.project, name, plain, group)
        tracker = Tracker([jsonl, Pngs(self.folder.samples), wandb, *sinks])
        stack.enter_context(contextlib.closing(tracker))
        patience = self.patience(step, scorer is not None)
        return Observer(
            self.config, self.folder, self.checkpoints, tracker, validate, scorer, pictures, patience, diagnoser
        )

    def patience(self, step: int, scored: bool) -> Patience:
        """How the run stands at `step` by its rows, and by what its checkpoints say of themselves should one be lost.

        `scored`: whether config.evaluate.every has a scorer.
        """
        name = self.config.monitor if scored else self.config.method.monitor
        found = self.checkpoints.monitors | dict(curves(self.folder).get(name, []))
        known = {at: value for at, value in found.items() if at <= step and self._belongs({"step": at, name: value})}
        return Patience(self.config.train.patience, self.config.train.steps, name, known)

    def _belongs(self, row: Mapping[str, Any]) -> bool:
        """Whether a run that never stopped would have written this row too."""
        times, step, last = Timetable(self.config), row["step"], self.before["train"]["steps"]
        if not step == last < self.config.train.steps:  # only what is written at the end alone does not
            return True
        kinds = {name.partition("/")[0] for name in row}
        if "validation" in kinds:
            return times.validating(step)
        return times.saving(step) if "eval" in kinds else times.due(step, self.config.track.every)


def open_run(config: Config, run_dir: Path, stack: contextlib.ExitStack) -> OpenRun:
    """The folder at `run_dir`, made if absent, held until `stack` is closed.

    Raises:
        Invalid: it cannot be written to, another process trains in it, or it holds another run.
    """
    config = resolved(config)  # the record says what was done, whatever defaults become
    folder = RunFolder.create(run_dir)
    stack.enter_context(folder.lock())
    set_aside_damaged(folder.checkpoints)
    checkpoints = stack.enter_context(Checkpoints(folder.checkpoints, config, config.checkpoint.keep))
    before = to_dict(config)
    if checkpoints.steps and folder.is_run():  # without a checkpoint nothing is lost by another configuration
        before = read(folder.config)["config"]
        check_same(before, config)
    return OpenRun(config, folder, checkpoints, before)


def load_data(config: Config) -> Dataset:
    """The data of a run.

    Raises:
        Invalid: they are not to be had, have other classes than its method, or none held out to end it early by.
    """
    dataset = load(config.data)
    patience, needed = config.train.patience, "possible without a validation split (data.validation)"
    require(not patience or len(dataset.validation) > 0, "train.patience", patience, needed)
    known, own = len(dataset.classes), config.method.classes
    allowed = f"0 or {known}, the classes of {dataset.name}" if known else f"0: {dataset.name} has no labels"
    require(own in (0, known), "method.classes", own, allowed)
    return dataset


def mean_if_needed(game: Game, dataset: Dataset, runs: Sequence[OpenRun]) -> Array | None:
    """The mean training example where a new run starts there; for none of the others are files read."""
    new = any(not run.checkpoints.steps for run in runs)
    return mean_of(dataset, runs[0].config) if game.centred and new else None


def mean_of(dataset: Dataset, config: Config) -> Array:
    """The mean training example, as the step sees examples."""
    return jnp.asarray(mean_example(dataset.train, config.data))
