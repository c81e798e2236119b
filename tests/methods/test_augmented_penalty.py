"""Penalties of images that are augmented: slopes by the original image, through the augmentation, or by the other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.kernels.augment import augment
from genlab.kernels.penalty import Penalty, interpolate, origins
from genlab.kernels.random import fold
from genlab.methods.gan import GAN
from genlab.methods.wgan_gp import WGANGP
from genlab.nn.net import Net
from genlab.parts.adversarial import AUGMENT_FAKE, AUGMENT_REAL, FAKE, PENALTY

SHAPE, KINDS = (4, 4, 1), ("color", "translation", "cutout")
W = np.random.default_rng(3).normal(size=SHAPE).astype(np.float32)
NET = Net(width=4, depth=1)


class Quadratic(nnx.Module):
    """D(x) = w x + curvature |x|^2 / 2."""

    def __init__(self, curvature):
        self.w, self.curvature = nnx.Param(jnp.asarray(W)), curvature

    def __call__(self, x, labels=None):
        return ((self.w[...] * x).sum((1, 2, 3)) + self.curvature * jnp.square(x).sum((1, 2, 3)) / 2)[:, None]


class Spread(nnx.Module):
    """G(z) = z, as an image."""

    def __call__(self, z, labels=None):
        return z.reshape(-1, *SHAPE)


def slopes_seen(evaluate, keys, curvature=0.0, kind=GAN, **penalty):
    """Mean and deviation of the slopes of a batch of 6, with its examples and keys."""
    opponent = "critic" if kind is WGANGP else "discriminator"
    spec = Penalty(**{"weight": 1.0, "target": 0.0} | penalty)
    method = kind(latent=16, generator=NET, penalty=spec, augment=KINDS, **{opponent: NET})
    networks = {"generator": Spread(), opponent: Quadratic(curvature)}
    real, k = np.random.default_rng(0).uniform(-1, 1, (6, *SHAPE)).astype(np.float32), keys(6)
    seen = evaluate(getattr(method, f"{opponent}_loss"), networks, real, k)
    fake = method.sample(networks, fold(k, FAKE))
    return np.array([seen.metrics["slope_mean"], seen.metrics["slope_std"]]), (jnp.asarray(real), fake, k, spec)


def jacobians(keys):
    """Of the augmentation, which is affine, for each key: what it makes of every unit image, less what of nothing."""
    units = jnp.concatenate([jnp.zeros((1, 16)), jnp.eye(16)]).reshape(17, *SHAPE)
    seen = jax.vmap(lambda key: augment(units, jnp.broadcast_to(key, 17), KINDS))(keys).reshape(-1, 17, 16)
    return np.asarray(seen[:, 1:] - seen[:, :1], np.float64)


@pytest.mark.parametrize("kind", [GAN, WGANGP])
@pytest.mark.parametrize("where", ["real", "fake", "both", "interpolated", "mixed", "dragan"])
def test_a_linear_critic_in_closed_form(evaluate, keys, where, kind):
    """Slope |J w| by the original image, J that of the change its own loss has seen; |w| by the augmented one."""
    seen, (_, _, k, spec) = slopes_seen(evaluate, keys, kind=kind, where=where)
    changes = origins(fold(k, AUGMENT_REAL), fold(k, AUGMENT_FAKE), fold(k, PENALTY), spec)
    expected = np.linalg.norm(jacobians(changes) @ W.reshape(16), axis=1)
    np.testing.assert_allclose(seen, [expected.mean(), expected.std()], rtol=1e-4)
    assert expected.std() > 0.1 * np.linalg.norm(W)
    other, _ = slopes_seen(evaluate, keys, kind=kind, where=where, gradient="augmented")
    np.testing.assert_allclose(other, [np.linalg.norm(W), 0], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("gradient", ["original", "augmented"])
def test_slopes_are_finite_differences(evaluate, keys, gradient):
    """Of D(T(x)) at points between real and fake images that are then changed, or of D(x) between changed ones.

    D is quadratic and T affine, so that central differences are exact but for rounding.
    """
    seen, (real, fake, k, _) = slopes_seen(evaluate, keys, curvature=0.7, where="interpolated", gradient=gradient)
    critic, change = Quadratic(0.7), fold(k, AUGMENT_REAL)
    if gradient == "original":
        x = interpolate(real, fake, fold(k, PENALTY))
    else:
        x = interpolate(augment(real, change, KINDS), augment(fake, fold(k, AUGMENT_FAKE), KINDS), fold(k, PENALTY))

    def score(x):
        return critic(augment(x, change, KINDS) if gradient == "original" else x)[:, 0]

    steps = 0.5 * jnp.eye(16).reshape(16, 1, *SHAPE)
    slopes = np.linalg.norm([score(x + step) - score(x - step) for step in steps], axis=0)
    np.testing.assert_allclose(seen, [slopes.mean(), slopes.std()], rtol=1e-3)


def test_without_augmentation_both_are_the_same(evaluate, fresh, keys):
    """Bit for bit, the gradient of the loss included."""
    x, seen = np.random.default_rng(0).uniform(-1, 1, (6, *SHAPE)).astype(np.float32), []
    for gradient in ("original", "augmented"):
        spec = Penalty(where="both", target=0.0, gradient=gradient)
        method = GAN(latent=2, generator=NET, discriminator=Net(width=4, depth=1, activation="silu"), penalty=spec)
        seen.append(evaluate(method.discriminator_loss, fresh(method, SHAPE), x, keys(6)))
    jax.tree.map(np.testing.assert_array_equal, *seen)
