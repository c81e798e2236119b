"""The scores that runs have recorded, and which of them may be compared."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from genlab.config.sections import SCORES
from genlab.evaluate.measure import HIGHER, LOWER, main_names
from genlab.evaluate.protocol import Stamp, describe_stamp, differences
from genlab.evaluate.report import recorded
from genlab.lab.groups import Group, Run, differing, said
from genlab.nn.net import Net
from genlab.parts.optimizer import Optimizer
from genlab.track import history
from genlab.track.history import Curves

Which = Literal["last", "best"]
SHARED = ("validation/sliced_wasserstein", *SCORES)  # of all methods, lower is better


@dataclass(frozen=True)
class Metric:
    """One score of all configurations, made in one way."""

    name: str
    better: int
    """1: higher is better; -1: lower is; 0: neither in itself."""
    values: tuple[Mapping[int, float], ...]
    """Those of each configuration by seed; runs that have none are not among them."""


@dataclass(frozen=True)
class Table:
    """Scores that may be compared with each other."""

    about: str
    """How they were made."""
    apart: str
    """The table before with scores of the same names that these are not compared with, and why; "" where none is."""
    steps: tuple[tuple[int, ...], ...]
    """The iterations at which each configuration's runs were measured, each once."""
    metrics: tuple[Metric, ...]


@dataclass(frozen=True)
class Course:
    """A metric of a configuration while it trained, where all its seeds have it."""

    steps: Int[np.ndarray, " steps"]
    values: Float[np.ndarray, "steps seeds"]


Place = tuple[int, int]  # of a run: which configuration, and the seed
Measured = dict[Place, tuple[int, dict[str, float]]]  # the iteration of a run, and its scores


def evaluated(groups: Sequence[Group], which: Which) -> list[Table]:
    """What scripts/evaluate.py has recorded of the runs' last or best checkpoints, a table for each protocol.

    Of a run it is the newest checkpoint that was measured as such.

    Raises:
        Invalid: a record that is not as genlab wrote it.
    """
    found: list[tuple[Stamp, Measured]] = []
    for place, run in _places(groups):
        results = [result for result in recorded(run.folder.path) if which in result.which.split(", ")]
        for result in (result for result in results if result.step == results[-1].step):
            alike = next((measured for stamp, measured in found if not differences(stamp, result.stamp)), None)
            if alike is None:
                found.append((result.stamp, alike := {}))
            _, scores = alike.get(place, (0, {}))
            alike[place] = (result.step or 0, scores | result.scores)
    tables: list[Table] = []
    for number, (stamp, measured) in enumerate(found, 1):
        metrics = [Metric(name, _better(name), _values(name, measured, groups)) for name in _names(measured)]
        about = f"table {number}: " * (len(found) > 1) + describe_stamp(stamp)
        tables.append(Table(about, _apart(found[:number]), _steps(measured, groups), tuple(metrics)))
    return tables


def _apart(found: Sequence[tuple[Stamp, Measured]]) -> str:
    """See `Table.apart`, of the last one."""
    *before, (stamp, measured) = found
    for number, (other, scores) in enumerate(before, 1):
        if set(_names(measured)) & set(_names(scores)):
            return f"table {number}: {'; '.join(differences(other, stamp))}"
    return ""


def recorded_curves(groups: Sequence[Group]) -> dict[Place, Curves]:
    """What every run has recorded while training."""
    return {place: history.curves(run.folder) for place, run in _places(groups)}


def validated(groups: Sequence[Group], curves: Mapping[Place, Curves], which: Which) -> Table:
    """What runs have recorded at their last validation while training, or at their best by what they are kept by."""
    names, measured = curve_names(groups, scored=True), Measured()
    for place, run in _places(groups):
        step = _chosen_step(run, curves[place], which)
        at_step = {name: dict(curves[place].get(name, [])).get(step) for name in names}
        scores = {name: float(value) for name, value in at_step.items() if value is not None}
        if scores:
            measured[place] = (step, scores)
    metrics = tuple(Metric(name, -1, _values(name, measured, groups)) for name in _names(measured))
    about = f"recorded while training, at the {which} validation; scripts/evaluate.py measures samples by a protocol"
    return Table(about, "", _steps(measured, groups), metrics)


def courses(groups: Sequence[Group], curves: Mapping[Place, Curves]) -> dict[str, tuple[Course | None, ...]]:
    """The curves that may be compared, by name, of each configuration; None where it has none."""
    found = {
        name: tuple(
            _course([curves[number, seed].get(name, []) for seed in group.seeds]) for number, group in enumerate(groups)
        )
        for name in curve_names(groups, scored=False)
    }
    return {name: values for name, values in found.items() if any(values)}


def incomparable(groups: Sequence[Group]) -> str:
    """Why metrics of training and validation are not compared; "" if they are.

    They depend on the examples that are held out, how they are read, and how many make a batch.
    """
    found = {name: values for name, values in differing(groups).items() if name.startswith("data.")}
    return "; ".join(f"{name}: {', '.join(map(said, values))}" for name, values in found.items())


def curve_names(groups: Sequence[Group], scored: bool) -> list[str]:
    """The metrics of training that mean the same to all configurations; `scored`: those alone that tell a better one.

    A loss does where methods differ in networks, optimisers and the size of latents only.
    """
    if incomparable(groups):
        return []
    method = groups[0].config.method
    own = [method.monitor] if scored else [method.monitor, *method.headline]
    return list(dict.fromkeys([*SHARED, *(own if _one_objective(groups) else [])]))


def _one_objective(groups: Sequence[Group]) -> bool:
    def is_of_networks(setting: str) -> bool:
        field = setting.split(".")[1]
        parts = [getattr(group.config.method, field, None) for group in groups]
        return field == "latent" or all(isinstance(part, Net | Optimizer) for part in parts)

    return all(is_of_networks(setting) for setting in differing(groups) if setting.startswith("method."))


def _places(groups: Sequence[Group]) -> Iterable[tuple[Place, Run]]:
    return (((number, run.seed), run) for number, group in enumerate(groups) for run in group.runs)


def _names(measured: Measured) -> list[str]:
    return main_names(chain.from_iterable(scores for _, scores in measured.values()))


def _values(name: str, measured: Measured, groups: Sequence[Group]) -> tuple[dict[int, float], ...]:
    """By configuration and seed; a score that is not finite is none."""
    found: tuple[dict[int, float], ...] = tuple({} for _ in groups)
    for (number, seed), (_, scores) in measured.items():
        if math.isfinite(scores.get(name, math.nan)):
            found[number][seed] = scores[name]
    return found


def _steps(measured: Measured, groups: Sequence[Group]) -> tuple[tuple[int, ...], ...]:
    steps = [{step for (group, _), (step, _) in measured.items() if group == number} for number in range(len(groups))]
    return tuple(tuple(sorted(found)) for found in steps)


def _better(name: str) -> int:
    return (name in HIGHER) - (name in LOWER)


def _chosen_step(run: Run, curves: Curves, which: Which) -> int:
    """The iteration of a run's last validation, or of that at which what its best checkpoint is kept by is least."""
    name = run.config.monitor if run.config.monitor in curves else run.config.method.monitor
    values = curves.get(name, [(-1, math.inf)])
    return values[-1][0] if which == "last" else min(values, key=lambda value: value[1])[0]


def _course(curves: Sequence[history.Curve]) -> Course | None:
    by_step = [dict(curve) for curve in curves]
    steps = sorted(set.intersection(*(set(values) for values in by_step)))
    if not steps:
        return None
    kept = [step for step, _ in history.thinned([(step, 0) for step in steps])]
    return Course(np.array(kept), np.array([[values[step] for values in by_step] for step in kept], float))
