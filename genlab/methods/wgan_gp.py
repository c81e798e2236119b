"""Wasserstein GAN with gradient penalty, Gulrajani et al. (2017), as their code has it."""

from dataclasses import dataclass, field

from jaxtyping import Array, Float

from genlab.kernels.penalty import Penalty
from genlab.kernels.random import Keys
from genlab.methods.adversarial import check_dropout
from genlab.methods.game import Labels, Metrics, Networks, Player, Turn
from genlab.methods.labelled import Data
from genlab.methods.wasserstein import Wasserstein


@dataclass(frozen=True)
class WGANGP(Wasserstein):
    """Wasserstein GAN with gradient penalty."""

    penalty: Penalty = field(default_factory=Penalty)
    """What keeps the critic 1-Lipschitz."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_dropout(self.critic, self.penalty)

    @property
    def sloped(self) -> tuple[str, ...]:
        return ("critic",)

    def players(self) -> tuple[Player, ...]:
        return self.pair(self.n_critic)

    def judge(
        self, networks: Networks, real: Data, fake: Data, labels: Labels, keys: Keys, turn: Turn
    ) -> tuple[Float[Array, ""], Metrics]:
        """Eq. 3: E[D(fake)] - E[D(real)] + penalty, one loss and so one update."""
        value, metrics = self.distance(networks, real, fake, labels)
        penalty, slopes = self.penalise(networks, real, fake, labels, keys, self.penalty, turn)
        return value + penalty, metrics | slopes
