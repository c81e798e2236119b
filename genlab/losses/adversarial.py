"""Adversarial losses, one value per example, from the discriminator's logits or the critic's values."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

PerExample = Float[Array, " batch"]


def non_saturating_discriminator(real: PerExample, fake: PerExample) -> PerExample:
    """-log D(x) - log(1 - D(G(z))) with D = sigmoid(logit), the value minimised in Goodfellow et al. (2014), eq. 1."""
    return jax.nn.softplus(-real) + jax.nn.softplus(fake)


def non_saturating_generator(fake: PerExample) -> PerExample:
    """-log D(G(z)): the generator's loss that does not saturate, Goodfellow et al. (2014), section 3."""
    return jax.nn.softplus(-fake)


def wasserstein_critic(real: PerExample, fake: PerExample) -> PerExample:
    """D(G(z)) - D(x): minus the estimated Wasserstein distance, Gulrajani et al. (2017), eq. 3 without its penalty."""
    return fake - real


def wasserstein_generator(fake: PerExample) -> PerExample:
    """-D(G(z)), Gulrajani et al. (2017), Algorithm 1, line 11."""
    return -fake


def minimax_generator(fake: PerExample) -> PerExample:
    """log(1 - D(G(z))), Goodfellow et al. (2014), eq. 1; it saturates where the discriminator is sure of a fake."""
    return -jax.nn.softplus(fake)


def least_squares_discriminator(real: PerExample, fake: PerExample) -> PerExample:
    """((D(x) - 1)^2 + D(G(z))^2) / 2, Mao et al. (2017), eq. 2 with a = 0 and b = 1."""
    return (jnp.square(real - 1) + jnp.square(fake)) / 2


def least_squares_generator(fake: PerExample) -> PerExample:
    """(D(G(z)) - 1)^2 / 2, Mao et al. (2017), eq. 2 with c = 1."""
    return jnp.square(fake - 1) / 2


def hinge_discriminator(real: PerExample, fake: PerExample) -> PerExample:
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))), Lim and Ye (2017); the generator's loss is the Wasserstein one."""
    return jax.nn.relu(1 - real) + jax.nn.relu(1 + fake)


def pairing_discriminator(real: PerExample, fake: PerExample) -> PerExample:
    """-log sigmoid(D(x) - D(G(z))) of pairs, Jolicoeur-Martineau (2019), as in R3GAN (Huang et al. 2024)."""
    return jax.nn.softplus(fake - real)


def lecam(
    real: PerExample,
    fake: PerExample,
    anchor_real: Float[Array, ""],
    anchor_fake: Float[Array, ""],
    *,
    one_sided: bool = False,
) -> PerExample:
    """|D(x) - a_F|^2 + |D(G(z)) - a_R|^2 with anchors, averages of scores (Tseng et al. 2021, R_LC).

    One-sided, as in the authors' code, only of D(x) above a_F and of D(G(z)) below a_R.
    """
    above, below = real - anchor_fake, anchor_real - fake
    if one_sided:
        above, below = jax.nn.relu(above), jax.nn.relu(below)
    return jnp.square(above) + jnp.square(below)


class Pair(NamedTuple):
    """What discriminator and generator minimise, both from the scores of real and of fake examples."""

    discriminator: Callable[[PerExample, PerExample], PerExample]
    generator: Callable[[PerExample, PerExample], PerExample]


LOSSES = {
    "non_saturating": Pair(non_saturating_discriminator, lambda real, fake: non_saturating_generator(fake)),
    "minimax": Pair(non_saturating_discriminator, lambda real, fake: minimax_generator(fake)),
    "least_squares": Pair(least_squares_discriminator, lambda real, fake: least_squares_generator(fake)),
    "hinge": Pair(hinge_discriminator, lambda real, fake: wasserstein_generator(fake)),
    # of scores less the mean of the other kind, Jolicoeur-Martineau (2019): the generator exchanges real and fake
    "relativistic_average": Pair(
        non_saturating_discriminator, lambda real, fake: non_saturating_discriminator(fake, real)
    ),
    "relativistic_pairing": Pair(pairing_discriminator, lambda real, fake: pairing_discriminator(fake, real)),
}


def accuracy(real: PerExample, fake: PerExample, loss: str) -> Float[Array, ""]:
    """Share of right decisions of the discriminator: about single examples, or about which of a pair is real."""
    if loss == "relativistic_pairing":
        return (real > fake).mean()
    boundary = 0.5 if loss == "least_squares" else 0.0
    return ((real > boundary).mean() + (fake < boundary).mean()) / 2
