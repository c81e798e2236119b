"""What a search is told: what to look through, and how."""

import dataclasses
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from genlab.config.plain import to_dict
from genlab.config.sections import Config
from genlab.lab.space import Space, grid, size
from genlab.lab.space import to_dict as space_to_dict

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

Sampler = Literal["tpe", "random", "qmc", "grid"]
Pruner = Literal["median", "hyperband", "none"]


@dataclass(frozen=True)
class Plan:
    """What a study searches, and how."""

    preset: str
    settings: Config
    """What all trials have in common; its train.seed seeds the sampler, and the first run of every trial."""
    space: Space
    sampler: Sampler = "tpe"
    pruner: Pruner = "median"
    seeds: int = 1
    """Runs of a trial, which is scored by their mean."""

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return plain | {"settings": to_dict(self.settings), "space": space_to_dict(self.space)}

    def trials(self, wanted: int) -> int:
        """How many trials there can be, of those that are wanted: at most as many as a grid has points."""
        return min(wanted, size(self.space)) if self.sampler == "grid" else wanted

    def make_sampler(self, number: int) -> "BaseSampler":
        """The sampler of one trial, which so is a function of the seed, its number and what others have told."""
        from optuna.exceptions import ExperimentalWarning
        from optuna.samplers import GridSampler, QMCSampler, RandomSampler, TPESampler

        seed = self.settings.train.seed
        own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        if self.sampler == "grid":
            return GridSampler(grid(self.space), seed=seed)
        if self.sampler == "qmc":  # one scrambled sequence for all; the first trial is drawn at random
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                first = RandomSampler(own)
                return QMCSampler(scramble=True, seed=seed, independent_sampler=first, warn_independent_sampling=False)
        return TPESampler(seed=own) if self.sampler == "tpe" else RandomSampler(own)

    def make_pruner(self) -> "BasePruner":
        """What ends a trial early, by the first of its runs."""
        from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner

        if self.pruner == "hyperband":
            steps = self.settings.train.steps
            every = self.settings.evaluate.every or self.settings.train.validate_every
            return HyperbandPruner(min_resource=min(every, steps), max_resource=steps)
        return MedianPruner() if self.pruner == "median" else NopPruner()
