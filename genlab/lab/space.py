"""What a search looks through: a range or some choices for each setting, named as the flags of train.py are.

    ["method.critic_optimizer.learning_rate"]
    low = 1e-4
    high = 1e-2
    log = true

    ["method.generator.width"]      # integers, as both ends are
    low = 32
    high = 256

    ["method.critic.activation"]
    choices = ["relu", "leaky_relu"]

A grid takes `points = N` values of a range, ends included; of integers without `points` all of them.
"""

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genlab import cli
from genlab.config.sections import Config
from genlab.errors import Invalid, require

if TYPE_CHECKING:
    from optuna import Trial

Value = bool | int | float | str
Space = dict[str, "Range | Choices"]  # by setting, as `train.steps`
MOST = 10_000  # integers of a range that a grid takes all of
KINDS: dict[str, tuple[tuple[type, ...], str]] = {  # of what a table holds
    "low": ((int, float), "a number"),
    "high": ((int, float), "a number"),
    "log": ((bool,), "true or false"),
    "points": ((int,), "an integer"),
    "choices": ((bool, int, float, str, list), "a list of numbers, texts, true, false or lists of them"),
}
FIXED = ("train.seed", "track.", "parallel.")  # what no trial may differ in


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included: integers if both are, else reals; evenly by logarithm if `log`."""

    low: int | float
    high: int | float
    log: bool = False
    points: int | None = None
    """How many of them a grid takes."""

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            require(math.isfinite(getattr(self, name)), name, getattr(self, name), "a number")
        require(self.low <= self.high, "low", self.low, f"at most high, {self.high}")
        require(not self.log or self.low > 0, "low", self.low, "above 0, as a logarithmic range must be")
        require(self.points is None or self.points >= 2, "points", self.points, "at least 2")

    @property
    def whole(self) -> bool:
        """Whether its numbers are integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def values(self) -> list[Value]:
        """What a grid takes of it.

        Raises:
            Invalid: reals or more than `MOST` integers, and no `points`.
        """
        if self.whole and self.points is None and self.high - self.low < MOST:
            return list(range(int(self.low), int(self.high) + 1))
        require(self.points is not None, "points", None, "allowed in a grid: give how many of the range to take")
        spaced = (np.geomspace if self.log else np.linspace)(self.low, self.high, self.points or 0)
        inside = np.clip(spaced, self.low, self.high)
        return sorted({round(x) if self.whole else x for x in inside.tolist()})

    def suggest(self, trial: "Trial", setting: str) -> None:
        """Have Optuna draw the setting of a trial, unless it has been drawn."""
        if self.whole:
            trial.suggest_int(setting, int(self.low), int(self.high), log=self.log)
        else:
            trial.suggest_float(setting, self.low, self.high, log=self.log)

    def ends(self) -> list[Value]:
        """What must be allowed for all of it to be."""
        return [self.low, self.high]

    def spanned(self, values: Sequence[Any]) -> "Range":
        """The part of it that these values span."""
        return Range(min(values), max(values), self.log, self.points)


@dataclass(frozen=True)
class Choices:
    """One of several values; a list is the value of a flag that takes several words."""

    choices: tuple[Value | list[Value], ...]

    def __post_init__(self) -> None:
        found = self.choices
        require(len(set(map(named, found))) == len(found) > 0, "choices", list(found), "one or several, each once")

    def values(self) -> list[Value]:
        """What a grid takes of it: all, as they are named."""
        return [named(value) for value in self.choices]

    def suggest(self, trial: "Trial", setting: str) -> None:
        """Have Optuna draw the setting of a trial, unless it has been drawn."""
        trial.suggest_categorical(setting, self.values())

    def ends(self) -> list[Value]:
        """What must be allowed for all of it to be."""
        return self.values()

    def spanned(self, values: Sequence[Any]) -> "Choices":
        """Those of them that are among these values."""
        return Choices(tuple(value for value in self.choices if named(value) in values))


def named(value: Any) -> Value:
    """A choice as a study names it; a list is the text of its words."""
    return " ".join(map(str, value)) if isinstance(value, list) else value


def read(path: Path) -> Space:
    """The space that a file holds.

    Raises:
        Invalid: it cannot be read, or is no space; the message names the setting and what is allowed.
    """
    try:
        return from_dict(tomllib.loads(path.read_text()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Invalid(f"space: {path} cannot be read ({reason}); it must be a file of TOML") from None
    except Invalid as error:
        raise Invalid(f"space: {path}: {error}") from None


def from_dict(plain: Mapping[str, Any]) -> Space:
    """The inverse of `to_dict`.

    Raises:
        Invalid: it is no space.
    """
    space: Space = {}
    for name, entry in plain.items():
        setting = name.replace("-", "_")
        require(isinstance(entry, dict), name, entry, 'a table: ["section.setting"], in quotes, with low and high')
        require("." in setting, name, entry, "a setting; they are named by their section, as train.steps")
        require(not setting.startswith(FIXED), name, entry, "what trials may differ in")
        require(setting not in space, name, entry, "given once")
        try:
            space[setting] = _dimension(entry)
        except Invalid as error:
            raise Invalid(f"{name}.{error}") from None
    require(bool(space), "settings", [], "at least one")
    return space


def _dimension(entry: Mapping[str, Any]) -> Range | Choices:
    keys = {"choices"} if "choices" in entry else {"low", "high", "log", "points"}
    missing = {"low", "high"} & keys - entry.keys()
    require(not missing, ", ".join(sorted(missing)), None, "given: a range has low and high, else give choices")
    for key in sorted(entry.keys() - keys):
        raise Invalid(f"{key}: {entry[key]!r} is not allowed; there are {', '.join(sorted(keys))}")
    for key, value in entry.items():
        kinds, allowed = KINDS[key]
        values = value if key == "choices" else [value]
        require(isinstance(values, list) and all(type(v) in kinds for v in values), key, value, allowed)
    return Choices(tuple(entry["choices"])) if "choices" in entry else Range(**entry)


def to_dict(space: Space) -> dict[str, Any]:
    """The space as plain values, as a file holds them."""
    return {
        setting: {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in vars(dimension).items()
            if value is not None and value is not False
        }
        for setting, dimension in space.items()
    }


def to_toml(space: Space) -> str:
    """The file that `read` reads as this space."""
    tables = (
        "\n".join([f'["{setting}"]', *(f"{key} = {json.dumps(value)}" for key, value in entry.items())])
        for setting, entry in to_dict(space).items()
    )
    return "\n\n".join(tables) + "\n"


def configured(name: str, settings: Config, space: Space, values: Mapping[str, Any]) -> Config:
    """These settings, of the preset of that name, with a trial's values of those that are searched.

    Raises:
        Invalid: a setting that does not exist, or a value that it does not allow, as train.py says it.
    """
    flags: list[str] = []
    for setting, dimension in space.items():
        value = values[setting]
        if isinstance(dimension, Choices):
            value = next(choice for choice in dimension.choices if named(choice) == value)
        flags += cli.flag(setting, value)
    return cli.parse([*cli.spell(name, settings), *flags]).settings


def check(name: str, settings: Config, space: Space) -> None:
    """That every setting exists, and allows both ends of its range, or each choice, beside the others' last.

    Raises:
        Invalid: one does not.
    """
    last = {setting: dimension.ends()[-1] for setting, dimension in space.items()}
    for setting, dimension in space.items():
        for value in dimension.ends():
            try:
                configured(name, settings, space, last | {setting: value})
            except Invalid as error:
                raise Invalid(f"space: {error}") from None


def size(space: Space) -> int:
    """How many points its grid has.

    Raises:
        Invalid: a range of reals says nothing of how many to take of it.
    """
    return math.prod(map(len, grid(space).values()))


def grid(space: Space) -> dict[str, list[Value]]:
    """The values that a grid takes of each setting. Raises as `size` does."""
    found = {}
    for setting, dimension in space.items():
        try:
            found[setting] = dimension.values()
        except Invalid as error:
            raise Invalid(f"space: {setting}.{error}") from None
    return found


def narrowed(space: Space, best: Sequence[Mapping[str, Any]]) -> Space:
    """The space that the values of some trials span."""
    return {setting: dimension.spanned([values[setting] for values in best]) for setting, dimension in space.items()}
