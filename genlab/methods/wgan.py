"""The Wasserstein GAN of Arjovsky et al. (2017), whose critic's weights are clipped."""

from dataclasses import dataclass
from functools import partial

import jax
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import require
from genlab.kernels.penalty import clip_weights
from genlab.kernels.random import Keys
from genlab.methods.game import Metrics, Networks, Player, Turn
from genlab.methods.wasserstein import Wasserstein


@dataclass(frozen=True)
class WGAN(Wasserstein):
    """Wasserstein GAN with weight clipping."""

    clip: float = 0.01
    """Every parameter of the critic stays in [-clip, clip]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.clip > 0, "clip", self.clip, "above 0")

    def players(self) -> tuple[Player, ...]:
        return self.pair(self.n_critic, project=partial(clip_weights, limit=self.clip))

    def opponent_loss(
        self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Algorithm 1, line 5; line 7 clips after the update."""
        labels = self.given(batch)
        return self.distance(networks, batch.x, jax.lax.stop_gradient(self.sample(networks, keys, labels)), labels)
