"""Adversarial losses at known points, and their signs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

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


def test_minimax_generator_is_the_game_of_the_paper():
    """log(1 - D), whose gradient vanishes where the discriminator is sure of a fake."""
    np.testing.assert_allclose(adversarial.minimax_generator(FAKE), jnp.log(1 - jax.nn.sigmoid(FAKE)), rtol=1e-6)
    slope = jax.grad(lambda fake: adversarial.minimax_generator(fake).sum())(jnp.array([-30.0]))
    assert abs(slope[0]) < 1e-12


def test_least_squares_have_their_optima_at_the_labels():
    """At equal densities the best score is 1/2, Mao et al. (2017), eq. 5, and the loss there 1/4."""
    both = jax.grad(lambda score: adversarial.least_squares_discriminator(score, score).sum())
    np.testing.assert_allclose(both(jnp.array([0.5])), 0, atol=1e-7)
    np.testing.assert_allclose(adversarial.least_squares_discriminator(jnp.array([0.5]), jnp.array([0.5])), 0.25)
    np.testing.assert_allclose(adversarial.least_squares_generator(jnp.array([1.0, 3.0])), [0, 2])


def test_hinge_charges_inside_the_margin_only():
    real, fake = jnp.array([2.0, 0.5, -1.0]), jnp.array([-2.0, -0.5, 1.0])
    np.testing.assert_allclose(adversarial.hinge_discriminator(real, fake), [0, 1, 4])


def test_pairs_compare_and_exchange():
    """Both players' losses depend on the difference alone; without one both pay log 2."""
    discriminator, generator = adversarial.LOSSES["relativistic_pairing"]
    np.testing.assert_allclose(discriminator(REAL, FAKE), -jnp.log(jax.nn.sigmoid(REAL - FAKE)), rtol=1e-6)
    np.testing.assert_allclose(generator(REAL, FAKE), discriminator(FAKE, REAL))
    np.testing.assert_allclose(discriminator(REAL + 5, FAKE + 5), discriminator(REAL, FAKE), rtol=1e-5)
    np.testing.assert_allclose(discriminator(REAL, REAL), np.log(2), rtol=1e-6)


@pytest.mark.parametrize("name", adversarial.LOSSES)
def test_both_players_pull_the_fake_scores_apart(name):
    """Every discriminator gains by lowering a fake's score, every generator by raising it."""
    discriminator, generator = adversarial.LOSSES[name]
    real, fake = jnp.array([0.4]), jnp.array([0.2])
    assert jax.grad(lambda fake: discriminator(real, fake).sum())(fake)[0] > 0
    assert jax.grad(lambda real: discriminator(real, fake).sum())(real)[0] < 0
    assert jax.grad(lambda fake: generator(real, fake).sum())(fake)[0] < 0


def test_accuracy_is_about_the_boundary_of_each_loss():
    real, fake = jnp.array([0.6, 0.4]), jnp.array([0.45, -1.0])
    assert adversarial.accuracy(real, fake, "hinge") == 0.75
    assert adversarial.accuracy(real, fake, "least_squares") == 0.75
    assert adversarial.accuracy(real, fake - 0.1, "relativistic_pairing") == 1
