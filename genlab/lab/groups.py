"""Runs by configuration, seeds apart, and what differs between configurations."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, product
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from genlab.config.plain import MAY_CHANGE, flatten, from_dict, read, to_dict
from genlab.config.sections import Config, resolved
from genlab.errors import Invalid, require
from genlab.track.folder import RunFolder

# What makes no other configuration: where and how often things are written and computed, and the seed. How long a run
# trains may change when it goes on, but two that train for unlike times are two configurations.
IGNORED = (*(name for name in MAY_CHANGE if name not in ("train.steps", "train.patience")), "train.seed")
ABSENT = object()  # the value of a setting that a configuration has not

Flat = dict[str, Any]  # settings by their path, as `data.batch_size`


@dataclass(frozen=True)
class Run:
    """A run as its folder describes it."""

    folder: RunFolder
    config: Config
    shape: tuple[int, ...]
    """Of its data."""

    seed = property(lambda self: self.config.train.seed)

    @cached_property
    def settings(self) -> Flat:
        """All that decides what it trains, but for the seed."""
        flat = flatten(to_dict(resolved(self.config)))
        return {name: value for name, value in flat.items() if not name.startswith(IGNORED)}


@dataclass(frozen=True)
class Group:
    """The runs of one configuration."""

    name: str
    """A letter, in the order in which the configurations were given."""
    runs: tuple[Run, ...]
    """One for each seed, in their order."""

    settings = property(lambda self: self.runs[0].settings)
    config = property(lambda self: self.runs[0].config)
    seeds = property(lambda self: tuple(run.seed for run in self.runs))


def find_runs(paths: Sequence[Path]) -> list[Run]:
    """The runs in these folders, each that of a run, or of runs; one that is named twice is one.

    Raises:
        Invalid: a folder that is neither, or whose configuration cannot be read.
    """
    require(bool(paths), "run_dirs", [], "at least one folder of a run, or of runs")
    folders = [folder for path in paths for folder in _folders(path)]
    return [_read(folder) for folder in {folder.path.resolve(): folder for folder in folders}.values()]


def _folders(path: Path) -> list[RunFolder]:
    if RunFolder(path).is_run():
        return [RunFolder(path)]
    found = [RunFolder(place.parent) for place in sorted([*path.glob("*/config.json"), *path.glob("*/*/config.json")])]
    if not found:
        raise Invalid(f"run_dirs: {path}; must be the folder of a run, or of runs (none of them has a config.json)")
    return found


def _read(folder: RunFolder) -> Run:
    written = read(folder.config)
    try:
        return Run(folder, from_dict(written["config"]), tuple(written["shape"]))
    except Invalid as error:
        raise Invalid(f"run_dirs: {folder.path}: {error}") from None


def group_runs(runs: Sequence[Run]) -> tuple[Group, ...]:
    """The runs by their configuration.

    Raises:
        Invalid: runs of different data, or two of one configuration and seed, which are no two draws.
    """
    sets = sorted({f"{run.config.data.name} {run.shape}" for run in runs})
    require(len(sets) == 1, "run_dirs", ", ".join(sets), "one data set; compare the runs of each by themselves")
    found: dict[str, dict[int, Run]] = {}
    for run in runs:
        alike = found.setdefault(json.dumps(run.settings, sort_keys=True), {})
        if run.seed in alike:
            twins = f"{alike[run.seed].folder.path}, {run.folder.path}"
            raise Invalid(f"run_dirs: {twins} are one configuration with one seed, {run.seed}; give one of them")
        alike[run.seed] = run
    by_seed = [tuple(group[seed] for seed in sorted(group)) for group in found.values()]
    return tuple(Group(name, runs) for name, runs in zip(_letters(len(found)), by_seed, strict=True))


def _letters(count: int) -> list[str]:
    """A to Z, then AA, AB, ..."""
    names = ("".join(letters) for size in (1, 2, 3) for letters in product(ascii_uppercase, repeat=size))
    return list(islice(names, count))


def differing(groups: Sequence[Group]) -> dict[str, tuple[Any, ...]]:
    """The settings in which configurations differ, with the value of each of them.

    A setting that some methods have and others have not says no more than the methods' names do: it is `ABSENT` there,
    and left out where all that have it agree.
    """
    names = dict.fromkeys(name for group in groups for name in group.settings)
    found = {name: tuple(group.settings.get(name, ABSENT) for group in groups) for name in names}
    return {name: values for name, values in found.items() if _differ(values, groups)}


def _differ(values: Sequence[Any], groups: Sequence[Group]) -> bool:
    having = {group.settings["method.name"] for group, value in zip(groups, values, strict=True) if value is not ABSENT}
    of_methods_that_have_it = [
        value for group, value in zip(groups, values, strict=True) if group.settings["method.name"] in having
    ]
    return any(value != of_methods_that_have_it[0] for value in of_methods_that_have_it)


def describe(group: Group, settings: Sequence[str]) -> str:
    """Its values of these settings in a few words, each setting by the last parts of its path that tell it apart."""
    short = {name: _shortest(name, settings) for name in settings}
    return ", ".join(f"{short[name]} {said(group.settings[name])}" for name in settings if name in group.settings)


def _shortest(name: str, names: Sequence[str]) -> str:
    parts = name.removesuffix(".name").split(".")
    ends = (".".join(parts[-count:]) for count in range(1, len(parts) + 1))
    others = [other.removesuffix(".name") for other in names if other != name]
    return next(
        end for end in ends if end == ".".join(parts) or not any(f".{other}".endswith(f".{end}") for other in others)
    )


def said(value: Any) -> str:
    """A setting's value as a table says it."""
    if value is ABSENT:
        return "-"
    return " ".join(map(str, value)) if isinstance(value, list) and value else str(value) or "''"
