"""The Wasserstein GAN of Arjovsky et al. (2017), its critic's weights clipped or divided by their spectral norms."""

from dataclasses import dataclass, field
from functools import partial

from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import at_least, require
from genlab.kernels.augment import Kind
from genlab.kernels.penalty import clip_weights
from genlab.kernels.random import Keys, fold, normal
from genlab.methods.game import Method, Player
from genlab.nn.net import Net
from genlab.nn.network import decoder
from genlab.parts.adversarial import AUGMENT_FAKE, FAKE, generator_keys, make_examples
from genlab.parts.augment import augmented, check_augment
from genlab.parts.labels import Conditioning
from genlab.parts.optimizer import Optimizer
from genlab.parts.pixels import squash
from genlab.parts.regularise import ANCHORS, Regularise
from genlab.parts.types import Data, Labels, Metrics, Networks, Turn
from genlab.parts.wasserstein import check_critic, wasserstein_generator_loss, wasserstein_loss

RMSPROP = Optimizer("rmsprop", learning_rate=5e-5, b2=0.99)  # Algorithm 1; the decay is that of the authors' PyTorch


@dataclass(frozen=True)
class WGAN(Method):
    """Wasserstein GAN with weight clipping, or with spectral norm (critic.spectral, clip 0).

    Miyato et al. (2018), section 2.1: layers of spectral norm 1 and activations of slope at most 1 make the critic
    1-Lipschitz. A convolution's matrix bounds its slope only up to a factor, and residual and attention blocks add to
    it, so there some constant takes the place of 1.
    """

    sampling = ("generator",)
    headline = ("critic/wasserstein", "generator/loss")
    monitor = "validation/sliced_wasserstein"
    normal = True

    latent: int = 64
    """Dimensions of the latent space."""
    classes: int = 0
    """Classes whose labels the networks are given, all that the data has; 0: none."""
    generator: Net = field(default_factory=Net)
    """Latents to examples."""
    critic: Net = field(default_factory=Net)
    """Examples to the value of the Wasserstein potential."""
    generator_optimizer: Optimizer = RMSPROP
    """The generator's optimiser."""
    critic_optimizer: Optimizer = RMSPROP
    """The critic's optimiser."""
    n_critic: int = 5
    """Critic updates per generator update, each on a fresh batch."""
    generator_batch: int = 1
    """Fake examples in the generator's update for each one of a batch."""
    clip: float = 0.01
    """Every parameter of the critic stays in [-clip, clip]; 0 leaves them, as spectral norm wants."""
    labels: Conditioning = field(default_factory=Conditioning)
    """What the critic does with labels."""
    augment: tuple[Kind, ...] = ()
    """What is done to all images, real and fake, before the critic sees them, in both players' updates (DiffAugment,
    Zhao et al. 2020), which keep their labels."""
    regularise: Regularise = field(default_factory=Regularise)
    """What the critic pays besides."""

    def __post_init__(self) -> None:
        at_least(self, 1, "latent", "n_critic", "generator_batch")
        at_least(self, 0, "classes")
        self.labels.check(self.classes)
        check_critic(self.critic)
        if self.critic.spectral:
            scale = "0: under critic.spectral, which divides by the size of the weights, clipping bounds nothing"
            require(self.clip == 0, "clip", self.clip, scale)
            plain = "none: other norms divide by the spread of the units, and no spectral norm bounds the slope"
            require(self.critic.norm == "none", "critic.norm", self.critic.norm, plain)
        else:
            require(self.clip > 0, "clip", self.clip, "above 0, and without critic.spectral nothing else bounds slopes")

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        check_augment(self.augment, shape)
        return {
            "generator": decoder(self.generator, self.latent, shape, rngs, self.classes),
            "critic": self.labels.network(self.critic, shape, rngs, self.classes),
            **self.regularise.networks(shape),
        }

    def players(self) -> tuple[Player, ...]:
        """Algorithm 1: n_critic updates of the critic, then one of the generator."""
        owned = ("critic", *self.regularise.owned)
        clip = None if self.critic.spectral else partial(clip_weights, limit=self.clip)  # line 7
        return (
            Player("critic", owned, self.critic_loss, self.critic_optimizer, self.n_critic, project=clip),
            Player("generator", ("generator",), self.generator_loss, self.generator_optimizer, real=False),
        )

    def critic_loss(
        self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Algorithm 1, line 5: E[D(fake)] - E[D(real)], and what else the critic pays."""
        critic, labels = networks["critic"], self.labels_of(batch)
        fake = self.sample(networks, fold(keys, FAKE), labels)
        examples = make_examples(batch.x, fake, labels, keys, self.augment)
        loss, logits, metrics = wasserstein_loss(critic, examples)
        class_loss, guesses = self.labels.loss(logits, labels)
        cost, parts = self.regularise(critic, examples, networks.get(ANCHORS), turn)
        return loss + class_loss + cost, metrics | guesses | parts

    def generator_loss(
        self, networks: Networks, batch: None, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Algorithm 1, line 10: -E[D(fake)]."""
        keys = generator_keys(keys, self.generator_batch)
        labels = self.draw_labels(keys)
        fake = augmented(self.sample(networks, keys, labels), fold(keys, AUGMENT_FAKE), self.augment)
        return wasserstein_generator_loss(networks["critic"], fake, labels, self.labels)

    def draw_latents(self, networks: Networks, keys: Keys) -> Float[Array, "b latent"]:
        return normal(keys, (self.latent,))

    def decode(self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None) -> Data:
        return squash(networks["generator"](z, labels))
