"""The configuration of a run: every section is a frozen dataclass with its own checks."""

import math
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal

from genlab.data.config import Data
from genlab.errors import Seed, check_fields, require
from genlab.methods.game import Method
from genlab.parts.likelihood import OF_LEVELS
from genlab.parts.optimizer import Optimizer
from genlab.parts.types import Number
from genlab.track.config import Track

RAMP = 10.0  # the decay of averages is at most (1 + t) / (10 + t), unless it is a half-life: see `train.step`
SCORES = ("eval/kernel_distance", "eval/transport")  # of samples while training: of images, and of points
MAX_DEVICES = 1024  # devices of one process; a CPU that simulates more is busy with that alone


@dataclass(frozen=True)
class Train:
    """The course of training."""

    steps: int = 8000
    """Iterations in all; one iteration is every player's turn, and so one generator update."""
    seed: Seed = 0
    """Everything random follows from it."""
    ema: float | tuple[float, ...] = 0.999
    """Decay of the averaged weights that are sampled from, per iteration; 0 samples from the last weights. Of several
    decays all averages are kept, and sampling may choose; validation and pictures are of the first."""
    ema_halflife: float = 0.0
    """The same as the number of images, data.batch_size to an iteration, after which weights count half in the average,
    at most a quarter of the images seen; above 0 it takes the place of train.ema."""
    validate_every: int = 1000
    """Iterations between validations."""
    patience: int = 0
    """Validations in a row without a new lowest value of what the best checkpoint is kept by, after which training ends
    early (early stopping; scorings of samples with evaluate.every). A checkpoint follows each. 0: it never does."""

    def __post_init__(self) -> None:
        require(self.steps >= 1, "steps", self.steps, "at least 1")
        for decay in self.decays:
            require(bool(0 <= decay < 1), "ema", decay, "in [0, 1)")
        once = len(set(self.decays)) == len(self.decays) > 0
        require(once, "ema", self.ema, "one decay, or several that differ")
        single = len(self.decays) == 1 or not self.ema_halflife
        require(single, "ema_halflife", self.ema_halflife, "0, as with several decays of train.ema")
        require(0 <= self.ema_halflife < math.inf, "ema_halflife", self.ema_halflife, "a finite number of at least 0")
        require(self.validate_every >= 1, "validate_every", self.validate_every, "at least 1")
        require(self.patience >= 0, "patience", self.patience, "at least 0")

    @property
    def decays(self) -> tuple[Number, ...]:
        """All of `ema`."""
        return self.ema if isinstance(self.ema, tuple) else (self.ema,)

    def averaging(self, batch_size: int) -> tuple[tuple[Number, ...], float]:
        """Decays of the averaged weights per iteration, and how they begin: as `make_iteration` takes them.

        Of a half-life, decays (1 + t) / (1 + 4 log 2 + t) early on are those of a quarter of the images seen.
        """
        if not self.ema_halflife:
            return self.decays, RAMP
        return (0.5 ** (batch_size / self.ema_halflife),), 1 + 4 * math.log(2)


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
            value = getattr(self, name)
            require(not value or self.run_dir is not None, name, value, "possible without init.run_dir")


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
class Parallel:
    """Devices."""

    mapper: Literal["pmap", "shard_map"] = "pmap"
    """How the step is spread over the devices; both give the same numbers."""
    devices: int = 0
    """How many devices to use; 0 means all. On CPU more than there are can be simulated."""

    def __post_init__(self) -> None:
        require(0 <= self.devices <= MAX_DEVICES, "devices", self.devices, f"from 0 to {MAX_DEVICES}")


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
        levels = getattr(self.method, "observation", "") in OF_LEVELS
        between = "possible with a likelihood of the 256 levels, between which it would put the pixels"
        require(not (levels and self.data.dequantise), "data.dequantise", self.data.dequantise, between)

    @property
    def monitor(self) -> str:
        """The metric, lower is better, that the best checkpoint is kept by."""
        return SCORES[self.data.kind == "points"] if self.evaluate.every else self.method.monitor


def resolved(config: Config) -> Config:
    """The configuration with the numbers that optimisers leave to their update rules."""
    return replace(config, method=_resolved(config.method))


def _resolved(part: Any) -> Any:
    if isinstance(part, Optimizer):
        return part.resolved()
    if not is_dataclass(part) or isinstance(part, type):
        return part
    return replace(part, **{field.name: _resolved(getattr(part, field.name)) for field in fields(part)})
