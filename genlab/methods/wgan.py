"""The Wasserstein GAN of Arjovsky et al. (2017), its critic's weights clipped or divided by their spectral norms."""

from dataclasses import dataclass
from functools import partial

from jaxtyping import Array, Float

from genlab.errors import require
from genlab.kernels.penalty import clip_weights
from genlab.methods.game import Player
from genlab.methods.labelled import Data
from genlab.methods.wasserstein import Wasserstein
from genlab.parts.optimizer import Optimizer
from genlab.parts.types import Labels, Metrics, Networks

RMSPROP = Optimizer("rmsprop", learning_rate=5e-5, b2=0.99)  # Algorithm 1; the decay is that of the authors' PyTorch


@dataclass(frozen=True)
class WGAN(Wasserstein):
    """Wasserstein GAN with weight clipping, or with spectral norm (critic.spectral, clip 0).

    Miyato et al. (2018), section 2.1: layers of spectral norm 1 and activations of slope at most 1 make the critic
    1-Lipschitz. A convolution's matrix bounds its slope only up to a factor, and residual and attention blocks add to
    it, so there some constant takes the place of 1.
    """

    generator_optimizer: Optimizer = RMSPROP
    """The generator's optimiser."""
    critic_optimizer: Optimizer = RMSPROP
    """The critic's optimiser."""
    clip: float = 0.01
    """Every parameter of the critic stays in [-clip, clip]; 0 leaves them, as spectral norm wants."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.critic.spectral:
            scale = "0: under critic.spectral, which divides by the size of the weights, clipping bounds nothing"
            require(self.clip == 0, "clip", self.clip, scale)
            plain = "none: other norms divide by the spread of the units, and no spectral norm bounds the slope"
            require(self.critic.norm == "none", "critic.norm", self.critic.norm, plain)
        else:
            require(self.clip > 0, "clip", self.clip, "above 0, and without critic.spectral nothing else bounds slopes")

    def players(self) -> tuple[Player, ...]:
        project = None if self.critic.spectral else partial(clip_weights, limit=self.clip)
        return self.pair(self.n_critic, project=project)

    def judge(self, networks: Networks, real: Data, fake: Data, labels: Labels) -> tuple[Float[Array, ""], Metrics]:
        """Algorithm 1, line 5; line 7 clips after the update."""
        return self.distance(networks, real, fake, labels)
