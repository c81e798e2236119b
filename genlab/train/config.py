"""One run's whole configuration, and its way to JSON and back."""

import dataclasses
import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from genlab import methods
from genlab.data.config import Data
from genlab.errors import Invalid, Seed, check_fields, require
from genlab.methods.game import Method, Optimizer
from genlab.track.config import Track
from genlab.train.spmd import Parallel
from genlab.train.step import RAMP


@dataclass(frozen=True)
class Train:
    """The course of training."""

    steps: int = 8000
    """Iterations in all; one iteration is every player's turn, and so one generator update."""
    seed: Seed = 0
    """Everything random follows from it."""
    ema: float = 0.999
    """Decay of the averaged weights that are sampled from, per iteration; 0 samples from the last weights."""
    ema_halflife: float = 0.0
    """The same as the number of images, data.batch_size to an iteration, after which weights count half in the average,
    at most a quarter of the images seen; above 0 it takes the place of train.ema."""
    validate_every: int = 1000
    """Iterations between validations."""

    def __post_init__(self) -> None:
        require(self.steps >= 1, "steps", self.steps, "at least 1")
        require(0 <= self.ema < 1, "ema", self.ema, "in [0, 1)")
        require(0 <= self.ema_halflife < math.inf, "ema_halflife", self.ema_halflife, "a finite number of at least 0")
        require(self.validate_every >= 1, "validate_every", self.validate_every, "at least 1")

    def averaging(self, batch_size: int) -> tuple[float, float]:
        """The decay of the averaged weights per iteration, and how it begins: `train.step.make_step`'s ema and ramp.

        Of a half-life, decays (1 + t) / (1 + 4 log 2 + t) early on are those of a quarter of the images seen.
        """
        if not self.ema_halflife:
            return self.ema, RAMP
        return 0.5 ** (batch_size / self.ema_halflife), 1 + 4 * math.log(2)


@dataclass(frozen=True)
class Init:
    """Where the networks start, and which of them stay as they are."""

    run_dir: str | None = None
    """Run whose networks a new run starts with, in place of fresh ones (--init-from for short)."""
    networks: tuple[str, ...] = ()
    """What to take over, networks or paths in them; by default all networks that both methods have by the same name."""
    step: int | None = None
    """Which of its checkpoints; the newest by default."""
    ema: bool = True
    """Take averaged weights where it has them, else those of the last iteration."""
    freeze: tuple[str, ...] = ()
    """What is never moved: networks, as `encoder`, or paths in them, as `encoder/layers/layers/0`."""

    def __post_init__(self) -> None:
        for name in ("networks", "step"):
            given = getattr(self, name)
            require(not given or self.run_dir is not None, name, given, "possible without init.run_dir")


@dataclass(frozen=True)
class Checkpoint:
    """Checkpoints."""

    every: int = 1000
    """Iterations between checkpoints; each is preceded by a validation."""
    keep: int = 2
    """How many of the newest to keep, beside the best one."""

    def __post_init__(self) -> None:
        require(self.every >= 1, "every", self.every, "at least 1")
        require(self.keep >= 1, "keep", self.keep, "at least 1")


@dataclass(frozen=True)
class Evaluate:
    """Scores of samples while training."""

    every: int = 0
    """Iterations between scorings of samples against the validation split, by which the best checkpoint is then kept
    (kernel distance of images, optimal transport of points); 0 keeps it by the method's own validation metric."""

    def __post_init__(self) -> None:
        require(self.every >= 0, "every", self.every, "at least 0")


@dataclass(frozen=True)
class Config:
    """Everything that decides what a run does. Raises `Invalid` for a number that no computation can hold."""

    method: Method
    data: Data = field(default_factory=Data)
    train: Train = field(default_factory=Train)
    init: Init = field(default_factory=Init)
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    evaluate: Evaluate = field(default_factory=Evaluate)
    track: Track = field(default_factory=Track)
    parallel: Parallel = field(default_factory=Parallel)

    def __post_init__(self) -> None:
        check_fields(self)


# What may change when a run goes on: it alters when and where things are computed and written, not what is trained.
FREE = ("checkpoint.", "track.", "parallel.", "train.steps", "train.validate_every", "data.dir", "data.resident_mb")


def resolved(config: Config) -> Config:
    """The configuration with the numbers that optimisers leave to their update rules."""
    own: Any = {name: value.resolved() for name, value in vars(config.method).items() if isinstance(value, Optimizer)}
    return replace(config, method=replace(config.method, **own))


def to_dict(config: Config) -> dict[str, Any]:
    """The configuration as plain JSON values; the method's name stands beside its fields."""
    plain = json.loads(json.dumps(dataclasses.asdict(config)))
    return plain | {"method": {"name": methods.name_of(config.method)} | plain["method"]}


def from_dict(plain: Any) -> Config:
    """The inverse of `to_dict`; a section or setting that an older file does not have is the default.

    Raises:
        Invalid: sections or fields that are unknown, of another type or not allowed, or no method.
    """
    from pydantic import ConfigDict, ValidationError, create_model

    method = plain.get("method") if isinstance(plain, dict) else None
    settings = dict(method) if isinstance(method, dict) else {}
    name = settings.pop("name", None)
    if not isinstance(name, str) or name not in methods.names():
        raise Invalid(f"config.json: method.name: {name!r}; one of {', '.join(methods.names())} is needed")
    sections: dict[str, Any] = {f.name: (f.type, None) for f in dataclasses.fields(Config)}
    sections["method"] = (methods.find(name), ...)
    reader = create_model("Written", __config__=ConfigDict(strict=True, extra="forbid"), **sections)
    try:
        found = reader.model_validate_json(json.dumps(plain | {"method": settings}))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Invalid(f"config.json: {_located(first['loc'], first['msg'], first['input'])}") from None
    try:
        return Config(**{section: getattr(found, section) for section in found.model_fields_set})
    except Invalid as error:
        raise Invalid(f"config.json: {error}") from None


def _located(path: tuple[int | str, ...], message: str, value: Any) -> str:
    """A complaint about what stands at a path: `method.critic.width: 256.0; Input should be a valid integer`."""
    ours = message.removeprefix("Value error, ")
    if ours == message:
        return f"{'.'.join(map(str, path))}: {value!r}; {message}"
    section = path[:-1] if ours.startswith(f"{path[-1]}.") else path  # some of our own messages name it
    return ".".join([*map(str, section), ours])


def read(path: Path) -> dict[str, Any]:
    """What a run's config.json holds: "config", and the data's "shape" and "classes".

    Raises:
        Invalid: it is not as genlab wrote it.
    """
    try:
        written = json.loads(path.read_text())
        found = {name: written[name] for name in ("config", "shape", "classes")}
        shape, classes = found["shape"], found["classes"]
        sides = isinstance(shape, list) and len(shape) in (1, 3) and all(type(n) is int and n > 0 for n in shape)
        require(sides, "shape", shape, "the shape of points or images")
        names = isinstance(classes, list) and all(isinstance(name, str) for name in classes)
        require(names, "classes", classes, "a list of names")
        return found
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Invalid(f"run_dir: {path} cannot be read ({error}); it must be as genlab wrote it") from None


def flatten(plain: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"data": {"name": x}} -> {"data.name": x}."""
    flat: dict[str, Any] = {}
    for name, value in plain.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def check_same(old: dict[str, Any], new: Config) -> None:
    """That a run begun with `old` may go on as `new`.

    Raises:
        Invalid: they differ in what is trained; the first difference is named.
    """
    other = difference(old, new)
    if other:
        raise Invalid(
            f"run_dir: it holds a run with {other}; give the same configuration to continue it, or another --run-dir"
        )


def difference(old: dict[str, Any], new: Config) -> str | None:
    """The first setting, of those that decide what is trained, in which two runs differ: `name = theirs, not ours`.

    Raises:
        Invalid: `old` is no configuration.
    """
    before = flatten(to_dict(resolved(from_dict(old))))  # what an older run did not write is the default
    after = flatten(to_dict(resolved(new)))
    for name in sorted(before.keys() | after.keys()):
        if not name.startswith(FREE) and before.get(name) != after.get(name):
            return f"{name} = {before.get(name)!r}, not {after.get(name)!r}"
    return None


def presets(folder: Path) -> list[str]:
    """Names of the presets in a folder of configurations."""
    return sorted(path.stem for path in folder.glob("*.py"))
