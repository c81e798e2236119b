"""What all adversarial methods share: a generator that turns latents into examples, and its opponent."""

import abc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import require
from genlab.kernels.penalty import Penalty, histogram
from genlab.kernels.random import Keys
from genlab.methods.game import Labels, Method, Metrics, Networks, Optimizer, Player, Turn, batch_mean, squash
from genlab.nn.network import Net, decoder


@dataclass(frozen=True)
class Adversarial(Method):
    """A generator against an opponent, which plays first. The opponent's name is also that of its fields and player."""

    opponent: ClassVar[str]
    sampling: ClassVar[tuple[str, ...]] = ("generator",)
    monitor: ClassVar[str] = "validation/sliced_wasserstein"

    generator: Net = field(default_factory=Net)
    """Latents to examples."""
    generator_optimizer: Optimizer = field(default_factory=lambda: Optimizer(b1=0.0, b2=0.9))
    """The generator's optimiser."""

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        return {
            "generator": decoder(self.generator, self.latent, shape, rngs, self.classes),
            self.opponent: self.make_opponent(shape, rngs),
        }

    @abc.abstractmethod
    def make_opponent(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> nnx.Module:
        """The opponent's network, fresh: (b, *shape) and labels to its values, (b, 1 or more), the first of them."""

    def pair(self, plays: int, real: bool = False, project: Callable | None = None) -> tuple[Player, ...]:
        """The opponent, `plays` times an iteration, and the generator; `real`: whether its loss sees real examples."""
        name = self.opponent
        optimizer = getattr(self, f"{name}_optimizer")
        return (
            Player(name, (name,), self.opponent_loss, optimizer, plays, project=project),
            Player("generator", ("generator",), self.generator_loss, self.generator_optimizer, real=real),
        )

    @abc.abstractmethod
    def opponent_loss(
        self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """What the opponent minimises."""

    @abc.abstractmethod
    def generator_loss(
        self, networks: Networks, batch: Batch | None, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """What the generator minimises."""

    def score(self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None) -> Float[Array, " b"]:
        """The opponent's value of each example."""
        return networks[self.opponent](x, labels)[:, 0]

    def decode(
        self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None
    ) -> Float[Array, "b *shape"]:
        return squash(networks["generator"](z, labels))


def slope_metrics(slopes: Float[Array, " b"], at: str = "") -> Metrics:
    """Mean, standard deviation and histogram of slopes over the whole batch, named by the points they were taken at."""
    return {
        f"slope_mean{at}": slopes.mean(),
        f"slope_std{at}": jnp.sqrt(batch_mean(jnp.square(slopes - batch_mean(slopes)))),
        f"slopes{at}": histogram(slopes),
    }


def check_dropout(net: Net, penalty: Penalty) -> None:
    """That a penalty sees the same units of an example's as the loss does.

    Raises:
        Invalid: it looks at a share of the batch, while units are dropped by an example's place in it.
    """
    whole = "1: dropout goes by an example's place in the whole batch; use share 1, or no dropout in what is penalised"
    require(penalty.share == 1 or not net.dropout, "penalty.share", penalty.share, whole)
