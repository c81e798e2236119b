"""Configurations beside each other: what differs, their scores over seeds, which is better, curves and samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from genlab.errors import Invalid, check_fields
from genlab.evaluate.report import aligned
from genlab.lab.groups import Group, Run, describe, differing, find_runs, group_runs, said
from genlab.lab.scores import Course, Metric, Table, Which, courses, evaluated, incomparable, recorded_curves, validated
from genlab.lab.statistics import (
    Bootstrap,
    Interval,
    Statistic,
    Values,
    difference,
    improvement,
    interquartile_mean,
    interval,
    mean,
)
from genlab.track import history

ALL_PAIRS = 5  # configurations; where there are more, each is compared with the first alone
SHOWN = 4  # iterations whose samples are shown, at most
FEW = 5  # seeds, below which intervals are known to be too narrow

Rows = list[list[str]]


@dataclass(frozen=True)
class Samples:
    """The samples of one iteration, of a run of each configuration."""

    step: int
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Comparison:
    """All that is shown of some runs."""

    groups: tuple[Group, ...]
    settings: Mapping[str, tuple[Any, ...]]
    """What differs, with the value of each configuration."""
    tables: tuple[Table, ...]
    courses: Mapping[str, tuple[Course | None, ...]]
    samples: tuple[Samples, ...]
    pictured: tuple[Run, ...]
    """The runs whose samples these are."""
    notes: tuple[str, ...]
    """What is not compared, and why."""
    bootstrap: Bootstrap

    @property
    def title(self) -> str:
        count, runs = len(self.groups), sum(len(group.runs) for group in self.groups)
        return f"{runs} runs of {count} configuration{'s' * (count > 1)} on {self.groups[0].config.data.name}"

    def describe(self, group: Group) -> str:
        """A configuration in a few words: its letter, and its values of what differs."""
        return f"{group.name}  {describe(group, list(self.settings))}".strip()


def compare(paths: Sequence[Path], which: Which, bootstrap: Bootstrap) -> Comparison:
    """The runs in these folders, of runs or of folders of runs, by what they have recorded.

    Raises:
        Invalid: what `find_runs`, `group_runs` and `evaluated` raise, no scores that may be compared, or what is no
            bootstrap.
    """
    check_fields(bootstrap)
    groups = group_runs(find_runs(paths))
    curves, reason = recorded_curves(groups), incomparable(groups)
    tables = tuple(evaluated(groups, which)) or (validated(groups, curves, which),)
    notes = [f"metrics of training are not compared: {reason}"] if reason else []
    if not any(table.metrics for table in tables):
        why = f"those of training are not compared: {reason}" if reason else "none of them has recorded any"
        raise Invalid(f"run_dirs: no scores that may be compared; {why}; scripts/evaluate.py measures runs")
    pictured = _pictured(groups)
    samples = _samples(pictured)
    notes += [f"{run.folder.path} has no scores of its {which} checkpoint" for run in _without_scores(groups, tables)]
    notes += [] if samples else ["no iteration of which all configurations have samples"]
    return Comparison(
        groups, differing(groups), tables, courses(groups, curves), samples, pictured, tuple(notes), bootstrap
    )


def _without_scores(groups: Sequence[Group], tables: Sequence[Table]) -> list[Run]:
    metrics = [metric for table in tables for metric in table.metrics]
    return [
        run
        for number, group in enumerate(groups)
        for run in group.runs
        if not any(run.seed in metric.values[number] for metric in metrics)
    ]


def _pictured(groups: Sequence[Group]) -> tuple[Run, ...]:
    """A run of each configuration: of the first seed that all have, where there is one, else of its own first."""
    shared = set.intersection(*(set(group.seeds) for group in groups))
    return tuple(next(run for run in group.runs if not shared or run.seed == min(shared)) for group in groups)


def _samples(runs: Sequence[Run]) -> tuple[Samples, ...]:
    """Those of iterations that all have, evenly spread, the last among them."""
    files = [
        {step: run.folder.samples / name for step, name in history.pictures(run.folder).get("samples", [])}
        for run in runs
    ]
    steps = sorted(set.intersection(*(set(found) for found in files)))
    kept = sorted({steps[round(place)] for place in np.linspace(0, len(steps) - 1, SHOWN)}) if steps else []
    return tuple(Samples(step, tuple(found[step] for found in files)) for step in kept)


@dataclass(frozen=True)
class Estimate:
    """A statistic of seeds, and its bootstrap interval where there are several."""

    value: float
    interval: Interval | None

    def __str__(self) -> str:
        ends = "" if self.interval is None else f" [{self.interval[0]:.3g}, {self.interval[1]:.3g}]"
        return f"{self.value:.3g}{ends}"


Scores = Float[np.ndarray, " _"]
Resampled = Float[np.ndarray, "*resamples _"]


def estimate(statistic: Statistic, samples: Sequence[Scores], bootstrap: Bootstrap, paired: bool = False) -> Estimate:
    """A statistic of one or two sets of scores with its interval."""
    return Estimate(float(statistic(*samples)), interval(statistic, samples, bootstrap, paired))


@dataclass(frozen=True)
class Pair:
    """Two configurations by one score."""

    groups: tuple[int, int]
    paired: bool
    seeds: tuple[int, int]
    """How many of each."""
    improvement: Estimate | None
    """The probability that a run of the first is better than one of the second; None of scores that have no better."""
    difference: Estimate
    """Of their means, first minus second."""


def pairs(metric: Metric, bootstrap: Bootstrap) -> list[Pair]:
    """Every two configurations by a score, of more than `ALL_PAIRS` each with the first.

    Where two share at least two seeds, the runs of those seeds alone are compared, and resampled together.
    """
    having = [number for number, values in enumerate(metric.values) if values]
    both = combinations(having, 2) if len(having) <= ALL_PAIRS else ((number, having[0]) for number in having[1:])
    return [_pair(metric, first, second, bootstrap) for first, second in both]


def _pair(metric: Metric, first: int, second: int, bootstrap: Bootstrap) -> Pair:
    a, b = metric.values[first], metric.values[second]
    shared = sorted(a.keys() & b.keys())
    paired = len(shared) >= 2
    x, y = (np.array([values[seed] for seed in (shared if paired else sorted(values))], float) for values in (a, b))

    def better(x: Resampled, y: Resampled) -> Values:
        return improvement(metric.better * x, metric.better * y)

    chance = estimate(better, (x, y), bootstrap, paired) if metric.better else None
    return Pair((first, second), paired, (len(x), len(y)), chance, estimate(difference, (x, y), bootstrap, paired))


def setting_rows(comparison: Comparison) -> Rows:
    """What differs, a configuration to a column, and the seeds of each."""
    rows = [["", *(group.name for group in comparison.groups)]]
    rows += [[name, *map(said, values)] for name, values in comparison.settings.items()]
    return [*rows, ["seeds", *(_ranges(group.seeds) for group in comparison.groups)]]


def _ranges(seeds: Sequence[int]) -> str:
    """ "0-2, 7": runs of three and more seeds by their ends."""
    runs: list[list[int]] = []
    for seed in seeds:
        runs[-1].append(seed) if runs and seed == runs[-1][-1] + 1 else runs.append([seed])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)


def score_rows(comparison: Comparison, table: Table) -> Rows:
    """Every configuration that has a score by that score: its seeds, iterations, mean and interquartile mean."""
    rows = [["score", "", "seeds", "iterations", "mean", "interquartile mean"]]
    for metric in table.metrics:
        name = headed(metric)
        for group, values, steps in zip(comparison.groups, metric.values, table.steps, strict=True):
            if values:
                x = np.array([values[seed] for seed in sorted(values)], float)
                cells = [str(estimate(found, [x], comparison.bootstrap)) for found in (mean, interquartile_mean)]
                rows.append([name, group.name, str(len(x)), _iterations(steps), *cells])
                name = ""
    return rows


def headed(metric: Metric) -> str:
    """A score's name, and which way it is better."""
    return metric.name.replace("_", " ") + {1: " (higher is better)", -1: " (lower is better)", 0: ""}[metric.better]


def _iterations(steps: Sequence[int]) -> str:
    return " to ".join(f"{step:,}" for step in sorted({steps[0], steps[-1]}))


def pair_rows(comparison: Comparison, table: Table) -> Rows:
    """Every pair of configurations by every score."""
    rows = [["score", "", "seeds", "P(first is better)", "difference of means"]]
    for metric in table.metrics:
        name = metric.name.replace("_", " ")
        for pair in pairs(metric, comparison.bootstrap):
            first, second = (comparison.groups[number].name for number in pair.groups)
            seeds = f"{pair.seeds[0]} paired" if pair.paired else " and ".join(map(str, pair.seeds))
            chance = "-" if pair.improvement is None else str(pair.improvement)
            rows.append([name, f"{first} and {second}", seeds, chance, str(pair.difference)])
            name = ""
    return rows if len(rows) > 1 else []


def legend(comparison: Comparison) -> list[str]:
    """What the numbers are."""
    bootstrap = comparison.bootstrap
    counts = [len(values) for table in comparison.tables for metric in table.metrics for values in metric.values]
    lines = [
        f"[ ]: {100 * bootstrap.level:g} % bootstrap interval, {bootstrap.resamples:,} resamples of the seeds (by seed "
        f"{bootstrap.seed}); one seed has none."
    ]
    if any(1 < count < FEW for count in counts):
        lines.append(f"Of fewer than {FEW} seeds such an interval is too narrow: of 3 it holds the mean 3 times in 4.")
    if len(comparison.groups) > 1:
        lines.append(
            "P: of all pairs of their runs the share in which the first is better, ties counting half. Paired: of the "
            "seeds that both have, resampled together."
        )
    return lines


def text(comparison: Comparison) -> str:
    """The comparison as tables for a terminal."""
    parts = [comparison.title, aligned(setting_rows(comparison))]
    for table in comparison.tables:
        apart = f"\nnot compared with {table.apart}" if table.apart else ""
        parts.append(f"{table.about}{apart}\n{aligned(score_rows(comparison, table))}")
        rows = pair_rows(comparison, table)
        parts += [aligned(rows)] if rows else []
    parts.append("\n".join([*legend(comparison), *comparison.notes]))
    return "\n\n".join(parts)
