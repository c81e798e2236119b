"""Where networks start that know the mean of the data: the last bias of Bernoulli decoders, visible biases."""

import contextlib
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.data import load
from genlab.data.feed import mean_example
from genlab.methods.ae import AE
from genlab.methods.dbn import DBN
from genlab.methods.rbm import RBM
from genlab.methods.vae import VAE
from genlab.nn.net import Net
from genlab.nn.network import decoder, last_bias
from genlab.parts.likelihood import Likelihood
from genlab.parts.machine import VisibleUnits
from genlab.parts.objective import Objective
from genlab.parts.pixels import log_odds
from genlab.train.loop import prepare
from genlab.train.state import Game

SMALL = Net(width=4, depth=1)
MACHINES = {RBM: ("machine",), DBN: ("machine_1", "machine_2")}
MEAN = np.random.default_rng(0).uniform(-0.9, 0.9, (8, 8, 3)).astype(np.float32)


def odds(mean):
    p = (np.asarray(mean, np.float64) + 1) / 2
    return np.log(p / (1 - p))


def centred(method, mean=MEAN):
    game = Game(method, mean.shape, 0, 1)
    assert game.centred
    state = game.init(jnp.asarray(mean))
    return game.merge(state.params, state.stats, train=False)


def test_log_odds():
    """The inverse of the mean of a pixel's likelihood; at most those of one in a thousand, as in the IWAE code."""
    np.testing.assert_allclose(log_odds(jnp.asarray(MEAN)), odds(MEAN), rtol=1e-5, atol=1e-6)
    far = np.log(0.001 / 0.999)
    np.testing.assert_allclose(log_odds(jnp.array([-1.0, 1.0, 0.0])), [far, -far, 0], rtol=1e-4)


@pytest.mark.parametrize(("norm", "classes"), [("none", 0), ("batch", 3)])
@pytest.mark.parametrize(("backbone", "depth"), [("mlp", 12), ("dcgan", 1), ("resnet", 1), ("densenet", 1)])
def test_the_last_bias_is_that_of_every_output(backbone, norm, depth, classes):
    """It shifts all outputs by as much: so it is the last layer's, of whatever backbone, and of any depth."""
    network = decoder(Net(backbone, width=4, depth=depth, norm=norm), 2, (8, 8, 3), nnx.Rngs(0), classes)
    network.eval()
    z, labels = jnp.asarray(np.random.default_rng(1).normal(size=(5, 2)), jnp.float32), jnp.arange(5) % 3
    before = network(z, labels)
    bias = last_bias(network)
    shift = jnp.linspace(-1, 1, bias.size)
    bias[...] = bias[...] + shift
    moved = (network(z, labels) - before).reshape(-1, bias.size)
    np.testing.assert_allclose(moved, jnp.broadcast_to(shift, moved.shape), atol=1e-5)


@pytest.mark.parametrize("objective", ["elbo", "iwae"])
def test_bernoulli_decoders_start_at_the_mean(objective):
    """Where the last weights say nothing a pixel is white as often as in the data; the gaussian stays at 0."""
    method = VAE(latent=2, encoder=SMALL, decoder=SMALL, objective=Objective(objective))
    networks = centred(method)
    np.testing.assert_allclose(last_bias(networks["decoder"])[...], odds(MEAN).reshape(-1), rtol=1e-5, atol=1e-5)
    assert not np.any(last_bias(networks["encoder"])[...])
    networks = centred(dataclasses.replace(method, likelihood=Likelihood("gaussian")))
    assert not np.any(last_bias(networks["decoder"])[...])


def test_a_convolution_starts_at_the_mean_of_its_channels():
    networks = centred(VAE(latent=2, encoder=SMALL, decoder=Net("dcgan", width=2)))
    np.testing.assert_allclose(last_bias(networks["decoder"])[...], odds(MEAN.mean((0, 1))), atol=1e-6)


@pytest.mark.parametrize("kind", MACHINES)
@pytest.mark.parametrize("visible", ["binary", "gaussian"])
def test_visible_biases_start_at_the_data(kind, visible):
    """Hinton (2010), section 8.1; without weights the machine over the data then has the data's means."""
    networks = centred(kind(latent=2, visible=VisibleUnits(visible)))
    first, *others = (networks[name] for name in MACHINES[kind])
    expected = odds(MEAN) if visible == "binary" else MEAN
    np.testing.assert_allclose(first.visible[...], expected.reshape(-1), rtol=1e-5, atol=1e-5)
    assert not any(np.any(model.visible[...]) for model in others)
    assert not np.any(first.hidden[...])


def test_averaged_weights_start_there_too_and_without_a_mean_all_biases_are_zero():
    game = Game(RBM(latent=2), MEAN.shape, 0, 1)
    state = game.init(jnp.asarray(MEAN))
    for weights in (state.params, state.ema["params"]):
        np.testing.assert_allclose(weights["machine"]["visible"], odds(MEAN).reshape(-1), rtol=1e-5, atol=1e-5)
    assert not np.any(game.init().params["machine"]["visible"])
    assert not Game(AE(latent=2, encoder=SMALL, decoder=SMALL), MEAN.shape, 0, 1).centred


@pytest.mark.parametrize(("devices", "memory"), [(1, 1024), (2, 1024), (1, 0)])
def test_a_run_starts_at_its_data(tiny, tmp_path, devices, memory):
    """The same on one device or two, resident or streamed."""
    config = tiny("rbm", parallel={"devices": devices}, data={"resident_mb": memory})
    with contextlib.ExitStack() as stack:
        _, state, _ = prepare(config, tmp_path, stack)
    mean = mean_example(load(config.data).train, config.data)
    bias = state.params["machine"]["visible"]
    np.testing.assert_array_equal(bias, jax.jit(log_odds)(jnp.asarray(mean)).reshape(-1))
    assert bias.min() < -6  # a pixel that is always black
