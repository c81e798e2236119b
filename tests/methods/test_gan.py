"""The non-saturating GAN against the cross-entropy, its optimum, and alternating descent followed by hand."""

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab import cli
from genlab.data.feed import Batch
from genlab.errors import Invalid
from genlab.kernels.penalty import Penalty, gradient_penalty
from genlab.kernels.random import fold
from genlab.losses.adversarial import LOSSES
from genlab.methods.gan import GAN
from genlab.nn.net import Net
from genlab.parts.course import Course
from genlab.parts.optimizer import Optimizer

SMALL = Net(width=4, depth=1)
METHOD = GAN(latent=2, generator=SMALL, discriminator=SMALL)
W, B = np.array([0.5, -1.2], np.float32), np.array([0.3, 0.4], np.float32)


class Linear(nnx.Module):
    """D(x) = w x."""

    def __init__(self, w):
        self.w = nnx.Param(jnp.asarray(w))

    def __call__(self, x, labels=None):
        return (x @ self.w[...])[:, None]


class Moved(nnx.Module):
    """G(z) = spread z + b; b is learnt."""

    def __init__(self, b, spread):
        self.b, self.spread = nnx.Param(jnp.asarray(b)), spread

    def __call__(self, z, labels=None):
        return self.spread * z + self.b[...]


@dataclass(frozen=True)
class Toy(GAN):
    """A linear logit against a generator of one point."""

    def networks(self, shape, rngs):
        return {"generator": Moved(B, 0.0), "discriminator": Linear(W)}


def toys(w=W, b=B, spread=0.0):
    return {"generator": Moved(b, spread), "discriminator": Linear(w)}


def points(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def scores(networks, x):
    return networks["discriminator"](x)[:, 0]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_losses_are_cross_entropies(evaluate, compiled, fresh, keys):
    networks, x, k = fresh(METHOD), points(0, 8, 2), keys(8)

    def outputs(x, k):
        return networks["discriminator"](x)[:, 0], networks["discriminator"](METHOD.sample(networks, k))[:, 0]

    real, fake = (sigmoid(np.asarray(logit, float)) for logit in compiled(outputs)(x, fold(k, 0)))
    seen = evaluate(METHOD.discriminator_loss, networks, x, k)
    np.testing.assert_allclose(seen.loss, -np.mean(np.log(real) + np.log(1 - fake)), rtol=1e-5)
    np.testing.assert_allclose(seen.metrics["accuracy"], np.mean([real > 0.5, fake < 0.5]))
    of_generator = evaluate(METHOD.generator_loss, networks, None, fold(k, 0)).loss
    np.testing.assert_allclose(of_generator, -np.mean(np.log(fake)), rtol=1e-5)


def test_an_undecided_discriminator_pays_two_log_two(evaluate, keys):
    undecided = toys(w=np.zeros(2, np.float32))
    assert np.isclose(evaluate(METHOD.discriminator_loss, undecided, points(0, 8, 2), keys(8)).loss, 2 * np.log(2))
    assert np.isclose(evaluate(METHOD.generator_loss, undecided, None, keys(8)).loss, np.log(2))


def test_the_best_logit_is_the_log_density_ratio(compiled, keys):
    """Goodfellow et al. (2014), proposition 1: for N(1, 1) against N(-1, 1) it is 2 x, where the loss has slope 0.

    The standard error of 4,000 draws is about 0.01, and the slopes at x and 4 x are far from 0 on either side.
    """
    batch, k = Batch(jnp.asarray(1 + points(0, 4000, 1)), jnp.zeros(4000, jnp.int32)), keys(4000)

    def loss(a):
        return GAN(latent=1).discriminator_loss(toys(a[None], -jnp.ones(1), 1.0), batch, k)[0]

    below, best, above = compiled(jax.vmap(jax.grad(loss)))(jnp.array([1.0, 2.0, 4.0]))
    assert abs(best) < 0.03
    assert below < -0.1 and above > 0.08


def test_the_generator_climbs_and_does_not_saturate(evaluate, keys):
    """Its gradient is -sigma(-logit) w: descent raises the logit, most where the discriminator is surest of a fake.

    The loss log(1 - D), planted, has the gradient -sigma(logit) w, which vanishes just there.
    """
    for far in (0.0, -20.0):
        b = far * W / (W @ W)  # its logit is `far`
        seen = evaluate(METHOD.generator_loss, toys(b=b), None, keys(8))
        np.testing.assert_allclose(seen.grads["generator"]["b"], -sigmoid(-far) * W, rtol=1e-5)
    assert np.linalg.norm(sigmoid(far) * W) < 1e-8


def test_training_alternates(play):
    """The discriminator descends on log-loss with the generator fixed, then the generator against the new one."""
    real = 1 + points(1, 3, 1, 8, 2)
    sgd = Optimizer(name="sgd", learning_rate=0.5)
    state = play(Toy(latent=2, generator_optimizer=sgd, discriminator_optimizer=sgd), real, 3, 3)

    def descent(*, together):
        w, b = W.astype(float), B.astype(float)
        for x in real[:, 0]:
            before = w
            w = w - 0.5 * (sigmoid(b @ w) * b - (sigmoid(-x @ w)[:, None] * x).mean(0))
            b = b + 0.5 * sigmoid(-b @ (before if together else w)) * (before if together else w)
        return w, b

    learnt = state.params["discriminator"]["w"], state.params["generator"]["b"]
    np.testing.assert_allclose(learnt, descent(together=False), rtol=1e-5)
    assert abs(np.subtract(learnt, descent(together=True))).max() > 1e-2  # both moved at once is another game


def test_devices_agree(evaluate, fresh, keys):
    """Batch norm is allowed here, in the discriminator too; its statistics are those of the whole batch."""
    method = GAN(latent=2, generator=SMALL, discriminator=Net(width=4, depth=1, norm="batch"))
    networks = fresh(method)
    one, two = (evaluate(method.discriminator_loss, networks, points(0, 8, 2), keys(8), n) for n in (1, 2))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), one, two)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_is_that_of_its_scores(evaluate, compiled, fresh, keys, loss):
    """Both players; relativistic averages are over the whole batch, so that two devices see what one does."""
    method = dataclasses.replace(METHOD, loss=loss)
    networks, x, k = fresh(method), jnp.asarray(points(0, 8, 2)), keys(8)
    real, fake = compiled(lambda k: [scores(networks, each) for each in (x, method.sample(networks, k))])(fold(k, 0))
    if loss == "relativistic_average":
        real, fake = real - fake.mean(), fake - real.mean()
    discriminator, generator = LOSSES[loss]
    batch = x if loss.startswith("relativistic") else None
    assert method.players()[1].real == (batch is not None)
    for player, expected, given, stream in (
        (method.discriminator_loss, discriminator, x, k),
        (method.generator_loss, generator, batch, fold(k, 0)),
    ):
        one, two = (evaluate(player, networks, given, stream, devices) for devices in (1, 2))
        np.testing.assert_allclose(one.loss, expected(real, fake).mean(), rtol=1e-4)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-6), one, two)


@pytest.mark.parametrize("where", ["real", "fake", "both", "dragan"])
def test_a_penalty_adds_to_the_loss(evaluate, fresh, keys, where):
    """What the kernel gives at the same points, in one loss; its gradient is the discriminator's alone."""
    penalty = Penalty(weight=3.0, where=where, target=0.0)
    method = dataclasses.replace(METHOD, penalty=penalty, discriminator=Net(width=4, depth=1, activation="silu"))
    networks, x, k = fresh(method), jnp.asarray(points(0, 8, 2)), keys(8)
    seen = evaluate(method.discriminator_loss, networks, x, k)
    plain = evaluate(dataclasses.replace(method, penalty=Penalty(weight=0.0)).discriminator_loss, networks, x, k)
    fake = method.sample(networks, fold(k, 0))
    expected = gradient_penalty(lambda x: scores(networks, x), x, fake, fold(k, 1), penalty)[0].mean()
    np.testing.assert_allclose(seen.loss, plain.loss + expected, rtol=1e-5)
    np.testing.assert_allclose(seen.metrics["penalty"], expected, rtol=1e-5)
    assert abs(max(abs(g).max() for g in jax.tree.leaves(seen.grads["generator"]))) == 0
    assert "penalty" not in plain.metrics


@pytest.mark.parametrize(("turn", "weight"), [(0, 0.5), (2, 0.3), (99, 0.1), (None, 0.1)])
def test_the_penalty_may_lose_weight(evaluate, keys, turn, weight):
    """R1 of a linear discriminator from weight 0.5 to 0.1 over two iterations of two turns; outside training 0.1."""
    penalty = Penalty(weight=0.5, where="real", target=0.0)
    method = GAN(latent=2, n_discriminator=2, penalty=penalty, penalty_course=Course(to=0.1, over=2))
    seen = evaluate(lambda *args: method.discriminator_loss(*args, turn), toys(), points(0, 8, 2), keys(8))
    np.testing.assert_allclose(seen.metrics["penalty"], weight * W @ W, rtol=1e-5)


def test_batch_norm_is_refused_under_a_penalty_only():
    norm = Net(norm="batch")
    assert GAN(discriminator=norm).penalised == ()
    with pytest.raises(Invalid, match="^discriminator.norm: 'batch' is not .*use layer or none$"):
        GAN(discriminator=norm, penalty=Penalty())
    with pytest.raises(Invalid, match="^penalty.share: 0.5 is not 1: dropout goes by an example's place"):
        GAN(discriminator=Net(dropout=0.5), penalty=Penalty(share=0.5))
    with pytest.raises(Invalid, match="^n_discriminator: 0 is not at least 1$"):
        GAN(n_discriminator=0)


@pytest.mark.parametrize("name", ["gan", "lsgan", "hinge_gan", "ragan", "cgan", "dragan", "r3gan", "sngan"])
def test_presets_keep_the_discriminator_from_learning_the_digits_by_heart(name):
    """By one means: dropout (Goodfellow et al. 2014, section 5), a gradient penalty or spectral norm."""
    method = cli.preset(name).method
    net = method.discriminator
    assert [net.dropout > 0, method.penalty.weight > 0, net.spectral].count(True) == 1
