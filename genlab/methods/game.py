"""Every method is a game: players that own networks, minimise their own loss over them, and move in turn."""

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, Shaped

from genlab.data.feed import Batch
from genlab.errors import require
from genlab.kernels.random import Keys, fold, normal, uniform
from genlab.nn.layers import AXIS

Networks = dict[str, nnx.Module]
Metrics = dict[str, Shaped[Array, "*_"]]  # scalars, and shares of slopes between kernels.penalty.EDGES
Turn = Int[Array, ""] | int | None
Labels = Int[Array, " b"] | None  # classes of examples, for methods that know them
Observation = Literal["bernoulli", "gaussian"]
LABELS = 1000  # stream of drawn labels, apart from all that a prior draws
# (networks, batch, per-example keys, turn) -> the mean loss over the batch, and metrics that are means over it too;
# there is no batch for a player that does not look at real examples;
# the turn counts this player's plays since training began; None outside training
Loss = Callable[[Networks, Any, Keys, Turn], tuple[Float[Array, ""], Metrics]]


# each rule's constants: Kingma and Ba (2015) and Loshchilov and Hutter (2019), Chen et al. (2023), Tieleman and Hinton
# (2012), Zeiler (2012); what these leave open is Optax's
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
}


@dataclass(frozen=True)
class Optimizer:
    """How a player moves."""

    name: Literal["sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "lion"] = "adam"
    """The update rule."""
    learning_rate: float = 1e-3
    """The peak learning rate."""
    b1: float | None = None
    """Decay of the mean of the gradients (adam, adamw, lion) or of the momentum (momentum, nesterov). None, here and
    below, is what is usual for the rule: 0.9."""
    b2: float | None = None
    """Decay of the mean of the squared gradients (adam, adamw: 0.999, rmsprop: 0.9, adadelta: 0.95), or of the momentum
    (lion: 0.99)."""
    eps: float | None = None
    """Keeps the division by the root of the second moment finite (adam, adamw: 1e-8); it is inside the root in rmsprop
    (1e-8), adagrad (1e-7) and adadelta (1e-6)."""
    weight_decay: float = 0.0
    """Decoupled from the gradient in adamw and lion; added to it (an L2 term) in the others."""
    clip: float = 0.0
    """Largest global norm of the gradients; 0 leaves them as they are."""
    schedule: Literal["constant", "linear", "cosine", "cosine_restarts", "steps"] = "constant"
    """Course of the learning rate over the iterations, after the warm-up; all but constant and steps fall to 0."""
    warmup: int = 0
    """Iterations over which the learning rate rises linearly from 0."""
    horizon: int = 0
    """Iteration at which linear and cosine reach 0; 0 means train.steps, so set it when you mean to train on."""
    period: int = 1000
    """Iterations between restarts of cosine_restarts."""
    milestones: tuple[int, ...] = ()
    """Iterations, in rising order, from each of which on the learning rate of steps is multiplied by `decay` again."""
    decay: float = 0.1
    """What the learning rate of steps is multiplied by."""

    def __post_init__(self) -> None:
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "above 0")
        require(self.b1 is None or 0 <= self.b1 < 1, "b1", self.b1, "in [0, 1)")
        require(self.b2 is None or 0 <= self.b2 < 1, "b2", self.b2, "in [0, 1)")
        require(self.eps is None or self.eps >= 0, "eps", self.eps, "at least 0")
        for name in ("weight_decay", "clip", "warmup", "horizon"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "at least 0")
        require(self.period >= 1, "period", self.period, "at least 1")
        rising = all(a < b for a, b in zip((self.warmup, *self.milestones), self.milestones, strict=False))
        require(rising, "milestones", self.milestones, "in rising order, after the warm-up")
        require(self.decay > 0, "decay", self.decay, "above 0")

    def resolved(self) -> "Optimizer":
        """The same with the numbers that None stands for; what the rule does not know is None."""
        usual = USUAL[self.name]
        given = {name: getattr(self, name) for name in usual}
        known: Any = usual | {name: value for name, value in given.items() if value is not None}
        return replace(self, **({"b1": None, "b2": None, "eps": None} | known))


@dataclass(frozen=True)
class Player:
    """One player of the game."""

    name: str
    networks: tuple[str, ...]  # those it owns: only their parameters and statistics change when it plays
    loss: Loss
    optimizer: Optimizer
    plays: int = 1  # per iteration, each on a fresh batch
    part: tuple[str, ...] = ()  # the paths in its networks whose parameters it moves; () means all of them
    real: bool = True  # whether its loss looks at real examples; False leaves them to the other players
    project: Callable[[Any], Any] | None = None  # what its parameters go through after every update, as clipping
    start: int = 0  # the first iteration it plays in, as in pre-training
    stop: int | None = None  # the first iteration it no longer plays in; None means never
    tally: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # shapes of metrics that some updates only have


@dataclass(frozen=True)
class Method(abc.ABC):
    """A generative model and how it is trained. Its fields are its configuration; one final class to a file."""

    sampling: ClassVar[tuple[str, ...]]  # the networks needed once training is over, with averaged weights (EMA)
    headline: ClassVar[tuple[str, str]]  # the two metrics worth watching
    monitor: ClassVar[str]  # the validation metric, lower is better, that names the best checkpoint
    gap: ClassVar[str] = ""  # the metric, as "model/loss", that validation compares with that of training examples
    classes = 0  # whose labels the networks are given; a field of `conditional.Conditional` methods

    latent: int = 64
    """Dimensions of the latent space."""

    def __post_init__(self) -> None:
        require(self.latent >= 1, "latent", self.latent, "at least 1")

    @property
    def sloped(self) -> tuple[str, ...]:
        """Networks whose slopes are penalised, and which so must not couple the examples of a batch."""
        return ()

    @abc.abstractmethod
    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        """Fresh networks for data of `shape`, by name. Raises `Invalid` where they cannot work together."""

    def centre(self, networks: Networks, mean: Float[Array, "*shape"]) -> None:  # noqa: B027  # most have nothing to do
        """Move fresh networks to where they should start, given the mean training example; by default they stay."""

    @abc.abstractmethod
    def players(self) -> tuple[Player, ...]:
        """The players in their order of play."""

    @abc.abstractmethod
    def decode(
        self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None
    ) -> Float[Array, "b *shape"]:
        """Latents, and labels if there are classes, to data: images in [-1, 1], or points."""

    def prior(self, networks: Networks, keys: Keys) -> Float[Array, "b latent"]:
        """Latents to sample from; one per key."""
        return normal(keys, (self.latent,))

    def given(self, batch: Batch) -> Labels:
        """The labels of a batch; None where the networks are given none."""
        return batch.label if self.classes else None

    def draw_labels(self, keys: Keys) -> Labels:
        """One class per key, all equally likely; None where there are none."""
        return (uniform(fold(keys, LABELS)) * self.classes).astype(jnp.int32) if self.classes else None

    def sample(self, networks: Networks, keys: Keys, labels: Labels = None) -> Float[Array, "b *shape"]:
        """One example per key, of these classes or, if there are any, of drawn ones."""
        labels = self.draw_labels(keys) if labels is None else labels
        return self.decode(networks, self.prior(networks, keys), labels)


@dataclass(frozen=True)
class Encoding(Method):
    """A method that can also find the latent of an example."""

    @abc.abstractmethod
    def encode(
        self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None
    ) -> Float[Array, "b latent"]:
        """Data to latents (the posterior's mean where there is a posterior)."""

    def divergences(
        self, networks: Networks, x: Float[Array, "b *shape"], keys: Keys, labels: Labels = None
    ) -> Float[Array, "b latent"] | None:
        """KL(q(z_i|x) || p(z_i)) of every latent in nats, by the keys what has to be drawn; None where it is unknown.

        So it is without a posterior, and where the prior is none of each latent by itself.
        """
        return None

    def reconstruct(
        self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None
    ) -> Float[Array, "b *shape"]:
        """decode(encode(x))."""
        return self.decode(networks, self.encode(networks, x, labels), labels)


@dataclass(frozen=True)
class Likelihood(Encoding):
    """An encoding method whose likelihood can be bounded by importance sampling."""

    @property
    @abc.abstractmethod
    def observation(self) -> Observation:
        """What examples are to it: bits, each with a probability, or points of a space with a density."""

    @abc.abstractmethod
    def log_weight(
        self, networks: Networks, x: Float[Array, "b *shape"], keys: Keys, labels: Labels = None
    ) -> Float[Array, " b"]:
        """log p(x, z) - log q(z|x) in nats, of one z ~ q(z|x) per key; its mean is the ELBO.

        Burda et al. (2016), eq. 8: the log of the mean of k exponentials bounds log p(x) from below, the tighter the
        larger k.
        With labels y all of these are given y, and what is bounded is log p(x|y).
        """


@dataclass(frozen=True)
class Unnormalised(Encoding):
    """An encoding method that knows its density up to a constant Z, which annealed importance sampling estimates."""

    @property
    @abc.abstractmethod
    def observation(self) -> Observation:
        """What examples are to it: bits, each with a probability, or points of a space with a density."""

    @abc.abstractmethod
    def log_weight(
        self, networks: Networks, x: Float[Array, "b *shape"], keys: Keys, labels: Labels = None
    ) -> Float[Array, " b"]:
        """log Z + log p(x, z) - log q(z|x) in nats, of one z ~ q(z|x) per key: `Likelihood.log_weight` but for log Z.

        Its mean bounds log Z + log p(x) from below; it is that itself where p(x) needs no z.
        """

    @abc.abstractmethod
    def log_partition(self, networks: Networks, keys: Keys) -> Float[Array, " runs"]:
        """Logs of unbiased estimates of Z, one annealed run per key; `kernels.annealing.log_mean` combines them."""


def squash(x: Float[Array, "b *shape"]) -> Float[Array, "b *shape"]:
    """A network's output to data: tanh for images, which lie in [-1, 1]; points are unbounded."""
    return jnp.tanh(x) if x.ndim == 4 else x


def log_odds(mean: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """log p / (1 - p) of pixels, from their means in [-1, 1]: they are white, 1, with probability p, else black, -1.

    No p is nearer to 0 or 1 than 0.001, as in the official IWAE code; else that of an ever black pixel is infinite.
    """
    p = jnp.clip((mean + 1) / 2, 0.001, 0.999)
    return jnp.log(p) - jnp.log1p(-p)


def batch_mean(values: Float[Array, " b"]) -> Float[Array, ""]:
    """The mean over the whole batch, that of all devices; for metrics that are no means themselves. No gradient."""
    return jax.lax.pmean(jax.lax.stop_gradient(values).mean(), AXIS)
