"""Distributions of latents against scipy, and flows against their Jacobians."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy import special, stats

from genlab.kernels.random import example_keys
from genlab.nn.flows import AutoregressiveFlow, CouplingFlow
from genlab.parts.distributions import (
    AutoregressiveDistribution,
    CouplingDistribution,
    FullNormal,
    Mixture,
    Normal,
    divergences,
    standard,
)

RNG = np.random.default_rng(0)
MEAN = np.array([0.5, -1.0, 0.2], np.float32)
ROOT = np.array([[0.8, 0, 0], [0.3, 1.2, 0], [-0.4, 0.1, 0.5]], np.float32)
Z = RNG.normal(size=(7, 3)).astype(np.float32)


def keys(n=20_000):
    return example_keys(jax.random.key(3), jnp.arange(n))


def noisy(flow):
    """The flow with gains that are not 0, so that it is not the identity."""
    for i, step in enumerate(flow.steps):
        step.gain[...] = 0.7 * jax.random.normal(jax.random.key(i), step.gain.shape)
    return flow


def coupling():
    return noisy(CouplingFlow(3, 3, 8, rngs=nnx.Rngs(0)))


def autoregressive(n=7):
    flow = noisy(AutoregressiveFlow(3, 2, 2, 9, rngs=nnx.Rngs(0)))
    context = jnp.asarray(np.random.default_rng(1).normal(size=(n, 2)), jnp.float32)
    base = Normal(jnp.tile(jnp.asarray(MEAN), (n, 1)), jnp.full((n, 3), -0.5))
    return AutoregressiveDistribution(base, context, flow)


def rows(n, *arrays):
    return [jnp.tile(jnp.asarray(a), (n, *(1,) * a.ndim)) for a in arrays]


def test_densities_are_scipys():
    deviation = np.array([0.3, 1.0, 2.0], np.float32)
    normal = Normal(jnp.asarray(MEAN), 2 * jnp.log(deviation))
    np.testing.assert_allclose(normal.log_probability(Z), stats.norm.logpdf(Z, MEAN, deviation).sum(1), rtol=1e-5)
    full = FullNormal(*rows(7, MEAN, ROOT))
    expected = stats.multivariate_normal.logpdf(Z, MEAN, ROOT.astype(float) @ ROOT.T)
    np.testing.assert_allclose(full.log_probability(Z), expected, rtol=1e-5)
    np.testing.assert_allclose(standard(3).log_probability(Z), stats.norm.logpdf(Z).sum(1), rtol=1e-6)


@pytest.mark.parametrize("full", [False, True])
def test_a_mixture_is_the_weighted_sum_of_its_components(full):
    means = RNG.normal(size=(4, 3)).astype(np.float32)
    logits = np.array([0.0, 1.0, -1.0, 0.5], np.float32)
    if full:
        parts = FullNormal(jnp.asarray(means), rows(4, ROOT)[0])
        each = [stats.multivariate_normal.logpdf(Z, m, ROOT.astype(float) @ ROOT.T) for m in means]
    else:
        parts = Normal(jnp.asarray(means), jnp.zeros((4, 3)))
        each = [stats.norm.logpdf(Z, m).sum(1) for m in means]
    mixture = Mixture(parts, jnp.asarray(logits))
    expected = special.logsumexp(np.array(each) + special.log_softmax(logits)[:, None], axis=0)
    np.testing.assert_allclose(mixture.log_probability(Z), expected, rtol=1e-5)
    drawn = np.asarray(mixture.draw(keys()))
    weights, covariance = special.softmax(logits), ROOT @ ROOT.T if full else np.eye(3)
    np.testing.assert_allclose(drawn.mean(0), weights @ means, atol=0.06)  # 5 standard errors
    second = np.diag(covariance) + weights @ means**2
    np.testing.assert_allclose((drawn**2).mean(0), second, atol=0.15)


def test_draws_have_the_right_covariance():
    n = 20_000
    drawn = np.asarray(FullNormal(*rows(n, MEAN, ROOT)).draw(keys(n)))
    np.testing.assert_allclose(np.cov(drawn.T), ROOT @ ROOT.T, atol=0.08)
    np.testing.assert_allclose(drawn.mean(0), MEAN, atol=0.05)


def test_a_coupling_flow_is_inverted_and_its_density_is_that_of_its_jacobian():
    flow = coupling()
    z, noise = flow.forward(jnp.asarray(Z)), jnp.asarray(Z)
    assert abs(z - noise).max() > 0.1
    back, log_slope = flow.inverse(z)
    np.testing.assert_allclose(back, noise, atol=1e-5)
    jacobians = jax.vmap(jax.jacfwd(lambda row: flow.forward(row[None])[0]))(noise)
    np.testing.assert_allclose(log_slope, -np.linalg.slogdet(jacobians)[1], atol=1e-5)
    density = stats.norm.logpdf(Z).sum(1) - np.linalg.slogdet(jacobians)[1]
    np.testing.assert_allclose(CouplingDistribution(flow).log_probability(z), density, rtol=1e-4)


def test_an_autoregressive_flow_is_inverted_one_latent_after_the_other():
    q = autoregressive()
    start = jnp.asarray(Z)
    z = q.flow.forward(start, q.context)
    back, log_slope = q.flow.inverse(z, q.context)
    np.testing.assert_allclose(back, start, atol=1e-5)
    jacobians = jax.vmap(jax.jacfwd(lambda row, c: q.flow.forward(row[None], c[None])[0]))(start, q.context)
    np.testing.assert_allclose(log_slope, -np.linalg.slogdet(jacobians)[1], atol=1e-5)
    first = jax.vmap(jax.jacfwd(lambda row, c: AutoregressiveFlow.forward(_first(q.flow), row[None], c[None])[0]))
    shape = np.asarray(first(start, q.context))[:, ::-1]  # its outputs are turned round after a step
    np.testing.assert_array_equal(np.triu(shape, 1), 0)  # latent i goes by those before it alone
    assert (abs(np.tril(shape, -1)[:, np.tril_indices(3, -1)[0], np.tril_indices(3, -1)[1]]).max(0) > 1e-3).all()
    np.testing.assert_allclose(q.log_probability(z), q.base.log_probability(start) + log_slope, rtol=1e-5)


def _first(flow):
    """The same with its first step alone."""
    graph, state = nnx.split(flow)
    one = nnx.merge(graph, state)
    one.steps = nnx.List([flow.steps[0]])
    return one


@pytest.mark.parametrize("kind", ["coupling", "autoregressive"])
def test_flows_begin_as_the_identity(kind):
    if kind == "coupling":
        z = CouplingFlow(3, 4, 8, rngs=nnx.Rngs(0)).forward(jnp.asarray(Z))
    else:
        flow = AutoregressiveFlow(3, 2, 2, 9, rngs=nnx.Rngs(0))
        z = flow.forward(jnp.asarray(Z), jnp.ones((7, 2)))
    np.testing.assert_allclose(z, Z, atol=1e-6)


def test_a_flows_density_is_one_in_all():
    """Two latents, on a grid wide enough for what lies beyond to be below 1e-3."""
    flow = noisy(CouplingFlow(2, 3, 8, rngs=nnx.Rngs(1)))
    side = np.linspace(-15, 15, 401, dtype=np.float32)
    grid = jnp.asarray(np.stack(np.meshgrid(side, side), -1).reshape(-1, 2))
    mass = np.exp(np.asarray(CouplingDistribution(flow).log_probability(grid), float)).sum() * (side[1] - side[0]) ** 2
    np.testing.assert_allclose(mass, 1, atol=5e-3)


def test_each_draw_of_an_example_is_scored_by_its_own_posterior():
    """Repeated rows stand beside each other, of every kind of posterior, and no gradient passes a stopped one."""
    full = FullNormal(jnp.asarray(Z), rows(7, ROOT)[0])
    for q in (Normal(jnp.asarray(Z), jnp.zeros((7, 3))), full, autoregressive()):
        twice = np.asarray(q.repeated(2).log_probability(jnp.repeat(jnp.asarray(Z), 2, axis=0)))
        np.testing.assert_allclose(twice[::2], q.log_probability(jnp.asarray(Z)), rtol=1e-5)
        np.testing.assert_allclose(twice[1::2], twice[::2], rtol=1e-6)
        stopped = jax.grad(lambda q: jax.lax.stop_gradient(q).log_probability(jnp.asarray(Z)).sum(), allow_int=True)(q)
        assert not any(np.any(leaf) for leaf in jax.tree.leaves(stopped))


def test_only_independent_gaussians_have_divergences_of_each_latent():
    q, p = Normal(jnp.asarray(Z), jnp.full((7, 3), -1.0)), standard(3)
    samples = np.asarray(Z[0] + np.exp(-0.5) * np.random.default_rng(2).normal(size=(200_000, 3)))
    ratio = stats.norm.logpdf(samples, Z[0], np.exp(-0.5)) - stats.norm.logpdf(samples)
    np.testing.assert_allclose(divergences(q, p)[0], ratio.mean(0), atol=0.02)
    assert divergences(FullNormal(*rows(7, MEAN, ROOT)), p) is None
    assert divergences(q, CouplingDistribution(coupling())) is None
