"""Perceptual path lengths that are known, and one that is measured by finite steps."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.evaluate.evaluator import Evaluator, Run, Settings
from genlab.evaluate.extractors import Pixels
from genlab.evaluate.smoothness import path_length
from genlab.kernels.random import example_keys, fold, uniform
from genlab.latent.paths import slerp
from genlab.methods.wgan_gp import WGANGP
from genlab.model import Model
from genlab.nn.net import Net
from genlab.train.state import Game, stream


@dataclasses.dataclass(frozen=True)
class Linear(WGANGP):
    """Decodes to the latent itself, as a tenth of an image's brightness."""

    latent: int = 4

    def decode(self, networks, z, labels=None):
        return z.reshape(-1, 2, 2, 1) / 10


@pytest.fixture
def linear(tiny):
    method = Linear(generator=tiny("wgan_gp").method.generator)
    game = Game(method, (8, 8, 1), 0, 1)
    return Model(dataclasses.replace(tiny("wgan_gp"), method=method), (2, 2, 1), game, game.init(), True)


def test_a_linear_decoder(linear):
    """The squared speed of each arc, by its angle and norms; pixels of [-1, 1] become [0, 1] and so halve."""
    n = 500
    found = path_length(linear, Pixels(), n)["path_length"]
    keys = example_keys(stream(0, "smoothness"), jnp.arange(n))
    a, b = (np.asarray(linear.method.draw_latents({}, fold(keys, i)), np.float64) for i in (1, 2))
    t, (r, s) = np.asarray(uniform(fold(keys, 3))), (np.linalg.norm(z, axis=1) for z in (a, b))
    angle = np.arccos((a * b).sum(1) / r / s)
    speed = angle**2 * ((1 - t) * r + t * s) ** 2 + (s - r) ** 2
    np.testing.assert_allclose(found, speed.mean() / 400, rtol=1e-4)


def test_a_network_by_finite_steps(untrained):
    """Central differences of 1e-2 along each arc, of a network without bends."""
    model, n = untrained("wgan_gp", (8, 8, 1), method={"generator": Net(width=8, activation="silu")}), 40
    keys = example_keys(stream(0, "smoothness"), jnp.arange(n))
    a, b = (model.method.draw_latents({}, fold(keys, i)) for i in (1, 2))
    t = uniform(fold(keys, 3))

    def at(t):
        return model.decode(np.asarray(jax.vmap(lambda a, b, t: slerp(a, b, t[None])[0])(a, b, t))) / 2

    steps = np.square(at(t + 5e-3) - at(t - 5e-3)).sum((1, 2, 3)) / 1e-4
    np.testing.assert_allclose(path_length(model, Pixels(), n)["path_length"], steps.mean(), rtol=1e-3)


def test_it_is_a_metric_with_a_stamp(untrained, tmp_path):
    model = untrained("wgan_gp", (8, 8, 1))
    evaluator = Evaluator(model.config.data, Settings(metrics=("smoothness",), n=20))
    (result,) = evaluator.evaluate_run(Run(tmp_path, model))
    assert result.scores.keys() == {"path_length"} and math.isfinite(result.scores["path_length"])
    assert (result.stamp.extractor, result.stamp.n_generated) == ("classifier", 20)
