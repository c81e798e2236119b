"""The restricted Boltzmann machine as a method: its gradient, its persistent chains, its likelihood."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.data.feed import Batch
from genlab.errors import Invalid
from genlab.kernels.annealing import log_mean
from genlab.kernels.boltzmann import gibbs, log_pseudo_likelihood, score_matching
from genlab.kernels.random import fold
from genlab.methods.rbm import PSEUDO, RBM
from genlab.parts.gibbs import Gibbs
from genlab.parts.machine import VisibleUnits
from genlab.parts.optimizer import Optimizer
from genlab.train.state import Game
from genlab.train.validate import make_validation

IMAGE = (2, 2, 1)
CD, PCD = RBM(latent=3), RBM(latent=3, persistent=True, chains=8, gibbs=Gibbs(k=2))
GAUSSIAN = RBM(latent=3, visible=VisibleUnits("gaussian", 0.5))
STATES = jnp.asarray(list(itertools.product([-1.0, 1.0], repeat=4))).reshape(16, *IMAGE)
chains = jax.jit(gibbs, static_argnums=3)


def images(seed=0, n=8):
    return jnp.asarray(np.random.default_rng(seed).uniform(-1, 1, (n, *IMAGE)), jnp.float32)


def stirred(networks, seed=0, size=1.0):
    """Networks with parameters that are not small."""
    rng, model = np.random.default_rng(seed), networks["machine"]
    for parameter in (model.weights, model.visible, model.hidden):
        parameter[...] = jnp.asarray(size * rng.normal(size=parameter.shape), jnp.float32)
    return networks


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def statistics(e, v):
    """Means of v h, v and h, with the hidden units' means; Hinton (2010), eq. 9."""
    v = np.asarray(v)
    s = e.scale or 1
    h = sigmoid(v / s @ e.weights + e.hidden)
    own = v if e.scale is None else (v - np.asarray(e.visible)) / s**2
    return {"weights": v.T / s @ h / len(v), "visible": own.mean(0), "hidden": h.mean(0)}


@pytest.mark.parametrize("method", [CD, GAUSSIAN], ids=["binary", "gaussian"])
def test_the_gradient_is_that_of_contrastive_divergence(evaluate, fresh, keys, method):
    """<v h>_chains - <v h>_data with chains of k steps from the data."""
    networks, x = stirred(fresh(method, IMAGE)), images()
    e = networks["machine"].energy
    v = x.reshape(8, 4) if method is GAUSSIAN else (x.reshape(8, 4) + 1) / 2
    end = np.asarray(chains(e, jnp.asarray(v), keys(8), 1))
    on_data, on_chains = statistics(e, v), statistics(e, end)
    seen = evaluate(method.loss, networks, x, keys(8))
    for name, gradient in seen.grads["machine"].items():
        np.testing.assert_allclose(gradient, on_chains[name] - on_data[name], atol=1e-5)
    reconstruction = np.asarray(method.reconstruct(networks, x))
    np.testing.assert_allclose(seen.metrics["rmse"], ((reconstruction - x) ** 2).mean() ** 0.5, rtol=1e-5)


def test_persistent_chains_go_on_where_they_were(evaluate, fresh, keys):
    """From 0 and then from where the first play left them, whatever the data; k steps in each."""
    networks = stirred(fresh(PCD, IMAGE))
    e, start = networks["machine"].energy, jnp.zeros((8, 4))
    first = chains(e, start, keys(8, 1), 2)
    second = chains(e, first, keys(8, 2), 2)
    for seed, expected in ((1, first), (2, second)):
        seen = evaluate(PCD.loss, networks, images(seed), keys(8, seed))
        np.testing.assert_array_equal(seen.stats["chains"]["visible"], expected)
        networks["chains"].visible[...] = seen.stats["chains"]["visible"]
    assert (np.asarray(first) != np.asarray(second)).any()
    v = (images(2).reshape(8, 4) + 1) / 2
    expected = statistics(e, np.asarray(second))["weights"] - statistics(e, v)["weights"]
    np.testing.assert_allclose(seen.grads["machine"]["weights"], expected, atol=1e-5)


def test_devices_agree_and_each_knows_all_chains(evaluate, fresh, keys):
    networks = stirred(fresh(PCD, IMAGE))
    networks["chains"].visible[...] = jnp.asarray((images(3).reshape(8, 4) > 0), jnp.float32)
    one, *others = (evaluate(PCD.loss, networks, images(), keys(8), n) for n in (1, 2, 4))
    for many in others:
        np.testing.assert_array_equal(many.stats["chains"]["visible"], one.stats["chains"]["visible"])
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, many)


def test_a_smaller_batch_moves_the_first_chains_only(evaluate, fresh, keys):
    networks = stirred(fresh(PCD, IMAGE))
    seen = evaluate(PCD.loss, networks, images(n=4), keys(4))
    kept = np.asarray(seen.stats["chains"]["visible"])
    np.testing.assert_array_equal(kept[:4], chains(networks["machine"].energy, jnp.zeros((4, 4)), keys(4), 2))
    assert not kept[4:].any()
    assert kept[:4].any()


def test_a_batch_needs_as_many_chains(evaluate, fresh, keys):
    with pytest.raises(Invalid, match="method.chains: 8 is not at least data.batch_size"):
        evaluate(PCD.loss, fresh(PCD, IMAGE), images(n=16), keys(16), 2)


def test_hidden_and_visible_means(fresh):
    """encode gives p(h = 1 | v), decode 2 p(v = 1 | h) - 1, in [-1, 1]."""
    networks, x = stirred(fresh(CD, IMAGE)), images()
    e = networks["machine"].energy
    z = CD.encode(networks, x)
    np.testing.assert_allclose(z, sigmoid((x.reshape(8, 4) + 1) / 2 @ e.weights + e.hidden), atol=1e-5)
    y = CD.decode(networks, z)
    np.testing.assert_allclose(y, (2 * sigmoid(z @ e.weights.T + e.visible) - 1).reshape(8, *IMAGE), atol=1e-5)


def test_gaussian_means_are_clipped_for_images_only(fresh):
    networks, x = stirred(fresh(GAUSSIAN, IMAGE), size=2), images()
    e = networks["machine"].energy
    z = GAUSSIAN.encode(networks, x)
    np.testing.assert_allclose(z, sigmoid(x.reshape(8, 4) / 0.5 @ e.weights + e.hidden), atol=1e-5)
    means = e.visible + 0.5 * z @ e.weights.T
    assert abs(means).max() > 1
    np.testing.assert_allclose(GAUSSIAN.decode(networks, z).reshape(8, 4), np.clip(means, -1, 1), atol=1e-5)
    networks = stirred(fresh(GAUSSIAN, (2,)), size=2)
    e = networks["machine"].energy
    np.testing.assert_allclose(GAUSSIAN.decode(networks, z), e.visible + 0.5 * z @ e.weights.T, atol=1e-5)


def test_bits_for_points_are_refused(fresh):
    with pytest.raises(Invalid, match="method.visible.kind: 'binary' is not for points: use gaussian"):
        fresh(CD, (2,))


def test_the_likelihood_sums_to_one(fresh, compiled, keys):
    """exp(log_weight) summed over all images is Z, which the annealed runs find; the keys do not matter."""
    networks = stirred(fresh(CD, IMAGE))
    weights = compiled(lambda k: CD.log_weight(networks, STATES, k))
    np.testing.assert_array_equal(weights(keys(16)), weights(keys(16, 1)))
    value, error = log_mean(jax.jit(lambda k: CD.log_partition(networks, k))(keys(200)))
    exact = np.logaddexp.reduce(np.asarray(weights(keys(16)), np.float64))
    assert abs(value - exact) < min(0.1, 5 * error)


def test_samples_are_the_model(fresh, keys):
    """The mean of 4,000 samples, each a mean given its hidden units, is the mean of all images under the model."""
    networks = stirred(fresh(CD, IMAGE))
    p = np.exp(np.asarray(CD.log_weight(networks, STATES, keys(16)), np.float64))
    drawn = jax.jit(lambda k: CD.sample(networks, k))(keys(4000))
    np.testing.assert_allclose(np.mean(drawn, 0), np.tensordot(p / p.sum(), STATES, 1), atol=0.08)  # 5 standard errors


@pytest.mark.parametrize("persistent", [False, True])
def test_it_learns_which_pixels_agree(play, fresh, keys, persistent):
    """Two pairs of pixels, each alike nine times in ten: KL(data || model) falls from 0.75 nats to below 0.05."""
    falling = Optimizer("sgd", learning_rate=1.0, schedule="linear")
    method = RBM(latent=4, persistent=persistent, chains=32, optimizer=falling)
    rng = np.random.default_rng(0)
    first, alike = rng.integers(0, 2, (800, 1, 32, 2, 1, 1)), rng.uniform(size=(800, 1, 32, 2, 1, 1)) < 0.9
    real = 2 * np.concatenate([first, np.where(alike, first, 1 - first)], -2).astype(np.float32) - 1
    codes = ((real.reshape(-1, 4) + 1) / 2 @ [8, 4, 2, 1]).astype(int)
    p = np.bincount(codes, minlength=16) / len(codes)
    networks = fresh(method, IMAGE)

    def divergence():
        weights = np.asarray(method.log_weight(networks, STATES, keys(16)), np.float64)
        return (p * (np.log(p) - weights + np.logaddexp.reduce(weights))).sum()

    before = divergence()
    for name, value in play(method, real, 800, 800).params["machine"].items():
        getattr(networks["machine"], name)[...] = value
    assert before > 0.7
    assert divergence() < 0.05


@pytest.mark.parametrize("method", [CD, GAUSSIAN], ids=["binary", "gaussian"])
def test_the_monitor_is_no_reconstruction_error(evaluate, fresh, keys, method):
    """Held out the pseudo-likelihood of all bits, in training that of one; of Gaussian units score matching."""
    networks, x = stirred(fresh(method, IMAGE)), images()
    e, name = networks["machine"].energy, method.monitor.removeprefix("validation/model/")
    held_out, training = (
        evaluate(lambda *a, turn=turn: method.loss(*a, turn), networks, x, keys(8)).metrics for turn in (None, 0)
    )
    if method is GAUSSIAN:
        assert name == "score_matching"
        expected = score_matching(e, x.reshape(8, 4)).mean()
        np.testing.assert_allclose(training[name], expected, rtol=1e-5)
    else:
        assert name == "negative_pseudo_likelihood"
        v = (x.reshape(8, 4) + 1) / 2
        expected = -log_pseudo_likelihood(e, v, keys(8), 4).mean()
        stream = fold(keys(8), PSEUDO)
        np.testing.assert_allclose(training[name], -log_pseudo_likelihood(e, v, stream, 1).mean(), rtol=1e-5)
    np.testing.assert_allclose(held_out[name], expected, rtol=1e-5)
    np.testing.assert_allclose(held_out["free_energy"], -method.log_weight(networks, x, keys(8)).mean(), rtol=1e-5)
    assert method.gap == "model/free_energy"


def test_a_machine_that_copies_is_not_the_best():
    """Hinton's warning: one unit of strong weights to each pixel reconstructs all and knows nothing of the data.

    A machine of no weights and the data's biases has the greater error, and the greater likelihood of pixels that are
    white one time in ten.
    """
    method = RBM(latent=4)
    v = (np.random.default_rng(0).uniform(size=(500, 4)) < 0.1).astype(np.float32)
    x = jnp.asarray(2 * v - 1).reshape(-1, *IMAGE)
    game = Game(method, IMAGE, 0, 1)
    validate = make_validation(game, Batch(x[None], jnp.zeros((1, 500), jnp.int32)))
    state = game.init()
    copier = {"weights": 20 * jnp.eye(4), "visible": jnp.full(4, -10.0), "hidden": jnp.full(4, -10.0)}
    knower = {"weights": jnp.zeros((4, 4)), "visible": jnp.full(4, np.log(1 / 9)), "hidden": jnp.zeros(4)}
    seen = [validate(dataclasses.replace(state, params={"machine": p})) for p in (copier, knower)]
    error, surprise = ([float(s[name]) for s in seen] for name in ("validation/model/rmse", method.monitor))
    assert error[0] < 0.1 < 0.5 < error[1]
    entropy = -4 * (0.1 * np.log(0.1) + 0.9 * np.log(0.9))
    assert abs(surprise[1] - entropy) < 0.15 < 0.5 < surprise[0] - surprise[1]
