"""Every method is a game: players that own networks, minimise their own loss over them, and move in turn."""

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.kernels.random import Keys, fold, uniform
from genlab.parts.optimizer import Optimizer
from genlab.parts.types import Labels, Metrics, Networks, Turn

LABELS = 1000  # stream of drawn labels, apart from all that a prior draws
# (networks, batch, per-example keys, turn) -> the mean loss over the batch, and metrics that are means over it too;
# there is no batch for a player that does not look at real examples;
# the turn counts this player's plays since training began; None outside training
Loss = Callable[[Networks, Any, Keys, Turn], tuple[Float[Array, ""], Metrics]]


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

    def plays_in(self, step: int) -> bool:
        """Whether it plays in iteration `step`."""
        return self.start <= step and (self.stop is None or step < self.stop)


@dataclass(frozen=True)
class Method(abc.ABC):
    """A generative model and how it is trained: one final frozen dataclass to a file, whose fields are its parts.

    A property may be a field or an attribute of that class. Besides, a method may be `Centred`, `Ancestral`,
    `ImportanceWeighted`, `Unnormalised` or `Divergent`, by having what these ask for.
    """

    @property
    @abc.abstractmethod
    def latent(self) -> int:
        """Dimensions of the latent space."""

    @property
    @abc.abstractmethod
    def sampling(self) -> tuple[str, ...]:
        """The networks needed once training is over, with averaged weights (EMA)."""

    @property
    @abc.abstractmethod
    def headline(self) -> tuple[str, str]:
        """The two metrics worth watching."""

    @property
    @abc.abstractmethod
    def monitor(self) -> str:
        """The validation metric, lower is better, that names the best checkpoint."""

    @property
    def gap(self) -> str:
        """The metric, as "model/loss", that validation compares with that of training examples; "" is none."""
        return ""

    @property
    def classes(self) -> int:
        """Classes whose labels the networks are given."""
        return 0

    @property
    def normal(self) -> bool:
        """Whether `prior` is N(0, I)."""
        return False

    @property
    def penalised(self) -> tuple[str, ...]:
        """Networks whose slopes are penalised, and which so must not couple the examples of a batch."""
        return ()

    @abc.abstractmethod
    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        """Fresh networks for data of `shape`, by name. Raises `Invalid` where they cannot work together."""

    @abc.abstractmethod
    def players(self) -> tuple[Player, ...]:
        """The players in their order of play."""

    @abc.abstractmethod
    def draw_latents(self, networks: Networks, keys: Keys) -> Float[Array, "b latent"]:
        """Latents to sample from; one per key."""

    @abc.abstractmethod
    def decode(
        self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None
    ) -> Float[Array, "b *shape"]:
        """Latents, and labels if there are classes, to data: images in [-1, 1], or points."""

    def labels_of(self, batch: Batch) -> Labels:
        """The labels of a batch; None where the networks are given none."""
        return batch.label if self.classes else None

    def draw_labels(self, keys: Keys) -> Labels:
        """One class per key, all equally likely; None where there are none."""
        return (uniform(fold(keys, LABELS)) * self.classes).astype(jnp.int32) if self.classes else None

    def sample(self, networks: Networks, keys: Keys, labels: Labels = None) -> Float[Array, "b *shape"]:
        """One example per key, of these classes or, if there are any, of drawn ones."""
        labels = self.draw_labels(keys) if labels is None else labels
        if isinstance(self, Ancestral):
            return self.draw(networks, keys, labels)
        return self.decode(networks, self.draw_latents(networks, keys), labels)


@dataclass(frozen=True)
class Encoding(Method):
    """A method that can also find the latent of an example."""

    @abc.abstractmethod
    def encode(
        self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None
    ) -> Float[Array, "b latent"]:
        """Data to latents (the posterior's mean where there is a posterior)."""

    def reconstruct(
        self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None
    ) -> Float[Array, "b *shape"]:
        """decode(encode(x))."""
        return self.decode(networks, self.encode(networks, x, labels), labels)


@runtime_checkable
class Centred(Protocol):
    """A method whose fresh networks start where the data are."""

    def centre(self, networks: Networks, mean: Float[Array, "*shape"]) -> None:
        """Move fresh networks to where they should start, given the mean training example."""


@runtime_checkable
class Ancestral(Protocol):
    """A method whose samples are more than a decoded latent: further draws on the way from it to the data."""

    def draw(self, networks: Networks, keys: Keys, labels: Labels) -> Float[Array, "b *shape"]:
        """One example per key."""


@runtime_checkable
class Divergent(Protocol):
    """A method whose posterior and prior factorise over latents."""

    def divergences(
        self, networks: Networks, x: Float[Array, "b *shape"], keys: Keys, labels: Labels = None
    ) -> Float[Array, "b latent"] | None:
        """KL(q(z_i|x) || p(z_i)) of every latent in nats, by the keys what has to be drawn; None where its posterior or
        prior, as they are set, is none of each latent by itself."""


@runtime_checkable
class ImportanceWeighted(Protocol):
    """A method whose likelihood can be bounded by importance sampling."""

    @property
    def observation(self) -> str:
        """What examples are to it, the name of a `parts.likelihood.Likelihood`."""

    def log_weight(
        self, networks: Networks, x: Float[Array, "b *shape"], keys: Keys, labels: Labels = None
    ) -> Float[Array, " b"]:
        """log p(x, z) - log q(z|x) in nats, of one z ~ q(z|x) per key; its mean is the ELBO.

        Burda et al. (2016), eq. 8: the log of the mean of k exponentials bounds log p(x) from below, the tighter the
        larger k.
        With labels y all of these are given y, and what is bounded is log p(x|y).
        """


@runtime_checkable
class Unnormalised(ImportanceWeighted, Protocol):
    """A method that knows its density up to a constant Z, which annealed importance sampling estimates.

    Its `log_weight` has log Z too much: its mean bounds log Z + log p(x) from below, and is that where p(x) needs no z.
    """

    def log_partition(self, networks: Networks, keys: Keys) -> Float[Array, " runs"]:
        """Logs of unbiased estimates of Z, one annealed run per key; `kernels.annealing.log_mean` combines them."""
