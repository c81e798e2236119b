"""The deep belief network: who learns what when, the up-down gradients, the bound and the samples, by enumeration."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.errors import Invalid
from genlab.kernels.annealing import log_mean
from genlab.kernels.boltzmann import draw_hidden, draw_visible, free_energy, gibbs, log_pseudo_likelihood
from genlab.kernels.random import fold
from genlab.methods.dbn import DBN
from genlab.parts.belief import up_pass
from genlab.parts.machine import VisibleUnits
from genlab.parts.optimizer import Optimizer

IMAGE = (2, 2, 1)
METHOD = DBN(latent=2, hidden=(3,), phase=2, optimizer=Optimizer("sgd", learning_rate=0.1))
DEEP = DBN(latent=2, hidden=(3, 2), phase=2)


def states(n):
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)), np.float32)


IMAGES = jnp.asarray(2 * states(4).reshape(16, *IMAGE) - 1)


def images(seed=0, n=8):
    return jnp.asarray(np.random.default_rng(seed).uniform(-1, 1, (n, *IMAGE)), jnp.float32)


def stirred(networks, seed=0, size=0.7):
    """Networks with parameters that are not small, the ways up and down among them."""
    rng = np.random.default_rng(seed)
    for name in sorted(networks):
        model = networks[name]
        for parameter in (model.weights, model.visible, model.hidden):
            parameter[...] = jnp.asarray(size * rng.normal(size=parameter.shape), jnp.float32)
    return networks


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def given(means):
    """Probabilities of all states of bits with these means, (b, 2^n)."""
    s = states(means.shape[1])
    return np.prod(np.where(s[None] == 1, means[:, None], 1 - means[:, None]), 2)


def parts(networks):
    """The two ways of the layer below, and the top, as float64 arrays (weights, visible biases, hidden biases)."""

    def arrays(name):
        e = networks[name].energy
        return [np.asarray(p, np.float64) for p in (e.weights, e.visible, e.hidden)]

    tied = arrays("machine_1")
    up, down = ([a + b for a, b in zip(tied, arrays(way), strict=True)] for way in ("up_1", "down_1"))
    return up, down, arrays("machine_2")


def enumerate_all(networks):
    """p(v) of all v, Z of the top, and for all v, h: q(h|v) and w = Z p(v, h) / q(h|v)."""
    up, down, (w, b, c) = parts(networks)
    v, h = states(4), states(3)
    top = np.exp(h @ b + np.logaddexp(0, c + h @ w).sum(1))  # Z p(h)
    joint = given(sigmoid(h @ down[0].T + down[1])).T * top  # Z p(v, h), (v, h)
    q = given(sigmoid(v @ up[0] + up[2]))
    return joint.sum(1) / top.sum(), top.sum(), q, joint / q


def test_it_starts_as_greedy_training_leaves_it(fresh):
    """Before fine-tuning the ways up and down are those of the machine."""
    networks = fresh(METHOD, IMAGE)
    tied = jax.tree.leaves(networks["machine_1"].energy)
    for way in ("up", "down"):
        for parted, one in zip(jax.tree.leaves(METHOD.layers(networks, way)[0]), tied, strict=True):
            np.testing.assert_array_equal(parted, one)


def test_every_machine_learns_in_its_time(play):
    """Iterations 0, 1: the first machine; 2, 3: the second; from 4 on the top and the ways up and down."""
    real = np.sign(np.random.default_rng(0).normal(size=(6, 3, 8, *IMAGE))).astype(np.float32)
    runs = [play(METHOD, real, 6, n).params for n in (2, 4, 6)]
    assert not any(runs[0][name]["weights"].any() for name in ("up_1", "down_1"))
    assert runs[0]["machine_1"]["visible"].any()  # biases start at 0
    assert not runs[0]["machine_2"]["visible"].any()
    for before, after, movers in zip(
        runs[:-1], runs[1:], ({"machine_2"}, {"machine_2", "up_1", "down_1"}), strict=True
    ):
        moved = {name for name in before if (before[name]["weights"] != after[name]["weights"]).any()}
        assert moved == movers
    assert not runs[-1]["up_1"]["visible"].any()  # what a way does not use stays as it was
    assert not runs[-1]["down_1"]["hidden"].any()
    assert runs[-1]["up_1"]["hidden"].any()
    assert runs[-1]["down_1"]["visible"].any()


def test_greedy_training_is_contrastive_divergence_on_the_layer_below(evaluate, fresh, keys):
    networks, x, k = stirred(fresh(METHOD, IMAGE)), images(), keys(8)
    data = draw_hidden(METHOD.layers(networks, "up")[0], (x.reshape(8, 4) + 1) / 2, fold(fold(k, 0), 0))
    e = networks["machine_2"].energy
    end = np.asarray(gibbs(e, data, fold(k, 1), METHOD.gibbs.k))
    seen = evaluate(METHOD.players()[1].loss, networks, x, k).grads["machine_2"]

    def correlation(v):
        v = np.asarray(v)
        return v.T @ sigmoid(v @ e.weights + e.hidden) / 8

    np.testing.assert_allclose(seen["weights"], correlation(end) - correlation(data), atol=1e-5)
    np.testing.assert_allclose(seen["visible"], end.mean(0) - np.mean(data, 0), atol=1e-5)


def test_the_up_down_gradients(evaluate, fresh, keys):
    """Appendix B's delta rules: down on what rose from the data, up on what fell from the top, CD at the top."""
    networks, x, k = stirred(fresh(METHOD, IMAGE)), images(), keys(8)
    up, down, (w, _, c) = parts(networks)
    v = (x.reshape(8, 4) + 1) / 2
    wake = draw_hidden(METHOD.layers(networks, "up")[0], v, fold(fold(k, 0), 0))
    fantasy = gibbs(networks["machine_2"].energy, wake, fold(k, 1), METHOD.gibbs.k)
    fallen = draw_visible(METHOD.layers(networks, "down")[0], fantasy, fold(fold(k, 2), 0))
    wake, fantasy, fallen = (np.asarray(a, np.float64) for a in (wake, fantasy, fallen))
    seen = evaluate(METHOD.loss, networks, x, k).grads

    error = sigmoid(wake @ down[0].T + down[1]) - v
    np.testing.assert_allclose(seen["down_1"]["weights"], error.T @ wake / 8, atol=1e-5)
    np.testing.assert_allclose(seen["down_1"]["visible"], error.mean(0), atol=1e-5)
    error = sigmoid(fallen @ up[0] + up[2]) - fantasy
    np.testing.assert_allclose(seen["up_1"]["weights"], fallen.T @ error / 8, atol=1e-5)
    np.testing.assert_allclose(seen["up_1"]["hidden"], error.mean(0), atol=1e-5)
    pairs = [h.T @ sigmoid(h @ w + c) / 8 for h in (fantasy, wake)]
    np.testing.assert_allclose(seen["machine_2"]["weights"], pairs[0] - pairs[1], atol=1e-5)


def test_the_wake_phase_ascends_the_bound(evaluate, fresh, keys):
    """The way down has the gradient of -log_weight on the same draws."""
    networks, x, k = stirred(fresh(DEEP, IMAGE)), images(), keys(8)

    def bound(networks, batch, keys):
        return -DEEP.log_weight(networks, batch.x, fold(keys, 0)).mean(), {}

    ours, theirs = (evaluate(loss, networks, x, k).grads for loss in (DEEP.loss, bound))
    for name in ("down_1", "down_2"):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), ours[name], theirs[name])
        assert abs(ours[name]["weights"]).max() > 1e-3


def test_importance_weights_are_unbiased(fresh, keys, compiled):
    """E_q[exp(log_weight)] = Z p(v) and E_q[log_weight] <= log Z p(v): exactly, and as the method draws them."""
    networks, n = stirred(fresh(METHOD, IMAGE)), 4000
    p, z, q, w = enumerate_all(networks)
    np.testing.assert_allclose((q * w).sum(1), z * p, rtol=1e-6)
    x = jnp.repeat(IMAGES[5:6], n, 0)
    drawn = np.asarray(jax.jit(lambda k: METHOD.log_weight(networks, x, k))(keys(n)), np.float64)
    possible = np.log(w[5])
    assert abs(drawn[:, None] - possible).min(1).max() < 1e-4
    np.testing.assert_allclose(drawn.mean(), (q[5] * possible).sum(), atol=5 * drawn.std() / n**0.5)
    assert drawn.mean() < np.log(z * p[5])


def test_a_machine_and_its_mirror_are_the_machine_alone(fresh, keys):
    """Tied weights, and a top that is the machine upside down: p(v) is the machine's and q(h|v) exact, section 3.

    So the weight is -F(v) of the machine, whatever is drawn.
    """
    method = DBN(latent=4, hidden=(3,))
    networks = stirred(fresh(method, IMAGE))
    below, top = networks["machine_1"], networks["machine_2"]
    for name in ("up_1", "down_1"):
        for parameter in (networks[name].weights, networks[name].visible, networks[name].hidden):
            parameter[...] = jnp.zeros(parameter.shape)
    top.weights[...], top.visible[...], top.hidden[...] = below.weights[...].T, below.hidden[...], below.visible[...]
    w, b, c = (np.asarray(p[...], np.float64) for p in (below.weights, below.visible, below.hidden))
    v = states(4)
    expected = v @ b + np.logaddexp(0, c + v @ w).sum(1)
    for seed in (0, 1):
        np.testing.assert_allclose(method.log_weight(networks, IMAGES, keys(16, seed)), expected, atol=1e-4)


def test_the_partition_function_is_the_tops(fresh, keys):
    networks = stirred(fresh(METHOD, IMAGE))
    value, error = log_mean(jax.jit(lambda k: METHOD.log_partition(networks, k))(keys(200)))
    assert abs(value - np.log(enumerate_all(networks)[1])) < min(0.1, 5 * error)


def test_samples_are_the_model(fresh, keys):
    """The mean of 4,000 samples is that of all images under the model, within 5 standard errors."""
    networks = stirred(fresh(METHOD, IMAGE), size=1.5)
    drawn = jax.jit(lambda k: METHOD.sample(networks, k))(keys(4000))
    expected = np.tensordot(enumerate_all(networks)[0], IMAGES, 1)
    np.testing.assert_allclose(np.mean(drawn, 0), expected, atol=0.08)
    h = np.asarray(jax.jit(lambda k: METHOD.draw_latents(networks, k))(keys(50)))
    assert h.shape == (50, 2)
    assert set(np.unique(h)) <= {0, 1}


def test_means_go_up_and_down_through_all_layers(fresh):
    networks, x = stirred(fresh(DEEP, IMAGE)), images()
    up, down = ([*DEEP.layers(networks, way), networks["machine_3"].energy] for way in ("up", "down"))
    z = (x.reshape(8, 4) + 1) / 2
    for e in up:
        z = sigmoid(z @ e.weights + e.hidden)
    np.testing.assert_allclose(DEEP.encode(networks, x), z, atol=1e-5)
    y = z
    for e in reversed(down):
        y = sigmoid(y @ e.weights.T + e.visible)
    np.testing.assert_allclose(DEEP.decode(networks, DEEP.encode(networks, x)), 2 * y.reshape(8, *IMAGE) - 1, atol=1e-5)


def test_gaussian_units_over_points(evaluate, fresh, keys):
    """The distortion is -log N(v; b + s W h, s^2), its mean the decoded point."""
    method = DBN(latent=2, hidden=(3,), visible=VisibleUnits("gaussian", 0.5))
    networks, x, k = (
        stirred(fresh(method, (2,))),
        images()[:, 0, :, 0],
        keys(8),
    )
    _, (w, b, _), _ = parts(networks)
    wake = np.asarray(draw_hidden(method.layers(networks, "up")[0], x, fold(fold(k, 0), 0)), np.float64)
    square = ((x - b - 0.5 * wake @ w.T) ** 2).sum(1) / (2 * 0.25)
    seen = evaluate(method.loss, networks, x, k).metrics
    np.testing.assert_allclose(seen["distortion"], (square + 2 * np.log(0.5 * np.sqrt(2 * np.pi))).mean(), rtol=1e-5)


def test_devices_agree(evaluate, fresh, keys):
    networks = stirred(fresh(DEEP, IMAGE))
    one, two = (evaluate(DEEP.loss, networks, images(), keys(8), n) for n in (1, 2))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, two)


def test_a_network_without_layers_is_refused():
    with pytest.raises(Invalid, match="hidden"):
        DBN(hidden=())


def test_the_monitor_has_the_tops_pseudo_likelihood_in_place_of_its_likelihood(evaluate, fresh, keys):
    """And the free energy is minus the mean of log_weight, on the bits that rose in the loss."""
    networks, x, k = stirred(fresh(METHOD, IMAGE)), images(), keys(8)
    seen = evaluate(METHOD.loss, networks, x, k).metrics
    np.testing.assert_allclose(seen["free_energy"], -METHOD.log_weight(networks, x, fold(k, 0)).mean(), rtol=1e-5)
    wake = up_pass(METHOD.layers(networks, "up"), (x.reshape(8, 4) + 1) / 2, fold(k, 0))[-1]
    energy = networks["machine_2"].energy
    change = -log_pseudo_likelihood(energy, wake, k, 3).mean() - free_energy(energy, wake).mean()
    np.testing.assert_allclose(seen["negative_pseudo_likelihood"], seen["free_energy"] + change, rtol=1e-5)
    assert METHOD.monitor == "validation/model/negative_pseudo_likelihood"
