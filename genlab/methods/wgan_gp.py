"""Wasserstein GAN with gradient penalty, Gulrajani et al. (2017), as their code has it."""

from dataclasses import dataclass, field

from jaxtyping import Array, Float

from genlab.kernels.penalty import Penalty
from genlab.methods.adversarial import check_dropout
from genlab.methods.game import Player
from genlab.methods.labelled import Data
from genlab.methods.wasserstein import Wasserstein
from genlab.parts.optimizer import Optimizer
from genlab.parts.types import Labels, Metrics, Networks

ADAM = Optimizer(learning_rate=1e-4, b1=0.0, b2=0.9)  # Algorithm 1


@dataclass(frozen=True)
class WGANGP(Wasserstein):
    """Wasserstein GAN with gradient penalty."""

    generator_optimizer: Optimizer = ADAM
    """The generator's optimiser."""
    critic_optimizer: Optimizer = ADAM
    """The critic's optimiser."""
    penalty: Penalty = field(default_factory=Penalty)
    """What keeps the critic 1-Lipschitz."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_dropout(self.critic, self.penalty)

    @property
    def charged(self) -> Penalty | None:
        return self.penalty

    def players(self) -> tuple[Player, ...]:
        return self.pair(self.n_critic)

    def judge(self, networks: Networks, real: Data, fake: Data, labels: Labels) -> tuple[Float[Array, ""], Metrics]:
        """Eq. 3: E[D(fake)] - E[D(real)]; with the penalty it is one loss and so one update."""
        return self.distance(networks, real, fake, labels)
