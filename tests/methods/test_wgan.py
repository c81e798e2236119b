"""Weight clipping against Algorithm 1 of the paper, followed by hand."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.errors import Invalid
from genlab.methods.wgan import WGAN
from genlab.nn.net import Net
from genlab.parts.optimizer import Optimizer

W, B, CLIP, RATE = np.array([0.05, -0.12], np.float32), np.array([0.3, 0.4], np.float32), 0.1, 0.05


class Linear(nnx.Module):
    """D(x) = w x."""

    def __init__(self, w):
        self.w = nnx.Param(jnp.asarray(w))

    def __call__(self, x, labels=None):
        return (x @ self.w[...])[:, None]


class Point(nnx.Module):
    """G(z) = b."""

    def __init__(self, b):
        self.b = nnx.Param(jnp.asarray(b))

    def __call__(self, z, labels=None):
        return jnp.broadcast_to(self.b[...], (len(z), 2))


@dataclass(frozen=True)
class Toy(WGAN):
    """A linear critic against a generator of one point."""

    def networks(self, shape, rngs):
        return {"generator": Point(B), "critic": Linear(W)}


def test_training_clips_after_every_update(play):
    """Descent on w (b - mean x), clipped each time; then b climbs along the clipped w."""
    sgd = Optimizer(name="sgd", learning_rate=RATE)
    real = np.random.default_rng(0).normal(size=(3, 2, 8, 2)).astype(np.float32) + 1
    method = Toy(latent=2, critic_optimizer=sgd, generator_optimizer=sgd, n_critic=2, clip=CLIP)
    state = play(method, real, 3, 3)
    w, b, reached = W.astype(float), B.astype(float), False
    for batches in real:
        for x in batches:
            moved = w - RATE * (b - x.mean(0))
            w = np.clip(moved, -CLIP, CLIP)
            reached |= bool((moved != w).any())
        b = b + RATE * w
    assert reached
    np.testing.assert_allclose(state.params["critic"]["w"], w, rtol=1e-5)
    np.testing.assert_allclose(state.params["generator"]["b"], b, rtol=1e-5)


def test_the_loss_is_minus_the_distance(evaluate, fresh, keys):
    small = Net(width=4, depth=1)
    method = WGAN(latent=2, generator=small, critic=small)
    x = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
    seen = evaluate(method.critic_loss, fresh(method), x, keys(8))
    np.testing.assert_allclose(seen.loss, -seen.metrics["wasserstein"], rtol=1e-6)
    assert max(abs(g).max() for g in jax.tree.leaves(seen.grads["generator"])) == 0


def test_something_must_bound_the_slopes():
    """Clipping or spectral norm, and what either cannot work with is refused."""
    with pytest.raises(Invalid, match="^clip: 0.0 is not above 0, and without critic.spectral nothing else bounds"):
        WGAN(clip=0.0)
    with pytest.raises(Invalid, match="^clip: 0.01 is not 0: under critic.spectral"):
        WGAN(critic=Net(spectral=True))
    with pytest.raises(Invalid, match="^critic.norm: 'layer' is not none: "):
        WGAN(critic=Net(spectral=True, norm="layer"), clip=0.0)
    clipped, spectral = WGAN().players()[0], WGAN(critic=Net(spectral=True), clip=0.0).players()[0]
    assert clipped.project is not None and spectral.project is None
