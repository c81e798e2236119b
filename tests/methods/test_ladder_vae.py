"""The ladder: precision-weighted posteriors, their bound, and whitened latents."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy import stats

from genlab.errors import Invalid
from genlab.kernels.random import normal
from genlab.methods.ladder_vae import LadderVAE, Normal, combined, gaussian_of
from genlab.nn.layers import AXIS
from genlab.nn.net import Net
from genlab.parts.latent_model import log_likelihood, observation
from genlab.parts.objective import Objective

SMALL = Net(width=4, depth=1)
METHOD = LadderVAE(latent=6, layers=(3, 2, 1), encoder=SMALL, decoder=SMALL, between=SMALL)
METHOD = dataclasses.replace(METHOD, objective=Objective(beta=2.0))
IMAGE = (2, 2, 1)


def examples(n=8):
    return jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (n, *IMAGE)), jnp.float32)


def test_combined_is_the_normalised_product_of_densities():
    a, b = (Normal(jnp.array([[m]]), jnp.array([[v]])) for m, v in ((0.7, -1.0), (-0.4, 0.5)))
    z = np.linspace(-9, 9, 4001)
    product = np.prod([stats.norm.pdf(z, n.mean[0], np.exp(np.asarray(n.log_variance[0]) / 2)) for n in (a, b)], axis=0)
    product /= np.trapezoid(product, z)
    mean = np.trapezoid(z * product, z)
    variance = np.trapezoid((z - mean) ** 2 * product, z)
    np.testing.assert_allclose(combined(a, b).mean, [[mean]], rtol=1e-4)
    np.testing.assert_allclose(combined(a, b).log_variance, [[np.log(variance)]], rtol=1e-4)


def test_a_layer_that_saw_nothing_keeps_its_prior(fresh, keys):
    """Of a flat likelihood (infinite variance) the posterior is the prior; the top one is what was seen."""
    flat = Normal(jnp.zeros((1, 2)), jnp.full((1, 2), 40.0))
    p = Normal(jnp.array([[1.0, 2.0]]), jnp.array([[0.3, -0.3]]))
    for one, other in zip(combined(flat, p), p, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
    networks, x = fresh(METHOD, IMAGE), examples()
    layers = METHOD.posterior(networks, x, normal(keys(8), (6,)))
    seen = networks["ladder"].up(networks["encoder"](x))
    np.testing.assert_array_equal(layers[-1].q.mean, seen[-1].mean)
    np.testing.assert_array_equal(layers[-1].p.mean, 0)
    np.testing.assert_array_equal(layers[-1].p.log_variance, 0)
    for i in (0, 1):
        p = networks["ladder"].down(i, layers[i + 1].z)
        np.testing.assert_allclose(layers[i].p.mean, p.mean, rtol=1e-6)
        np.testing.assert_allclose(layers[i].q.mean, combined(seen[i], p).mean, rtol=1e-5)


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_all_features_are_normalised(fresh, norm, compiled):
    """As in Sonderby et al. (2016): so their scale is lost, and of batch norm's the shift of each, too."""
    method = dataclasses.replace(METHOD, between=Net(width=4, depth=1, norm=norm))
    ladder = fresh(method, IMAGE)["ladder"]
    features = jax.random.normal(jax.random.key(0), (8, 4))

    def seen(features):
        graph, state = nnx.split(ladder)
        state = nnx.to_pure_dict(state)
        return compiled(jax.vmap(lambda x: nnx.merge(graph, state).up(x), axis_name=AXIS))(features[None])

    shift = jnp.arange(4.0) if norm == "batch" else 0.0
    expected, moved = seen(100 * features), seen(300 * features + shift)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), expected, moved)
    assert all(abs(normal.mean - normal.mean[:, :1]).max() > 0.01 for normal in expected)  # of the example all the same
    outputs = [up.layers[0].layers.layers[-1] for up in list(ladder.ups)[1:]]
    for output in outputs:
        output.kernel[...] *= 300
    expected = seen(features)
    for output in outputs:
        output.kernel[...] *= 3
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), expected, seen(features))


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_every_bias_has_a_gradient(evaluate, fresh, keys, norm):
    """Those that batch norm would take out again are not there; see the networks' own test."""
    net = Net(width=4, depth=1, norm=norm)
    method = dataclasses.replace(METHOD, encoder=net, decoder=net, between=net)
    gradients = evaluate(method.loss, fresh(method, IMAGE), examples(), keys(8)).grads
    biases = [(path, leaf) for path, leaf in jax.tree.leaves_with_path(gradients) if path[-1].key == "bias"]
    assert biases and all(abs(leaf).max() > 1e-5 for _, leaf in biases), biases


def test_variances_are_soft_and_never_without_a_gradient():
    """softplus(h), by NumPy in float64; its log and the log's gradient at any h."""
    h = np.array([-1e4, -100, -20, -15.1, -14.9, -5, -1, 0, 1, 20, 100, 1e4])

    def log_variance(h):
        return gaussian_of(jnp.stack([jnp.zeros_like(h), h], 1)).log_variance[:, 0]

    value, gradient = log_variance(jnp.asarray(h)), jax.vmap(jax.grad(lambda h: log_variance(h[None])[0]))(h)
    exact = np.logaddexp(0, h)
    expected = np.where(h < -30, h, np.log(np.maximum(exact, 1e-300)))
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
    slope = np.where(h < -30, 1.0, 1 / (1 + np.exp(-np.maximum(h, -30))) / np.maximum(exact, 1e-300))
    np.testing.assert_allclose(gradient, slope, rtol=1e-5)


def test_combining_is_finite_however_sharp():
    sharp, flat = (Normal(jnp.array([[m]]), jnp.array([[v]])) for m, v in ((3.0, -300.0), (-1.0, 300.0)))
    for a, b in ((sharp, flat), (flat, sharp)):
        jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-6), combined(a, b), sharp)


def test_the_bound_by_scipy(evaluate, fresh, keys):
    """log p(x|z_1) + sum log p(z_i|z_i+1) - log q(z_i|x, z_i+1), for the latents that were drawn."""
    networks, x = fresh(METHOD, IMAGE), examples()
    layers = METHOD.posterior(networks, x, normal(keys(8), (6,)))

    def density(z, n):
        return stats.norm.logpdf(np.asarray(z, float), n.mean, np.exp(np.asarray(n.log_variance, float) / 2)).sum(1)

    expected = sum(density(z, p) - density(z, q) for z, q, p in layers)
    expected += np.asarray(log_likelihood(networks, x, layers[0].z))
    np.testing.assert_allclose(METHOD.log_weight(networks, x, keys(8)), expected, rtol=1e-4)


def test_the_loss_is_minus_the_mean_weight(evaluate, fresh, keys, compiled):
    """At beta 1, in the mean over 4,096 draws for one example: to the Monte Carlo error of the KL terms."""
    networks, x = fresh(METHOD, IMAGE), jnp.repeat(examples(1), 4096, axis=0)
    seen = evaluate(METHOD.loss, networks, x, keys(4096))
    weights = compiled(lambda k: METHOD.log_weight(networks, x, k))(keys(4096))
    np.testing.assert_allclose(seen.metrics["elbo"], weights.mean(), atol=0.15)
    np.testing.assert_allclose(seen.loss, seen.metrics["distortion"] + 2 * seen.metrics["kl"], rtol=1e-5)
    np.testing.assert_allclose(sum(seen.metrics[f"kl_{i}"] for i in (1, 2, 3)), seen.metrics["kl"], rtol=1e-5)
    assert all(seen.metrics[f"kl_{i}"] > 0 for i in (1, 2, 3))
    units = METHOD.divergences(networks, x, keys(4096)).mean(0)
    for i, (a, b) in enumerate(((0, 3), (3, 5), (5, 6)), 1):
        np.testing.assert_allclose(units[a:b].sum(), seen.metrics[f"kl_{i}"], rtol=1e-4)


def test_latents_are_whitened(fresh, keys):
    """An example's latents decode to what its posterior's means decode to, noise to a sample of the prior."""
    networks, x = fresh(METHOD, IMAGE), examples()
    layers = METHOD.posterior(networks, x, jnp.zeros((8, 6)))
    means = observation(networks).mean(networks["decoder"](layers[0].z))
    np.testing.assert_allclose(METHOD.reconstruct(networks, x), means, atol=1e-5)
    noise = normal(keys(8), (6,))
    z = noise[:, 5:]
    for i, (a, b) in ((1, (3, 5)), (0, (0, 3))):
        p = networks["ladder"].down(i, z)
        z = p.mean + jnp.exp(p.log_variance / 2) * noise[:, a:b]
    expected = observation(networks).mean(networks["decoder"](z))
    np.testing.assert_allclose(METHOD.decode(networks, noise), expected, atol=1e-6)


def test_devices_agree(evaluate, fresh, keys):
    one, two = (evaluate(METHOD.loss, fresh(METHOD, IMAGE), examples(), keys(8), n) for n in (1, 2))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, two)


@pytest.mark.parametrize("layers", [(), (6, 0), (3, 2)])
def test_layers_share_the_latent(layers):
    with pytest.raises(Invalid, match="^layers: .* is not positive dimensions that add up to latent = 6$"):
        dataclasses.replace(METHOD, layers=layers)


def test_one_layer_has_no_ladder(evaluate, fresh, keys):
    """A single layer is a plain VAE: KL from N(0, I)."""
    method = LadderVAE(latent=2, layers=(2,), encoder=SMALL, decoder=SMALL, between=SMALL)
    networks, x = fresh(method, IMAGE), examples()
    (layer,) = method.posterior(networks, x, jnp.zeros((8, 2)))
    mean, log_variance = (np.asarray(part, float) for part in layer.q)
    expected = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(1).mean()
    np.testing.assert_allclose(evaluate(method.loss, networks, x, keys(8)).metrics["kl"], expected, rtol=1e-4)
