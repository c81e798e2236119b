"""Wasserstein GAN with gradient penalty, Gulrajani et al. (2017), as their code has it."""

from dataclasses import dataclass, field

from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import at_least
from genlab.kernels.augment import Kind
from genlab.kernels.penalty import Penalty
from genlab.kernels.random import Keys, fold, normal
from genlab.methods.game import Method, Player
from genlab.nn.net import Net
from genlab.nn.network import decoder
from genlab.parts.adversarial import AUGMENT_FAKE, FAKE, generator_keys, make_examples
from genlab.parts.augment import augmented, check_augment
from genlab.parts.course import Course
from genlab.parts.labels import Conditioning
from genlab.parts.optimizer import Optimizer
from genlab.parts.penalty import check_course, check_dropout, current_weight, mean_penalty, tally_shapes
from genlab.parts.pixels import squash
from genlab.parts.regularise import ANCHORS, Regularise
from genlab.parts.tally import TALLY
from genlab.parts.types import Data, Labels, Metrics, Networks, Turn
from genlab.parts.wasserstein import check_critic, wasserstein_generator_loss, wasserstein_loss

ADAM = Optimizer(learning_rate=1e-4, b1=0.0, b2=0.9)  # Algorithm 1


@dataclass(frozen=True)
class WGANGP(Method):
    """Wasserstein GAN with gradient penalty."""

    sampling = ("generator",)
    headline = ("critic/wasserstein", "generator/loss")
    monitor = "validation/sliced_wasserstein"
    normal = True
    penalised = ("critic",)

    latent: int = 64
    """Dimensions of the latent space."""
    classes: int = 0
    """Classes whose labels the networks are given, all that the data has; 0: none."""
    generator: Net = field(default_factory=Net)
    """Latents to examples."""
    critic: Net = field(default_factory=Net)
    """Examples to the value of the Wasserstein potential."""
    generator_optimizer: Optimizer = ADAM
    """The generator's optimiser."""
    critic_optimizer: Optimizer = ADAM
    """The critic's optimiser."""
    n_critic: int = 5
    """Critic updates per generator update, each on a fresh batch."""
    generator_batch: int = 1
    """Fake examples in the generator's update for each one of a batch."""
    penalty: Penalty = field(default_factory=Penalty)
    """What keeps the critic 1-Lipschitz."""
    penalty_course: Course = field(default_factory=Course)
    """How the weight of the penalty moves; outside training it is that of the end."""
    labels: Conditioning = field(default_factory=Conditioning)
    """What the critic does with labels."""
    augment: tuple[Kind, ...] = ()
    """What is done to all images, real and fake, before the critic sees them, in both players' updates (DiffAugment,
    Zhao et al. 2020), which keep their labels. Whether a penalty is of slopes by the images before or after it is
    penalty.gradient's to say."""
    regularise: Regularise = field(default_factory=Regularise)
    """What the critic pays besides."""

    def __post_init__(self) -> None:
        at_least(self, 1, "latent", "n_critic", "generator_batch")
        at_least(self, 0, "classes")
        self.labels.check(self.classes)
        check_critic(self.critic)
        check_course(self.penalty, self.penalty_course)
        check_dropout(self.critic, self.penalty)

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        check_augment(self.augment, shape)
        return {
            "generator": decoder(self.generator, self.latent, shape, rngs, self.classes),
            "critic": self.labels.network(self.critic, shape, rngs, self.classes),
            **self.regularise.networks(shape),
        }

    def players(self) -> tuple[Player, ...]:
        """Algorithm 1: n_critic updates of the critic, then one of the generator."""
        tally = tally_shapes(self.penalty)
        owned = ("critic", *self.regularise.owned, *((TALLY,) if tally else ()))
        return (
            Player("critic", owned, self.critic_loss, self.critic_optimizer, self.n_critic, tally=tally),
            Player("generator", ("generator",), self.generator_loss, self.generator_optimizer, real=False),
        )

    def critic_loss(
        self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Eq. 3, which is one loss and so one update."""
        critic, labels = networks["critic"], self.labels_of(batch)
        fake = self.sample(networks, fold(keys, FAKE), labels)
        examples = make_examples(batch.x, fake, labels, keys, self.augment)
        loss, logits, metrics = wasserstein_loss(critic, examples)  # E[D(fake)] - E[D(real)]
        class_loss, guesses = self.labels.loss(logits, labels)
        # lambda E[(|gradient of D| - 1)^2]
        weight = current_weight(self.penalty, self.penalty_course, turn, self.n_critic)
        penalty, slopes = mean_penalty(self.penalty, critic, examples, networks.get(TALLY), turn, weight)
        cost, parts = self.regularise(critic, examples, networks.get(ANCHORS), turn)
        return loss + class_loss + penalty + cost, metrics | guesses | slopes | parts

    def generator_loss(
        self, networks: Networks, batch: None, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Algorithm 1, line 11: -E[D(fake)]."""
        keys = generator_keys(keys, self.generator_batch)
        labels = self.draw_labels(keys)
        fake = augmented(self.sample(networks, keys, labels), fold(keys, AUGMENT_FAKE), self.augment)
        return wasserstein_generator_loss(networks["critic"], fake, labels, self.labels)

    def draw_latents(self, networks: Networks, keys: Keys) -> Float[Array, "b latent"]:
        return normal(keys, (self.latent,))

    def decode(self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None) -> Data:
        return squash(networks["generator"](z, labels))
