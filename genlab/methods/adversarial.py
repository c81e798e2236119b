"""What all adversarial methods share: a generator that turns latents into examples."""

from dataclasses import dataclass, field
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from genlab.kernels.penalty import histogram
from genlab.methods.game import Method, Metrics, Networks, Optimizer, batch_mean, squash
from genlab.nn.network import Net


@dataclass(frozen=True)
class Adversarial(Method):
    """A generator against an opponent."""

    sampling: ClassVar[tuple[str, ...]] = ("generator",)
    monitor: ClassVar[str] = "validation/sliced_wasserstein"

    generator: Net = field(default_factory=Net)
    """Latents to examples."""
    generator_optimizer: Optimizer = field(default_factory=lambda: Optimizer(b1=0.0, b2=0.9))
    """The generator's optimiser."""

    def decode(self, networks: Networks, z: Float[Array, "b latent"]) -> Float[Array, "b *shape"]:
        return squash(networks["generator"](z))


def slope_metrics(slopes: Float[Array, " b"], at: str = "") -> Metrics:
    """Mean, standard deviation and histogram of slopes over the whole batch, named by the points they were taken at."""
    return {
        f"slope_mean{at}": slopes.mean(),
        f"slope_std{at}": jnp.sqrt(batch_mean(jnp.square(slopes - batch_mean(slopes)))),
        f"slopes{at}": histogram(slopes),
    }
