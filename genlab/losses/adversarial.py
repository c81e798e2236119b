"""Adversarial losses, one value per example, from the discriminator's logits or the critic's values."""

import jax
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
