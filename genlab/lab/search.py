"""A worker of a search: it takes one trial of a study after another, trains it, and tells the study what came of it."""

import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from optuna.trial import FrozenTrial

from genlab.config.sections import Config
from genlab.data.sources import load
from genlab.errors import Invalid, Stopped, require
from genlab.evaluate.scorer import make_scorer
from genlab.lab.plan import Plan
from genlab.lab.space import configured
from genlab.lab.study import Study, outcome
from genlab.track.grids import Pixels
from genlab.track.sinks import Value
from genlab.train.checkpoint import Checkpoints
from genlab.train.loop import train
from genlab.train.observer import Diverged


class Pruned(Stopped):
    """A run is not worth going on with, by the validations of others."""


@dataclass(frozen=True)
class Watch:
    """A sink that tells a study each validation of a trial's run, and ends the run if the study's pruner says so."""

    study: Study
    trial: FrozenTrial
    monitor: str

    def scalars(self, step: int, values: Mapping[str, Value]) -> None:
        """Take the metrics of iteration `step`.

        Raises:
            Pruned: the run is to end.
        """
        value = values.get(self.monitor)
        if value is not None and self.study.report(self.trial, step, float(np.asarray(value))):
            raise Pruned(f"step {step}: {self.monitor} is {value}, and others were better")

    def image(self, step: int, name: str, pixels: Pixels) -> None:
        """Pictures tell a study nothing."""

    def close(self) -> None:
        """Nothing is left to write."""


def check_validation(settings: Config) -> None:
    """That runs can be scored.

    Raises:
        Invalid: there are no validation examples, by which they would be.
    """
    share, held_out = settings.data.validation, len(load(settings.data).validation)
    require(held_out > 0, "data.validation", share, "possible in a search, whose trials are scored by that split")


def work(study: Study, wanted: int) -> None:
    """Train trials of a study until there are as many as wanted, and none is left that nobody trains.

    Raises:
        Stopped: a signal ended one, the storage does not answer, or a checkpoint cannot be written. The trial is left
            as it is, for whoever comes next.
    """
    while trial := study.claim(wanted):
        try:
            _train(study, trial)
        finally:
            study.release(trial)
            jax.clear_caches()  # a process that keeps every trial's programs runs out of memory maps
        print(f"trial {trial.number}: {outcome(study.trials()[trial.number])}", file=sys.stderr)


def _train(study: Study, trial: FrozenTrial) -> None:
    """Train a trial's runs, and tell the study what came of it."""
    try:
        scores = [_score(study, trial, seed) for seed in range(study.plan.seeds)]
        study.complete(trial, scores)
    except Pruned:
        study.prune(trial)
    except (Invalid, jax.errors.JaxRuntimeError) as error:  # settings that do not go together, or into the memory
        study.fail(trial, str(error).strip().split("\n")[0])


def _score(study: Study, trial: FrozenTrial, seed: int) -> float:
    """The validation score of the best checkpoint of a trial's run, which is trained as far as it is not; infinite if
    it diverges.

    The first run alone is watched, so that trials are compared by the same seed.
    """
    config = run_config(study.plan, trial, seed)
    folder = run_folder(study.folder, trial.number, seed)
    try:
        stopped = train(config, folder, make_scorer, [Watch(study, trial, config.monitor)] if seed == 0 else [])
    except Diverged as error:
        print(f"trial {trial.number}: {error}", file=sys.stderr)
        return float("inf")
    if stopped:
        raise Stopped(f"trial {trial.number} by {stopped}; the same command continues")
    with Checkpoints(folder / "checkpoints", config) as checkpoints:
        return next(iter(checkpoints.monitors.values()))


def run_config(plan: Plan, trial: FrozenTrial, seed: int = 0) -> Config:
    """The configuration of a trial's run; Weights & Biases has no part in a search."""
    config = configured(plan.preset, plan.settings, plan.space, trial.params)
    return dataclasses.replace(
        config,
        train=dataclasses.replace(config.train, seed=config.train.seed + seed),
        track=dataclasses.replace(config.track, wandb="disabled"),
    )


def run_folder(folder: Path, number: int, seed: int = 0) -> Path:
    """Where a trial's run lies in the study's folder."""
    return folder / "trials" / f"{number:04d}" / f"seed_{seed}"
