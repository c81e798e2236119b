"""Likelihoods whose truth is known, and latents whose activity is."""

import dataclasses
import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.data.feed import Batch
from genlab.errors import Invalid
from genlab.evaluate import inference
from genlab.kernels.random import normal
from genlab.losses.divergence import kl_normal
from genlab.losses.reconstruction import gaussian
from genlab.methods.dbn import DBN
from genlab.methods.game import Encoding, Player
from genlab.methods.ladder_vae import LadderVAE
from genlab.methods.rbm import RBM
from genlab.methods.vae import VAE
from genlab.methods.vae_gan import VAEGAN
from genlab.model import Model
from genlab.nn.layers import AXIS
from genlab.nn.net import Net
from genlab.parts.gibbs import Gibbs
from genlab.parts.likelihood import Likelihood
from genlab.parts.machine import VisibleUnits
from genlab.parts.prior import Prior
from genlab.train.state import Game


@dataclass(frozen=True)
class Linear(Encoding):
    """z ~ N(0, I), x | z ~ N(z, I), so that x ~ N(0, 2 I) and z | x ~ N(x / 2, I / 2); q may be that, or too wide."""

    sampling = ("nothing",)
    headline = ("model/loss", "model/loss")
    monitor = "none"
    latent: int = 2
    wide: float = 1.0
    observation = "gaussian"

    def networks(self, shape, rngs):
        return {"nothing": nnx.Linear(1, 1, rngs=rngs)}

    def players(self):
        return (Player("model", ("nothing",), lambda *_: (jnp.zeros(()), {}), VAE().optimizer),)

    def draw_latents(self, networks, keys):
        return normal(keys, (2,))

    def decode(self, networks, z, labels=None):
        return z

    def encode(self, networks, x, labels=None):
        return x / 2

    def log_weight(self, networks, x, keys, labels=None):
        variance = jnp.full_like(x, math.log(self.wide / 2))
        z = x / 2 + jnp.exp(variance / 2) * normal(keys, (2,))
        zero = jnp.zeros_like(x)
        return gaussian(z, x / 2, variance) - gaussian(z, zero, zero) - gaussian(x, z, zero)


@pytest.fixture
def model(tiny):
    """`model(method, shape)`: with first weights, for points or images."""

    def make(method, shape=(2,), **data):
        config = dataclasses.replace(tiny("vae", data=data), method=method)
        game = Game(method, shape, 0, 1)
        return Model(config, shape, game, game.init(), True)

    return make


POINTS = np.random.default_rng(0).normal(0, math.sqrt(2), (500, 2)).astype(np.float32)
IMAGES = np.random.default_rng(1).integers(0, 256, (40, 8, 8, 1), np.uint8)
TRUTH = -np.square(POINTS).sum(1) / 4 - math.log(4 * math.pi)


def test_with_the_true_posterior_every_bound_is_the_likelihood(model):
    found = inference.likelihood(model(Linear()), POINTS, 3)
    np.testing.assert_allclose([found["elbo"], found["log_likelihood"]], TRUTH.mean(), rtol=1e-5)
    np.testing.assert_allclose(found["log_likelihood_error"], TRUTH.std(ddof=1) / math.sqrt(500), rtol=1e-4)
    assert "bits_per_dimension" not in found


def test_with_another_posterior_more_draws_tighten_the_bound(model):
    """The ELBO is below by KL(q || posterior), the bounds come up to the truth."""
    wide = model(Linear(wide=2.0))
    kl = 2 * 0.5 * (2 - 1 - math.log(2))
    bounds = []
    for draws in (1, 10, 200):
        found = inference.likelihood(wide, POINTS, draws)
        assert abs(found["elbo"] - (TRUTH.mean() - kl)) < 4 / math.sqrt(500 * draws)
        bounds.append(found["log_likelihood"])
    assert bounds[0] < bounds[1] < bounds[2] <= TRUTH.mean() + 0.01
    assert abs(bounds[2] - TRUTH.mean()) < 0.01


@dataclass(frozen=True)
class Constant(Encoding):
    """The density of `Linear`, times Z = 7; one run in two of the estimates of Z gives 6, the others 8."""

    sampling = ("nothing",)
    headline = ("model/loss", "model/loss")
    monitor = "none"
    latent: int = 2
    networks = Linear.networks
    players = Linear.players
    decode = Linear.decode
    draw_latents = Linear.draw_latents
    encode = Linear.encode
    observation = "gaussian"
    wide: float = 1.0

    def log_weight(self, networks, x, keys, labels=None):
        return Linear.log_weight(self, networks, x, keys) + math.log(7)

    def log_partition(self, networks, keys):
        even = jnp.arange(len(keys)) % 2
        return jnp.log(6.0 + 2 * even)


def test_a_constant_that_is_estimated_is_taken_out(model):
    found = inference.likelihood(model(Constant()), POINTS, 2)
    np.testing.assert_allclose(found["log_partition"], math.log(7), rtol=1e-6)
    np.testing.assert_allclose(found["log_partition_error"], 1 / math.sqrt(127) / 7, rtol=1e-5)
    np.testing.assert_allclose([found["elbo"], found["log_likelihood"]], TRUTH.mean(), rtol=1e-4)


LIKELIHOOD = {"elbo", "log_likelihood", "log_likelihood_error"}
BITS = np.where(IMAGES > 127, 255, 0).astype(np.uint8)


def test_bits_per_dimension():
    """A density that is uniform on [-1, 1]^d gives each of 256 levels 8 bits."""
    np.testing.assert_allclose(inference.bits_per_dimension((8, 8, 1), 64 * math.log(0.5)), 8)


@pytest.mark.parametrize(
    ("likelihood", "data", "x", "names"),
    [
        ("gaussian", {"dequantise": True}, IMAGES, LIKELIHOOD | {"bits_per_dimension"}),
        ("gaussian", {}, IMAGES, LIKELIHOOD),
        ("bernoulli", {"binarise": True}, IMAGES, LIKELIHOOD),
        ("bernoulli", {}, BITS, LIKELIHOOD),
        ("bernoulli", {}, IMAGES, {"grey_cross_entropy", "grey_cross_entropy_error"}),
        ("bernoulli", {"dequantise": True}, BITS, {"grey_cross_entropy", "grey_cross_entropy_error"}),
    ],
    ids=["dequantised", "density", "dynamic", "static", "grey", "noisy bits"],
)
def test_every_number_has_the_name_of_what_it_is(model, likelihood, data, x, names):
    """Bits per dimension of dequantised levels alone; and no likelihood of grey levels from a method of bits."""
    net = Net(width=8, depth=1)
    vae = model(VAE(latent=2, likelihood=Likelihood(likelihood), encoder=net, decoder=net), (8, 8, 1), **data)
    assert inference.likelihood(vae, x, 2).keys() == names


def test_the_methods_of_bits_are_known():
    assert [m.observation for m in (VAE(), VAE(likelihood=Likelihood("gaussian")))] == ["bernoulli", "gaussian"]
    assert [m.observation for m in (RBM(), DBN(visible=VisibleUnits("gaussian")))] == ["bernoulli", "gaussian"]


def test_a_machine_says_no_likelihood_of_grey_levels(model):
    rbm = model(RBM(latent=4, gibbs=Gibbs(temperatures=10)), (8, 8, 1))
    grey = inference.likelihood(rbm, IMAGES, 1)
    assert grey.keys() == {"log_partition", "log_partition_error", "grey_cross_entropy", "grey_cross_entropy_error"}
    assert inference.likelihood(rbm, BITS, 1).keys() >= LIKELIHOOD


def _keys(draws):
    return jax.random.split(jax.random.key(3), (draws, len(IMAGES)))


def test_a_vaes_grey_cross_entropy_is_its_loss(model):
    vae = model(VAE(latent=3, encoder=Net(width=8), decoder=Net(width=8)), (8, 8, 1))
    found = inference.likelihood(vae, IMAGES, 300)
    networks = vae.game.sampling_networks(vae.state, ema=True)
    method, x = vae.game.method, jnp.asarray(IMAGES) / 127.5 - 1

    def loss(keys):
        return method.loss(networks, Batch(x, None), keys, None)[0]

    losses = [jax.vmap(loss, axis_name=AXIS)(keys[None])[0] for keys in _keys(20)]
    error = np.std(losses) / math.sqrt(20)
    assert 0 < error < 0.3
    assert abs(found["grey_cross_entropy"] - np.mean(losses)) < 4 * error


def test_reconstructions(model):
    """Points come back halved; images of a perfect code come back whole."""
    found = inference.reconstruction(model(Linear()), POINTS)
    np.testing.assert_allclose(found["mse"], np.square(POINTS / 2).mean(), rtol=1e-5)

    @dataclass(frozen=True)
    class Perfect(Linear):
        def encode(self, networks, x, labels=None):
            return x

    found = inference.reconstruction(model(Perfect(), (8, 8, 1)), IMAGES)
    assert found["mse"] < 1e-12 and abs(found["ssim"] - 1) < 1e-6


@dataclass(frozen=True)
class Four(Linear):
    """Of four units one follows x, one hardly, one is the prior's, one is the prior's but for 3 examples of 500."""

    latent: int = 4

    def posterior(self, networks, x, labels=None):
        rare = jnp.where(x[:, 0] >= np.sort(POINTS[:, 0])[-3], 3.0, 0.0)
        zero = jnp.zeros_like(rare)
        return jnp.stack([x[:, 0], 0.05 * x[:, 1], zero, rare], 1), jnp.stack([zero - 2, zero - 2, zero, zero], 1)

    def encode(self, networks, x, labels=None):
        return self.posterior(networks, x)[0]

    def divergences(self, networks, x, keys, labels=None):
        return kl_normal(*self.posterior(networks, x))


def test_active_and_collapsed_units(model):
    """The rare unit is active by its variance and collapsed by its share, as the two definitions have it."""
    assert inference.latents(model(Four()), POINTS) == {"active_units": 2, "collapsed_units": 2}
    assert inference.latents(model(Linear()), POINTS) == {"active_units": 2}


@pytest.mark.parametrize("make", [VAE, VAEGAN])
def test_units_of_a_posterior_are_measured_against_the_normal_prior(model, make):
    """By the formula of Kingma and Welling (2014), appendix B, with posteriors that are partly near the prior."""
    net = Net(width=8, depth=1)
    measured = model(make(latent=6, encoder=net, decoder=net), (8, 8, 1))
    networks = measured.networks(measured.state)
    x = jnp.asarray(IMAGES) / 127.5 - 1
    features = networks["encoder"](x)
    mean, log_variance = np.split(np.asarray(features), 2, axis=1)
    kl = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance)
    np.testing.assert_allclose(
        measured.game.method.divergences(networks, x, _keys(1)[0]),
        kl,
        rtol=1e-4,
        atol=1e-6,
    )
    collapsed = sum((unit > 0.01).mean() <= 0.01 for unit in kl.T)
    expected = {"active_units": (mean.var(0) > 0.01).sum(), "collapsed_units": collapsed}
    assert inference.latents(measured, IMAGES) == expected


def test_units_of_a_ladder_are_measured_against_their_own_priors(model):
    """Of 5 units the 3 of the lower layer, which see nothing, are what those above predict; KL as by the formula."""
    net = Net(width=8, depth=1)
    method = LadderVAE(
        latent=5, layers=(3, 2), likelihood=Likelihood("gaussian"), encoder=net, decoder=net, between=net
    )
    ladder = model(method)
    heads = ladder.state.params["ladder"]["seen"]
    heads[0] = {"kernel": 0 * heads[0]["kernel"], "bias": jnp.repeat(jnp.array([0.0, 1e30]), 3)}
    heads[1] = {"kernel": 3 * heads[1]["kernel"], "bias": jnp.array([0.0, 0.0, -4.0, -4.0])}
    ladder.state.ema["params"]["ladder"]["seen"] = heads
    assert inference.latents(ladder, POINTS) == {"active_units": 2, "collapsed_units": 3}


def test_a_prior_of_all_latents_together_collapses_none(model):
    """A mixture over all dimensions is not a prior of each."""
    vamp = model(
        VAE(
            likelihood=Likelihood("gaussian"),
            prior=Prior("vamp", components=3),
            encoder=Net(width=8),
            decoder=Net(width=8),
        )
    )
    assert inference.latents(vamp, POINTS).keys() == {"active_units"}


def test_methods_that_cannot_are_named(untrained):
    gan = untrained("gan", (8, 8, 1))
    for metric, f in (
        ("likelihood", lambda: inference.likelihood(gan, IMAGES, 1)),
        ("reconstruction", lambda: inference.reconstruction(gan, IMAGES)),
        ("latents", lambda: inference.latents(gan, IMAGES)),
    ):
        with pytest.raises(Invalid, match=f"metrics: {metric}; GAN .* leave it out"):
            f()
