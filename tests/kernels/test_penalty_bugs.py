"""Other projects' mistakes, each rebuilt in a few lines: every one must differ from our penalty, and by far."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.kernels.convolution import conv
from genlab.kernels.penalty import Penalty, coupled, gradient_penalty, interpolate, slopes
from genlab.kernels.random import example_keys, normal, uniform

KEYS = example_keys(jax.random.key(3), jnp.arange(8))
REAL = jax.random.normal(jax.random.key(0), (8, 6, 6, 3))
FAKE = 3 * jax.random.normal(jax.random.key(1), (8, 6, 6, 3))
KERNEL = jax.random.normal(jax.random.key(2), (3, 3, 3, 4)) / 5


def critic(x, kernel=KERNEL):
    return jnp.sum(jnp.square(jax.nn.softplus(conv(x, kernel, 2))), axis=(1, 2, 3)) / 20


def gradient(x):
    return jax.grad(lambda x: jnp.sum(critic(x)))(x)


def between(epsilon):
    return epsilon * REAL + (1 - epsilon) * FAKE


def charge(slope):
    return 10 * jnp.mean(jnp.square(slope - 1))


def ours():
    return gradient_penalty(critic, REAL, FAKE, KEYS, Penalty())[0].mean()


def norm(x, axes=(1, 2, 3)):
    return jnp.sqrt(jnp.sum(jnp.square(x), axis=axes))


X_HAT = interpolate(REAL, FAKE, KEYS)
BUGS = {
    "norm over the whole batch": lambda: charge(norm(gradient(X_HAT), None)),
    "norm over the channels only": lambda: charge(norm(gradient(X_HAT), 3)),
    "norm over height and width only": lambda: charge(norm(gradient(X_HAT), (1, 2))),
    "squared norm": lambda: charge(jnp.square(norm(gradient(X_HAT)))),
    "gradient of the mean": lambda: charge(norm(gradient(X_HAT) / 8)),
    "square of the mean": lambda: 10 * jnp.square(norm(gradient(X_HAT)).mean() - 1),
    "one epsilon for the batch": lambda: charge(norm(gradient(between(uniform(KEYS)[0])))),
    "epsilon per pixel": lambda: charge(norm(gradient(between(uniform(KEYS, (6, 6, 3)))))),
    "normal epsilon": lambda: charge(norm(gradient(between(normal(KEYS, (1, 1, 1)))))),
    "at fake examples only": lambda: charge(norm(gradient(FAKE))),
    "at real examples only": lambda: charge(norm(gradient(REAL))),
    "default weight of one": lambda: charge(norm(gradient(X_HAT))) / 10,
}


def test_without_a_bug_it_is_ours():
    np.testing.assert_allclose(charge(norm(gradient(X_HAT))), ours(), rtol=1e-5)


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bug_differs(bug):
    assert abs(BUGS[bug]() / ours() - 1) > 0.02


def test_epsilon_inside_the_root_bends_small_slopes():
    exact = norm(1e-4 * gradient(REAL))
    bent = jnp.sqrt(jnp.square(exact) + 1e-4)
    np.testing.assert_allclose(slopes(lambda x: 1e-4 * critic(x), REAL), exact, rtol=1e-5)
    assert np.all(bent > 2 * exact)


def test_unguarded_root_is_nan_at_zero_slope():
    def planted(w):
        return jnp.sqrt(jnp.sum(jnp.square(jax.grad(lambda x: jnp.sum(x @ w))(jnp.ones((2, 3))))))

    assert np.isnan(jax.grad(planted)(jnp.zeros(3))).all()
    assert np.all(jax.grad(lambda w: slopes(lambda x: x @ w, jnp.ones((2, 3))).sum())(jnp.zeros(3)) == 0)


def test_detached_slope_teaches_the_critic_nothing():
    def planted(kernel):
        return charge(norm(jax.lax.stop_gradient(jax.grad(lambda x: jnp.sum(critic(x, kernel)))(X_HAT))))

    def faithful(kernel):
        return gradient_penalty(lambda x: critic(x, kernel), REAL, FAKE, KEYS, Penalty())[0].mean()

    assert np.all(jax.grad(planted)(KERNEL) == 0)
    assert np.linalg.norm(jax.grad(faithful)(KERNEL)) > 0.1


def batch_norm(x):
    return (x - x.mean((0, 1, 2))) / jnp.sqrt(x.var((0, 1, 2)) + 1e-5)


def minibatch_std(x):
    return jnp.concatenate([x, jnp.full_like(x[..., :1], x.std(0).mean())], axis=-1)


@pytest.mark.parametrize("layer", [batch_norm, minibatch_std])
def test_critic_that_couples_examples_is_detected(layer):
    def planted(x):
        return jnp.tanh(layer(conv(x, KERNEL))).sum((1, 2, 3))

    apart = jax.vmap(lambda x: jax.grad(lambda x: planted(x)[0])(REAL.at[0].set(x))[0])
    assert bool(coupled(planted, REAL)) and bool(jax.jit(lambda x: coupled(planted, x))(REAL))
    # and what it would have cost: the slope of the sum is not the example's own
    assert abs(slopes(planted, REAL)[0] / norm(apart(REAL[:1]))[0] - 1) > 1e-3


@pytest.mark.parametrize("groups", ["layer norm", "none"])
def test_critic_without_coupling_passes(groups):
    def normalise(x):
        centred = x - x.mean((1, 2, 3), keepdims=True)
        return centred / jnp.sqrt(jnp.square(centred).mean((1, 2, 3), keepdims=True) + 1e-5)

    def plain(x):
        hidden = conv(x, KERNEL)
        return jnp.tanh(normalise(hidden) if groups == "layer norm" else hidden).sum((1, 2, 3))

    assert not coupled(plain, REAL)
