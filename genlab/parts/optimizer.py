"""How a player moves."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from genlab.errors import require
from genlab.parts.course import Course

# each rule's constants: Kingma and Ba (2015) and Loshchilov and Hutter (2019), Chen et al. (2023), Tieleman and Hinton
# (2012), Zeiler (2012), You et al. (2017, 2020); what these leave open is Optax's
USUAL: dict[str, dict[str, float]] = {
    "sgd": {},
    "momentum": {"b1": 0.9},
    "nesterov": {"b1": 0.9},
    "adagrad": {"eps": 1e-7},
    "adadelta": {"b2": 0.95, "eps": 1e-6},
    "rmsprop": {"b2": 0.9, "eps": 1e-8},
    "adam": {"b1": 0.9, "b2": 0.999, "eps": 1e-8},
    "adamw": {"b1": 0.9, "b2": 0.999, "eps": 1e-8},
    "lion": {"b1": 0.9, "b2": 0.99},
    "lars": {"b1": 0.9},
    "lamb": {"b1": 0.9, "b2": 0.999, "eps": 1e-6},
}
LAYERWISE = ("lars", "lamb")  # whose step is as long as a layer's weights, for large batches
WARMUP = 5 / 90  # of the iterations, for these: 5 of 90 epochs, Goyal et al. (2017) and You et al. (2020), section 4


@dataclass(frozen=True)
class Optimizer:
    """How a player moves."""

    name: Literal[
        "sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "lion", "lars", "lamb"
    ] = "adam"
    """The update rule. lars and lamb are for large batches: the step of each matrix or kernel has a length in
    proportion to its weights' (You et al. 2017, with a trust coefficient of 0.001; You et al. 2020), while vectors, as
    biases, move as by momentum and adam, and do not decay."""
    learning_rate: float = 1e-3
    """The peak learning rate."""
    b1: float | None = None
    """Decay of the mean of the gradients (adam, adamw, lamb, lion) or of the momentum (momentum, nesterov, lars). None,
    here and below, is what is usual for the rule: 0.9."""
    b2: float | None = None
    """Decay of the mean of the squared gradients (adam, adamw, lamb: 0.999, rmsprop: 0.9, adadelta: 0.95), or of the
    momentum (lion: 0.99)."""
    b2_course: Course = field(default_factory=Course)
    """How b2 moves; of adam and adamw only."""
    eps: float | None = None
    """Keeps the division by the root of the second moment finite (adam, adamw: 1e-8, lamb: 1e-6); it is inside the root
    in rmsprop (1e-8), adagrad (1e-7) and adadelta (1e-6)."""
    weight_decay: float = 0.0
    """Decoupled from the gradient in adamw, lamb and lion; added to it (an L2 term) in the others."""
    clip: float = 0.0
    """Largest global norm of the gradients; 0 leaves them as they are."""
    schedule: Literal["constant", "linear", "cosine", "cosine_restarts", "steps"] = "constant"
    """Course of the learning rate over the iterations, after the warm-up; all but constant and steps fall to 0."""
    warmup: int | None = None
    """Iterations over which the learning rate rises linearly from 0. None is 0, but of lars and lamb, which need it, an
    18th of the iterations until the horizon."""
    horizon: int = 0
    """Iteration at which linear and cosine reach 0; 0 means train.steps, so set it when you mean to train on."""
    period: int = 1000
    """Iterations between restarts of cosine_restarts; the checkpoint at the end of each is kept, as a snapshot."""
    milestones: tuple[int, ...] = ()
    """Iterations, in rising order, from each of which on the learning rate of steps is multiplied by `decay` again."""
    decay: float = 0.1
    """What the learning rate of steps is multiplied by."""

    def __post_init__(self) -> None:
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "above 0")
        require(self.b1 is None or 0 <= self.b1 < 1, "b1", self.b1, "in [0, 1)")
        require(self.b2 is None or 0 <= self.b2 < 1, "b2", self.b2, "in [0, 1)")
        require(self.eps is None or self.eps >= 0, "eps", self.eps, "at least 0")
        end = self.b2_course.to
        require(end is None or 0 <= end < 1, "b2_course.to", end, "in [0, 1)")
        adam = "None without adam or adamw, whose b2 it is"
        require(end is None or self.name in ("adam", "adamw"), "b2_course.to", end, adam)
        require(self.warmup is None or self.warmup >= 0, "warmup", self.warmup, "at least 0")
        for name in ("weight_decay", "clip", "horizon"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "at least 0")
        require(self.period >= 1, "period", self.period, "at least 1")
        rising = all(a < b for a, b in zip((self.warmup or 0, *self.milestones), self.milestones, strict=False))
        require(rising, "milestones", self.milestones, "in rising order, after the warm-up")
        require(self.decay > 0, "decay", self.decay, "above 0")

    def resolved(self) -> "Optimizer":
        """The same with the numbers that None stands for; what the rule does not know is None.

        The warm-up of lars and lamb is left open where it is, since it goes by the iterations.
        """
        usual = USUAL[self.name]
        given = {name: getattr(self, name) for name in usual}
        known: Any = usual | {name: value for name, value in given.items() if value is not None}
        warmup = 0 if self.warmup is None and self.name not in LAYERWISE else self.warmup
        found = {"b1": None, "b2": None, "eps": None, "warmup": warmup} | known
        if all(getattr(self, name) is value for name, value in found.items()):
            return self  # with numbers that may be traced, and were checked before
        return replace(self, **found)
