"""BEGAN's balance in closed form: its update, its clipping, its equilibrium, and training followed by hand."""

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.errors import Invalid
from genlab.kernels.random import fold
from genlab.methods.began import BEGAN, Discriminator
from genlab.nn.net import Net
from genlab.parts.optimizer import Optimizer

SMALL = Net(width=4, depth=1)
METHOD = BEGAN(latent=2, code=1, generator=SMALL, discriminator=SMALL)
A, B, RATE, K_RATE, GAMMA = 0.2, np.array([0.3, 0.4], np.float32), 0.1, 0.5, 0.7


class Scale(nnx.Module):
    """x -> a x."""

    def __init__(self, a):
        self.a = nnx.Param(jnp.float32(a))

    def __call__(self, x, labels=None):
        return self.a[...] * x


class Same(nnx.Module):
    """x -> x."""

    def __call__(self, x, labels=None):
        return x


class Point(nnx.Module):
    """G(z) = b."""

    def __init__(self, b):
        self.b = nnx.Param(jnp.asarray(b))

    def __call__(self, z, labels=None):
        return jnp.broadcast_to(self.b[...], (len(z), 2))


@dataclass(frozen=True)
class Toy(BEGAN):
    """An autoencoder D(x) = a x, with L(x) = (1 - a) mean |x|, against a generator of one point."""

    def networks(self, shape, rngs):
        return toys()


def toys(k=0.0, a=A, b=B):
    discriminator = Discriminator(Scale(a), Same())
    discriminator.k[...] = jnp.float32(k)
    return {"generator": Point(b), "discriminator": discriminator}


def points(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_the_error_is_the_mean_distance_of_the_rebuilt(compiled):
    x = points(0, 6, 4, 4, 3)
    networks = METHOD.networks((4, 4, 3), nnx.Rngs(0))
    discriminator = networks["discriminator"]
    rebuilt = np.tanh(compiled(lambda x: discriminator.decoder(discriminator.encoder(x)))(x))
    expected = abs(x - rebuilt).mean((1, 2, 3))
    np.testing.assert_allclose(discriminator(jnp.asarray(x))[:, 0], expected, rtol=1e-5)


def test_losses_by_hand(evaluate, keys):
    """L(x) - k L(G(z)) and L(G(z)); the fakes are constants to the discriminator, which is one to the generator."""
    x, k, networks = points(0, 8, 2), keys(8), toys(k=0.25)
    real, fake = (1 - A) * abs(x).mean(), (1 - A) * abs(B).mean()
    seen = evaluate(METHOD.discriminator_loss, networks, x, k)
    np.testing.assert_allclose(seen.loss, real - 0.25 * fake, rtol=1e-5)
    np.testing.assert_allclose(
        seen.grads["discriminator"]["encoder"]["a"], -abs(x).mean() + 0.25 * abs(B).mean(), rtol=1e-5
    )
    assert (seen.grads["generator"]["b"] == 0).all()
    np.testing.assert_allclose(seen.metrics["real_error"], real, rtol=1e-5)
    np.testing.assert_allclose(seen.metrics["fake_error"], fake, rtol=1e-5)
    np.testing.assert_allclose(seen.metrics["convergence"], real + abs(0.5 * real - fake), rtol=1e-5)
    of_generator = evaluate(METHOD.generator_loss, networks, None, k)
    np.testing.assert_allclose(of_generator.loss, fake, rtol=1e-5)
    np.testing.assert_allclose(of_generator.grads["generator"]["b"], (1 - A) / 2 * np.sign(B), rtol=1e-5)
    assert of_generator.stats["discriminator"]["k"] == 0.25  # it moves in the discriminator's step only


@pytest.mark.parametrize(
    ("k", "fake", "after"),
    [
        (0.25, 0.5, 0.25 + 0.2 * (0.7 * 0.9 - 0.5)),  # fakes too easy to rebuild: they come to weigh more
        (0.25, 0.8, 0.25 + 0.2 * (0.7 * 0.9 - 0.8)),
        (0.25, 0.63, 0.25),  # the balance, L(G(z)) = gamma L(x), is where it rests
        (0.01, 0.9, 0.0),
        (0.99, 0.1, 1.0),
    ],
)
def test_k_moves_by_the_balance_and_stays_in_its_bounds(k, fake, after):
    discriminator = toys(k)["discriminator"]
    seen = discriminator.balance(jnp.float32(0.9), jnp.float32(fake), 0.7, 0.2)
    np.testing.assert_allclose(discriminator.k[...], after, atol=1e-7)
    np.testing.assert_allclose(seen["k"], k, atol=1e-7)  # the one that the loss had
    np.testing.assert_allclose(seen["convergence"], 0.9 + abs(0.63 - fake), atol=1e-6)


def test_training_by_hand(play):
    """Both descend, and k follows the errors that the discriminator had before it moved."""
    real, sgd = 1 + points(1, 6, 1, 8, 2), Optimizer(name="sgd", learning_rate=RATE)
    method = Toy(latent=2, gamma=GAMMA, k_rate=K_RATE, generator_optimizer=sgd, discriminator_optimizer=sgd)
    state = play(method, real, 6, 6)
    a, b, k, seen = A, B.astype(float), 0.0, set()
    for x in real[:, 0]:
        size, fake = abs(x).mean(), abs(b).mean()
        moved = k + K_RATE * (1 - a) * (GAMMA * size - fake)
        a, k = a - RATE * (-size + k * fake), np.clip(moved, 0, 1)
        b = b - RATE * (1 - a) / 2 * np.sign(b)
        seen.add(0 < k < 1)
    assert True in seen
    np.testing.assert_allclose(state.params["discriminator"]["encoder"]["a"], a, rtol=1e-5)
    np.testing.assert_allclose(state.params["generator"]["b"], b, rtol=1e-5)
    np.testing.assert_allclose(state.stats["discriminator"]["k"], k, rtol=1e-5)


def test_k_keeps_the_balance(play):
    """A generator that cannot move against an autoencoder that learns: k holds L(G(z)) near gamma L(x).

    The generator's error is (1 - a) mean |b|, that of the real examples (1 - a) mean |x|: only where their sizes have
    the ratio gamma does k rest; above it k falls to 0, and below it rises to 1.
    """
    still, sgd = Optimizer(name="sgd", learning_rate=1e-30), Optimizer(name="sgd", learning_rate=1e-6)
    real = 1 + points(2, 40, 1, 8, 2)
    ratio = float(abs(B).mean() / abs(real).mean())
    for gamma, expected in ((0.5 * ratio, 0.0), (min(1.0, 2 * ratio), 1.0)):
        method = Toy(latent=2, gamma=gamma, k_rate=1.0, generator_optimizer=still, discriminator_optimizer=sgd)
        assert play(method, real, 40, 40).stats["discriminator"]["k"] == expected


def test_devices_agree(evaluate, fresh, keys):
    """On k too, which is a mean over all of them."""
    networks = fresh(METHOD)
    one, two = (evaluate(METHOD.discriminator_loss, networks, points(0, 8, 2), keys(8), n) for n in (1, 2))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-6), one, two)
    assert one.stats["discriminator"]["k"] != 0


def test_the_fakes_are_fresh_samples(evaluate, fresh, compiled, keys):
    networks, x, k = fresh(METHOD), jnp.asarray(points(0, 8, 2)), keys(8)
    errors = compiled(lambda k: networks["discriminator"](METHOD.sample(networks, k)))(fold(k, 0))
    seen = evaluate(METHOD.discriminator_loss, networks, x, k)
    np.testing.assert_allclose(seen.metrics["fake_error"], errors.mean(), rtol=1e-5)


@pytest.mark.parametrize(("name", "value"), [("gamma", -0.1), ("gamma", 1.1), ("k_rate", -1.0), ("code", 0)])
def test_bad_settings_are_refused(name, value):
    with pytest.raises(Invalid, match=f"^{name}: {value} is not"):
        dataclasses.replace(METHOD, **{name: value})
