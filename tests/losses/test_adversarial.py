"""Adversarial losses at known points, and their signs."""

import jax
import jax.numpy as jnp
import numpy as np

from genlab.losses import adversarial

REAL, FAKE = jnp.array([0.3, -2.0]), jnp.array([1.5, 0.0])


def test_non_saturating_matches_the_cross_entropy():
    probability = jax.nn.sigmoid
    expected = -jnp.log(probability(REAL)) - jnp.log(1 - probability(FAKE))
    np.testing.assert_allclose(adversarial.non_saturating_discriminator(REAL, FAKE), expected, rtol=1e-6)
    np.testing.assert_allclose(adversarial.non_saturating_generator(FAKE), -jnp.log(probability(FAKE)), rtol=1e-6)


def test_an_undecided_discriminator_pays_two_log_two():
    zero = jnp.zeros(1)
    np.testing.assert_allclose(adversarial.non_saturating_discriminator(zero, zero), [2 * np.log(2)], rtol=1e-6)


def test_the_generator_does_not_saturate():
    """Where the discriminator is sure of a fake, the gradient stays 1; the minimax loss's would vanish."""
    slope = jax.grad(lambda fake: adversarial.non_saturating_generator(fake).sum())(jnp.array([-30.0]))
    np.testing.assert_allclose(slope, [-1], atol=1e-6)


def test_wasserstein_signs():
    """The critic gains by raising real above fake, the generator by raising fake."""
    np.testing.assert_array_equal(adversarial.wasserstein_critic(REAL, FAKE), FAKE - REAL)
    np.testing.assert_array_equal(adversarial.wasserstein_generator(FAKE), -FAKE)
