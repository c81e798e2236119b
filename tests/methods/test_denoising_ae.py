"""The denoising autoencoder: corrupted in, clean out."""

import dataclasses

import jax
import numpy as np
import pytest

from genlab.kernels.corruption import Corruption, corrupt
from genlab.methods.ae import AE
from genlab.nn.net import Net

SMALL = Net(width=4, depth=1)
METHOD = AE(latent=2, encoder=SMALL, decoder=SMALL, corruption=Corruption(level=0.5))
SHAPES = {"image": (2, 2, 1), "points": (2,)}


def examples(shape):
    return np.random.default_rng(0).uniform(-1, 1, (8, *shape)).astype(np.float32)


@pytest.mark.parametrize("kind", ["masking", "gaussian"])
@pytest.mark.parametrize("data", SHAPES)
def test_the_loss_is_the_error_against_the_clean_example(evaluate, compiled, fresh, keys, kind, data):
    method = dataclasses.replace(METHOD, corruption=Corruption(kind, 0.5))
    networks, x, k = fresh(method, SHAPES[data]), examples(SHAPES[data]), keys(8)
    blank = {"image": -1.0, "points": 0.0}[data]

    def corrupted(x, k):
        y = corrupt(x, k, method.corruption, blank)
        return y, method.reconstruct(networks, y)

    y, decoded = (np.asarray(a) for a in compiled(corrupted)(x, k))
    seen = evaluate(method.loss, networks, x, k)
    np.testing.assert_allclose(seen.loss, ((x - decoded) ** 2).reshape(8, -1).sum(1).mean(), rtol=1e-5)
    assert abs(seen.loss - ((y - decoded) ** 2).reshape(8, -1).sum(1).mean()) > 0.05  # planted: the corrupted target


def test_without_corruption_it_is_the_autoencoder(evaluate, fresh, keys):
    clean = dataclasses.replace(METHOD, corruption=Corruption("gaussian", 0.0))
    plain, x = AE(latent=2, encoder=SMALL, decoder=SMALL), examples(SHAPES["image"])
    networks = fresh(plain, SHAPES["image"])
    jax.tree.map(
        np.testing.assert_array_equal,
        evaluate(clean.loss, networks, x, keys(8)),
        evaluate(plain.loss, networks, x, keys(8)),
    )


def test_devices_agree(evaluate, fresh, keys):
    networks, x = fresh(METHOD, SHAPES["image"]), examples(SHAPES["image"])
    one, two = (evaluate(METHOD.loss, networks, x, keys(8), n) for n in (1, 2))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, two)
