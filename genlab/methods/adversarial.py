"""What all adversarial methods share: a generator that turns latents into examples, and its opponent."""

import abc
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, cast

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import require
from genlab.kernels.augment import Kind, augment
from genlab.kernels.penalty import EDGES, Penalty, gradient_penalty, histogram, origins
from genlab.kernels.random import Keys, fold, normal
from genlab.methods.game import Method, Player
from genlab.methods.regularise import Anchors, Data, Regularise
from genlab.nn.layers import AXIS
from genlab.nn.network import Net, decoder
from genlab.parts.metrics import batch_mean
from genlab.parts.optimizer import Optimizer
from genlab.parts.pixels import squash
from genlab.parts.tally import TALLY, Tally
from genlab.parts.types import Labels, Metrics, Networks, Turn

FAKE, PENALTY, SEEN_REAL, SEEN_FAKE, REGULARISE, MORE = range(6)  # streams of an example's key


@dataclass(frozen=True)
class Adversarial(Method):
    """A generator against an opponent, which plays first. The opponent's name is also that of its fields and player."""

    opponent: ClassVar[str]
    sampling: ClassVar[tuple[str, ...]] = ("generator",)
    monitor: ClassVar[str] = "validation/sliced_wasserstein"

    latent: int = 64
    """Dimensions of the latent space."""
    generator: Net = field(default_factory=Net)
    """Latents to examples."""
    generator_optimizer: Optimizer = field(default_factory=Optimizer)
    """The generator's optimiser."""
    generator_batch: int = 1
    """Fake examples in the generator's update for each one of a batch."""
    augment: tuple[Kind, ...] = ()
    """What is done to all images, real and fake, before the opponent sees them, in both players' updates (DiffAugment,
    Zhao et al. 2020), which keep their labels. Whether a penalty is of slopes by the images before or after it is
    penalty.gradient's to say."""
    regularise: Regularise = field(default_factory=Regularise)
    """What the opponent pays besides."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.generator_batch >= 1, "generator_batch", self.generator_batch, "at least 1")

    @property
    def charged(self) -> Penalty | None:
        """The gradient penalty that the opponent pays, if any."""
        return None

    @property
    def penalised(self) -> tuple[str, ...]:
        return () if self.charged is None else (self.opponent,)

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        image = len(shape) == 3
        require(image or not self.augment, "augment", self.augment, f"possible for data of shape {shape}: no images")
        free = image or not self.regularise.consistent
        require(free, "regularise", self.regularise, f"possible for data of shape {shape}: consistency is of images")
        return {
            "generator": decoder(self.generator, self.latent, shape, rngs, self.classes),
            self.opponent: self.make_opponent(shape, rngs),
            **({"anchors": Anchors()} if self.regularise.lecam else {}),
        }

    @abc.abstractmethod
    def make_opponent(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> nnx.Module:
        """The opponent's network, fresh: (b, *shape) and labels to its values, (b, 1 or more), the first of them."""

    def pair(self, plays: int, real: bool = False, project: Callable | None = None) -> tuple[Player, ...]:
        """The opponent, `plays` times an iteration, and the generator; `real`: whether its loss sees real examples."""
        name = self.opponent
        optimizer = getattr(self, f"{name}_optimizer")
        lazy = self.charged is not None and self.charged.interval > 1
        beside = {"anchors": bool(self.regularise.lecam), TALLY: lazy}
        owned = (name, *(other for other, there in beside.items() if there))
        return (
            Player(name, owned, self.opponent_loss, optimizer, plays, project=project, tally=SLOPES if lazy else {}),
            Player("generator", ("generator",), self.generator_loss, self.generator_optimizer, real=real),
        )

    def opponent_loss(
        self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """What the opponent minimises: what it makes of real examples and fresh fakes, and what regularises it."""
        labels = self.labels_of(batch)
        made = jax.lax.stop_gradient(self.sample(networks, fold(keys, FAKE), labels))
        real, fake = self.seen(batch.x, fold(keys, SEEN_REAL)), self.seen(made, fold(keys, SEEN_FAKE))
        loss, metrics = self.judge(networks, real, fake, labels)
        if self.charged is not None:
            penalty, slopes = self.penalise(networks, self.charged, batch.x, made, labels, keys, turn)
            loss, metrics = loss + penalty, metrics | slopes
        anchors = cast(Anchors | None, networks.get("anchors"))
        score = partial(self.score, networks, labels=labels)
        cost, parts = self.regularise(score, real, fake, fold(keys, REGULARISE), anchors, turn)
        return loss + cost, metrics | parts

    def generator_loss(
        self, networks: Networks, batch: Batch | None, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """What the generator minimises: what the opponent makes of its fakes, beside real examples if it is given any.

        Its fakes share the labels of these, else labels are drawn.
        """
        if self.generator_batch > 1:
            more = jax.vmap(fold, (None, 0))(keys, MORE + jnp.arange(1, self.generator_batch))
            keys = jnp.concatenate([keys, more.reshape(-1)])
        labels = self.draw_labels(keys) if batch is None else self.labels_of(batch)
        fake = self.seen(self.sample(networks, keys, labels), fold(keys, SEEN_FAKE))
        real = None if batch is None else self.seen(batch.x, fold(keys, SEEN_REAL))
        return self.deceive(networks, real, fake, labels)

    @abc.abstractmethod
    def judge(self, networks: Networks, real: Data, fake: Data, labels: Labels) -> tuple[Float[Array, ""], Metrics]:
        """The opponent's own loss, without penalties; each fake example, a constant, has its real one's label."""

    @abc.abstractmethod
    def deceive(
        self, networks: Networks, real: Data | None, fake: Data, labels: Labels
    ) -> tuple[Float[Array, ""], Metrics]:
        """The generator's own loss."""

    def penalise(
        self, networks: Networks, spec: Penalty, real: Data, fake: Data, labels: Labels, keys: Keys, turn: Turn
    ) -> tuple[Float[Array, ""], Metrics]:
        """The mean gradient penalty of a batch that is not augmented yet, and what there is to see of the slopes.

        Examples keep their labels and, as far as they are real or fake, are augmented as in the loss; what lies between
        a real and a fake one is augmented as the real one is. Lazily, an update's metrics go to the tally.
        """
        own, changes = fold(keys, PENALTY), (fold(keys, SEEN_REAL), fold(keys, SEEN_FAKE))
        given = None if labels is None else origins(labels, labels, own, spec)
        if spec.gradient == "original":
            through = origins(*changes, own, spec)
        else:
            real, fake, through = self.seen(real, changes[0]), self.seen(fake, changes[1]), None

        def score(x: Data) -> Float[Array, " points"]:
            return self.score(networks, x if through is None else self.seen(x, through), given)

        penalties, slopes = gradient_penalty(score, real, fake, own, spec, turn, AXIS)
        penalty = penalties.mean()
        metrics = {"penalty": penalty / (1 if turn is None else spec.interval)} | slope_metrics(slopes)
        if turn is None or TALLY not in networks:
            return penalty, metrics
        cast(Tally, networks[TALLY]).add(metrics, jnp.asarray(turn % spec.interval == 0))
        return penalty, {}

    def seen(self, x: Data, keys: Keys) -> Data:
        """Examples as the opponent sees them."""
        return augment(x, keys, self.augment) if self.augment else x

    def score(self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None) -> Float[Array, " b"]:
        """The opponent's value of each example."""
        return networks[self.opponent](x, labels)[:, 0]

    normal = True

    def draw_latents(self, networks: Networks, keys: Keys) -> Float[Array, "b latent"]:
        return normal(keys, (self.latent,))

    def decode(
        self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None
    ) -> Float[Array, "b *shape"]:
        return squash(networks["generator"](z, labels))


SLOPES = {"penalty": (), "slope_mean": (), "slope_std": (), "slopes": (len(EDGES) - 1,)}  # metrics of a penalty


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
