"""Free energies, conditionals, chains and the contrastive gradient against enumeration of tiny machines."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.kernels import boltzmann as kernel
from genlab.kernels.boltzmann import Energy
from genlab.kernels.random import example_keys

V, H, S = 4, 3, 0.7
gibbs = jax.jit(kernel.gibbs, static_argnums=3)
contrast, free_energy = jax.jit(kernel.contrast), jax.jit(kernel.free_energy)
draw_hidden, hidden_logits = jax.jit(kernel.draw_hidden), jax.jit(kernel.hidden_logits)
draw_visible, visible_mean = jax.jit(kernel.draw_visible), jax.jit(kernel.visible_mean)


def states(n):
    """All 2^n vectors of bits."""
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def energy(scale=None, v=V, h=H, seed=0):
    w, b, c = (np.random.default_rng(seed).normal(size=size).astype(np.float32) for size in ((v, h), v, h))
    return Energy(jnp.asarray(w), jnp.asarray(b), jnp.asarray(c), scale)


def joint_energy(e, v, h):
    """E(v, h) of every pair, by the definition, in float64."""
    w, b, c = (np.asarray(p, np.float64) for p in (e.weights, e.visible, e.hidden))
    if e.scale is None:
        own, seen = -v @ b, v
    else:
        own, seen = ((v - b) ** 2).sum(1) / (2 * e.scale**2), v / e.scale
    return own[:, None] - h @ c - seen @ w @ h.T


def distribution(e):
    """p(v, h) of all states of a machine of bits."""
    p = np.exp(-joint_energy(e, states(len(e.visible)), states(len(e.hidden))))
    return p / p.sum()


def keys(n, seed=0):
    return jax.jit(example_keys)(jax.random.key(seed), jnp.arange(n))


@pytest.mark.parametrize("scale", [None, S])
def test_the_free_energy_sums_out_the_hidden_units(scale):
    e = energy(scale)
    v = states(V) if scale is None else np.random.default_rng(1).normal(size=(16, V))
    expected = -np.log(np.exp(-joint_energy(e, v, states(H))).sum(1))
    np.testing.assert_allclose(free_energy(e, jnp.asarray(v, jnp.float32)), expected, rtol=1e-5, atol=1e-5)


def test_the_free_energy_of_confident_units_is_finite():
    e = Energy(jnp.full((2, 2), 1e4), jnp.zeros(2), jnp.zeros(2))
    np.testing.assert_allclose(free_energy(e, jnp.ones((1, 2))), -4e4)


@pytest.mark.parametrize("scale", [None, S])
def test_hidden_units_follow_their_conditional(scale):
    e, h = energy(scale), states(H)
    v = states(V) if scale is None else np.random.default_rng(1).normal(size=(16, V))
    p = np.exp(-joint_energy(e, v, h))
    means = p @ h / p.sum(1, keepdims=True)
    np.testing.assert_allclose(jax.nn.sigmoid(hidden_logits(e, jnp.asarray(v, jnp.float32))), means, atol=1e-5)
    many = jnp.asarray(np.repeat(v[5:6], 4000, 0), jnp.float32)
    drawn = np.asarray(draw_hidden(e, many, keys(4000)))
    assert set(np.unique(drawn)) <= {0, 1}
    np.testing.assert_allclose(drawn.mean(0), means[5], atol=0.04)  # 5 standard errors


def test_visible_bits_follow_their_conditional():
    e, v, h = energy(), states(V), states(H)
    p = np.exp(-joint_energy(e, v, h))
    means = p.T @ v / p.sum(0)[:, None]
    np.testing.assert_allclose(visible_mean(e, jnp.asarray(h, jnp.float32)), means, atol=1e-5)
    drawn = draw_visible(e, jnp.asarray(np.repeat(h[3:4], 4000, 0), jnp.float32), keys(4000))
    np.testing.assert_allclose(np.mean(drawn, 0), means[3], atol=0.04)


def test_gaussian_visible_units_follow_their_conditional():
    """Completing the square: N(b + s W h, s^2); the energy's minimum over v, and its curvature 1 / s^2."""
    e, h = energy(S), states(H)
    means = np.asarray(visible_mean(e, jnp.asarray(h, jnp.float32)), np.float64)
    for mean, one in zip(means, h, strict=True):
        around = joint_energy(
            e, np.concatenate([mean[None], mean + 0.1 * np.eye(V), mean - 0.1 * np.eye(V)]), one[None]
        )
        np.testing.assert_allclose(around[1:] - around[0], 0.01 / (2 * S**2), rtol=1e-4)
    drawn = np.asarray(draw_visible(e, jnp.asarray(np.repeat(h[3:4], 4000, 0), jnp.float32), keys(4000)))
    np.testing.assert_allclose(drawn.mean(0), means[3], atol=0.06)
    np.testing.assert_allclose(drawn.std(0), S, rtol=0.06)


def test_a_gaussian_machine_is_a_mixture():
    """p(v) = sum_h p(h) N(v; b + s W h, s^2): the same up to one constant, log Z."""
    e, h = energy(S), states(H)
    v = np.random.default_rng(2).normal(size=(20, V)) * 2
    w, b, c = (np.asarray(p, np.float64) for p in (e.weights, e.visible, e.hidden))
    means = b + S * h @ w.T
    # the integral of exp(-E) over v: each component's mass, from |mean|^2 - |b|^2 and c h
    mass = np.exp(h @ c + ((means**2).sum(1) - (b**2).sum()) / (2 * S**2))
    density = np.exp(-((v[:, None] - means) ** 2).sum(2) / (2 * S**2)) @ mass
    np.testing.assert_allclose(free_energy(e, jnp.asarray(v, jnp.float32)), -np.log(density), rtol=1e-4, atol=1e-4)


def test_a_gibbs_step_leaves_the_model_as_it_is():
    """Exactly: the transition matrix of the conditionals has the model as its fixed point, in detailed balance."""
    e = energy()
    v, h, p = states(V), states(H), distribution(e).sum(1)
    up = np.asarray(jax.nn.sigmoid(hidden_logits(e, jnp.asarray(v, jnp.float32))), np.float64)
    down = np.asarray(visible_mean(e, jnp.asarray(h, jnp.float32)), np.float64)
    h_given_v = np.prod(np.where(h[None] == 1, up[:, None], 1 - up[:, None]), 2)
    v_given_h = np.prod(np.where(v[None] == 1, down[:, None], 1 - down[:, None]), 2)
    transition = h_given_v @ v_given_h
    np.testing.assert_allclose(p @ transition, p, atol=1e-6)
    np.testing.assert_allclose(p[:, None] * transition, (p[:, None] * transition).T, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 3])
def test_chains_follow_the_transition_matrix(steps):
    """20,000 chains from one state are spread as the power of the transition matrix says."""
    e, n = energy(seed=3), 20_000
    v, joint = states(V), distribution(e)
    transition = (joint / joint.sum(1, keepdims=True)) @ (joint / joint.sum(0)).T
    expected = np.linalg.matrix_power(transition, steps)[6]
    start = jnp.asarray(np.repeat(v[6:7], n, 0), jnp.float32)
    end = np.asarray(gibbs(e, start, keys(n), steps))
    share = np.bincount((end @ 2 ** np.arange(V)[::-1]).astype(int), minlength=len(v)) / n
    np.testing.assert_allclose(share, expected, atol=0.018)  # 5 standard errors at most
    assert abs(expected - transition[6]).max() > 0.05 or steps == 1  # a step fewer would be seen


def test_a_long_chain_visits_states_as_often_as_the_model_says():
    e, n = energy(seed=4), 20_000
    end = np.asarray(gibbs(e, jnp.zeros((n, V)), keys(n), 30))
    share = np.bincount((end @ 2 ** np.arange(V)[::-1]).astype(int), minlength=2**V) / n
    np.testing.assert_allclose(share, distribution(e).sum(1), atol=0.018)


def test_a_chain_belongs_to_its_key():
    e, start = energy(), jnp.zeros((8, V))
    all_of_them = gibbs(e, start, keys(8), 2)
    np.testing.assert_array_equal(all_of_them[4:], gibbs(e, start[4:], keys(8)[4:], 2))
    assert (np.asarray(all_of_them) != np.asarray(gibbs(e, start, keys(8, seed=1), 2))).any()


@pytest.mark.parametrize("scale", [None, S])
def test_the_contrast_has_the_gradient_of_contrastive_divergence(scale):
    """dW = <v h>_model - <v h>_data, and so on, with the hidden units' means; nothing through the model's examples."""
    e = energy(scale)
    data, model = (jnp.asarray(np.random.default_rng(i).uniform(size=(6, V)), jnp.float32) for i in (1, 2))
    s = 1 if scale is None else scale

    def statistics(v):
        up = jax.nn.sigmoid(hidden_logits(e, v))
        own = v if scale is None else (v - e.visible) / s**2
        return (v / s).T @ up / 6, own.mean(0), up.mean(0)

    grads = jax.jit(jax.grad(lambda e: contrast(e, data, model).mean()))(e)
    for g, on_data, on_model in zip(jax.tree.leaves(grads), statistics(data), statistics(model), strict=True):
        np.testing.assert_allclose(g, on_model - on_data, atol=1e-5)
    assert not jax.jit(jax.grad(lambda model: contrast(e, data, model).mean()))(model).any()
    assert not jax.jit(jax.grad(lambda e: kernel.gibbs(e, data, keys(6), 1).sum()))(e).visible.any()


def test_in_expectation_it_is_the_gradient_of_the_likelihood():
    """With the model's own distribution as the negative phase: that of -log p(data), by enumeration of Z."""
    e = energy()
    data, everything = jnp.asarray(states(V)[[3, 9, 14]], jnp.float32), jnp.asarray(states(V), jnp.float32)
    p = jnp.asarray(distribution(e).sum(1), jnp.float32)

    def likelihood(e):
        return (free_energy(e, data)).mean() + jax.nn.logsumexp(-free_energy(e, everything))

    def expected(e):
        pairs = jax.vmap(lambda v: contrast(e, data, jnp.broadcast_to(v, data.shape)).mean())(everything)
        return (p * pairs).sum()

    ours, exact = (jax.tree.leaves(jax.jit(jax.grad(f))(e)) for f in (expected, likelihood))
    for a, b in zip(ours, exact, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def flipped(v, i, value):
    v = v.copy()
    v[:, i] = value
    return v


def pseudo(e, v):
    """Each unit's log p(v_i | all others), from the energies of its two states by enumeration, in float64."""

    def log_p(v):
        return np.logaddexp.reduce(-joint_energy(e, v, states(H)), axis=1)

    found = []
    for i in range(V):
        off, on = log_p(flipped(v, i, 0.0)), log_p(flipped(v, i, 1.0))
        found.append(v[:, i] * on + (1 - v[:, i]) * off - np.logaddexp(off, on))
    return np.stack(found, 1)


@pytest.mark.parametrize("data", ["bits", "probabilities"])
def test_the_pseudo_likelihood_is_that_of_every_unit_given_the_others(data):
    """All of them, whichever comes first; a probability gives the mean of both bits."""
    e = energy()
    v = states(V) if data == "bits" else np.random.default_rng(1).uniform(size=(16, V))
    exact = pseudo(e, v)
    for k in (V, V + 3):
        found = kernel.log_pseudo_likelihood(e, jnp.asarray(v, jnp.float32), keys(16), k)
        np.testing.assert_allclose(found, exact.sum(1), rtol=1e-4, atol=1e-5)


def test_fewer_units_give_the_same_in_the_mean():
    """One or two units, half a cycle apart, times how many there are for each: no other values, in equal shares."""
    e, n = energy(), 8000
    v = np.repeat(states(V)[5:6], n, 0)
    exact = pseudo(e, v[:1])[0]
    for k, possible in ((1, 4 * exact), (2, 2 * (exact + np.roll(exact, 2)))):
        found = np.asarray(kernel.log_pseudo_likelihood(e, jnp.asarray(v, jnp.float32), keys(n), k), np.float64)
        assert abs(found[:, None] - possible).min(1).max() < 1e-4
        assert abs(found.mean() - exact.sum()) < 5 * found.std() / n**0.5


def test_the_pseudo_likelihood_is_greatest_at_the_model_itself():
    """Its mean under p is stationary at p (it is a proper score): the gradient by all parameters is 0."""
    e = energy()
    p = jnp.asarray(distribution(e).sum(1), jnp.float32)
    v = jnp.asarray(states(V), jnp.float32)
    gradient = jax.jit(jax.grad(lambda e: p @ kernel.log_pseudo_likelihood(e, v, keys(16), V)))(e)
    for g in jax.tree.leaves(gradient):
        np.testing.assert_allclose(g, 0, atol=1e-5)


def test_score_matching_is_by_the_derivatives_of_the_log_density():
    e = energy(S)
    v = jnp.asarray(np.random.default_rng(1).normal(size=(6, V)), jnp.float32)

    def log_p(v):
        return -free_energy(e, v[None])[0]

    def objective(v):
        return jnp.trace(jax.hessian(log_p)(v)) + 0.5 * jnp.square(jax.grad(log_p)(v)).sum()

    np.testing.assert_allclose(kernel.score_matching(e, v), jax.jit(jax.vmap(objective))(v), rtol=1e-3, atol=1e-3)


def test_without_weights_score_matching_knows_the_gaussian():
    """Of data N(b, s^2) it is -v / (2 s^2) in the mean, and more by the squared distance of any other mean."""
    n = 20_000
    v = np.random.default_rng(1).normal(size=(n, V)).astype(np.float32) * S
    for shift in (0.0, 0.3):
        e = Energy(jnp.zeros((V, H)), jnp.full(V, shift), jnp.zeros(H), S)
        expected = -V / (2 * S**2) + V * shift**2 / (2 * S**4)
        np.testing.assert_allclose(kernel.score_matching(e, jnp.asarray(v)).mean(), expected, atol=0.1)
