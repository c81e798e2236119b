"""The stacked autoencoder: which layer moves when, and what it learns to reconstruct."""

import dataclasses

import jax
import numpy as np
import pytest

from genlab.errors import Invalid
from genlab.kernels.corruption import Corruption, corrupt
from genlab.methods.ae import AE
from genlab.methods.stacked_ae import StackedAE
from genlab.nn.net import Net

SMALL = Net(width=4, depth=2)
METHOD = StackedAE(latent=3, encoder=SMALL, decoder=SMALL, phase=2)
IMAGE = (2, 2, 1)
LAYERS = 3


def images(*shape):
    return np.random.default_rng(0).uniform(-1, 1, (*shape, *IMAGE)).astype(np.float32)


def moved(before, after):
    """Which layers of encoder and decoder differ."""
    layers = {}
    for name in ("encoder", "decoder"):
        first, second = before[name]["layers"]["layers"], after[name]["layers"]["layers"]
        differs = {k: jax.tree.leaves(jax.tree.map(lambda a, b: (a != b).any(), first[k], second[k])) for k in first}
        assert all(all(d) == any(d) for d in differs.values())  # a layer moves with its bias or not at all
        layers[name] = [k for k in sorted(differs) if any(differs[k])]
    return layers["encoder"], layers["decoder"]


def test_every_layer_has_its_phase_and_then_all_move(play):
    """Of two layers, each 2 iterations long; the codes are fitted in fine-tuning alone."""
    shallow = Net(width=4, depth=1)
    method = dataclasses.replace(METHOD, encoder=shallow, decoder=shallow)
    start, first, second, tuned = (play(method, images(6, 3, 8), 6, n) for n in (0, 2, 4, 6))
    assert moved(start.params, first.params) == ([0], [1])
    assert moved(first.params, second.params) == ([1], [0])
    assert moved(second.params, tuned.params) == ([0, 1], [0, 1])
    np.testing.assert_array_equal(second.stats["codes"]["mean"], 0)
    assert abs(tuned.stats["codes"]["mean"]).min() > 0


@pytest.mark.parametrize("k", range(LAYERS))
def test_a_layer_reconstructs_what_the_layers_below_make(evaluate, compiled, fresh, keys, k):
    """By numpy from kernels and biases; the corruption is that of the layer's input, black in pixels and 0 in codes."""
    method = dataclasses.replace(METHOD, corruption=Corruption("masking", 0.5))
    networks, x, draws = fresh(method, IMAGE), images(8), keys(8)

    def affine(network, at, h):
        layer = networks[network].layers.layers[at]
        linear = layer if at == LAYERS - 1 else layer.layers[0]
        h = h @ np.asarray(linear.kernel[...]) + np.asarray(linear.bias[...])
        return h if at == LAYERS - 1 else np.maximum(h, 0)

    h = x
    for at in range(k):
        h = affine("encoder", at, h.reshape(8, -1))
    noisy = np.asarray(compiled(lambda h, d: corrupt(h, d, method.corruption, 0.0 if k else -1.0))(h, draws))
    y = affine("decoder", LAYERS - 1 - k, affine("encoder", k, noisy.reshape(8, -1)))
    y = y if k else np.tanh(y)
    seen = evaluate(lambda *a: method.layer_loss(k, *a), networks, x, draws)
    np.testing.assert_allclose(seen.loss, np.square(h.reshape(8, -1) - y).sum(1).mean(), rtol=1e-5)


def test_fine_tuning_is_the_plain_autoencoder(evaluate, fresh, keys):
    plain, x = AE(latent=3, encoder=SMALL, decoder=SMALL), images(8)
    networks = fresh(plain, IMAGE)
    noisy = dataclasses.replace(METHOD, corruption=Corruption(level=0.5))
    ours, theirs = (evaluate(method.loss, networks, x, keys(8)) for method in (noisy, plain))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_devices_agree(evaluate, fresh, keys):
    networks, x = fresh(METHOD, IMAGE), images(8)
    one, two = (evaluate(lambda *a: METHOD.layer_loss(1, *a), networks, x, keys(8), n) for n in (1, 2))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, two)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"phase": 0}, "phase: 0 is not at least 1"),
        ({"encoder": Net("dcgan")}, "encoder.backbone: 'dcgan' is not mlp: only its layers are trained singly"),
        ({"decoder": Net(depth=2)}, r"decoder: Net\(.*depth=2.*\) is not of the encoder's size"),
    ],
)
def test_bad_fields_are_named(changes, words):
    with pytest.raises(Invalid, match=f"^{words}$"):
        StackedAE(**changes)
