"""Wasserstein GAN with gradient penalty, Gulrajani et al. (2017), as their code has it."""

from dataclasses import dataclass, field

import jax
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.kernels.penalty import Penalty
from genlab.kernels.random import Keys, fold
from genlab.methods.adversarial import check_dropout
from genlab.methods.game import Metrics, Networks, Player, Turn
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

    def opponent_loss(
        self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Eq. 3: E[D(fake)] - E[D(real)] + penalty, one loss and so one update."""
        labels = self.given(batch)
        fake = jax.lax.stop_gradient(self.sample(networks, fold(keys, 0), labels))
        value, metrics = self.distance(networks, batch.x, fake, labels)
        penalty, seen = self.penalise(networks, batch.x, fake, labels, fold(keys, 1), self.penalty, turn)
        return value + penalty, metrics | seen
