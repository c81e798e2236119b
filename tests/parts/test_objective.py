"""Objectives: what they are at their limits, and gradients by their papers' formulas."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.errors import Invalid
from genlab.methods.vae import VAE
from genlab.nn.net import Net
from genlab.parts.distributions import Normal
from genlab.parts.likelihood import Gaussian, Likelihood
from genlab.parts.objective import Objective, scale_gradient, total_correlation
from genlab.parts.posterior import Posterior
from genlab.parts.prior import Prior

SMALL = Net(width=4, depth=1, activation="silu")
METHOD = VAE(latent=2, encoder=SMALL, decoder=SMALL, likelihood=Likelihood("gaussian", scale=0.5))


def examples(n=8):
    return np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)


def of(name, **fields):
    return dataclasses.replace(METHOD, objective=Objective(name, **fields))


class Affine(nnx.Module):
    """An affine decoder, or an affine encoder's mean beside one log-variance for all."""

    def __init__(self, kernel, log_variance=None):
        self.kernel = nnx.Param(jnp.asarray(kernel, jnp.float32))
        self.log_variance = None if log_variance is None else nnx.Param(jnp.asarray(log_variance, jnp.float32))

    def __call__(self, x, labels=None):
        y = x @ self.kernel[...]
        if self.log_variance is None:
            return y
        return jnp.concatenate([y, jnp.broadcast_to(self.log_variance[...], y.shape)], 1)


def linear(kernel=None, log_variance=None):
    """x = W z + 0.5 noise with orthogonal columns of W, and by default its exact posterior."""
    w = np.array([[1.2, 0.4], [-0.3, 0.9]], np.float32)  # rows: latents; their product is 0
    inner = np.diag(w @ w.T) + 0.25
    encoder = Affine(
        w.T / inner if kernel is None else kernel, np.log(0.25 / inner) if log_variance is None else log_variance
    )
    return {"encoder": encoder, "decoder": Affine(w), "observation": Gaussian(0.5, False)}


@pytest.mark.parametrize("gradient", ["dreg", "stl"])
@pytest.mark.parametrize("k", [1, 4])
def test_at_the_exact_posterior_no_draw_pulls_the_encoder(evaluate, keys, gradient, k):
    """Roeder et al. (2017): their gradient's variance is 0 there, with every single draw; the plain one's is not."""
    networks, x = linear(), examples()
    ours, plain = (
        evaluate(of("iwae", k=k, gradient=g).loss, networks, x, keys(8)).grads["encoder"] for g in (gradient, "plain")
    )
    assert max(abs(leaf).max() for leaf in jax.tree.leaves(ours)) < 1e-5
    if k == 1:
        assert max(abs(leaf).max() for leaf in jax.tree.leaves(plain)) > 0.01


def test_the_value_is_the_bound_whatever_the_gradient(evaluate, keys):
    networks, x = linear(np.eye(2), np.zeros(2)), examples()
    losses = [evaluate(of("iwae", k=3, gradient=g).loss, networks, x, keys(8)).loss for g in ("plain", "dreg", "stl")]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-6)


def test_dreg_is_unbiased_and_stl_is_not(evaluate, keys):
    """The mean over 20,000 draws for one example: dreg's is that of the bound's own gradient, stl's is another.

    Standard errors of the plain gradient are below 0.01; the decoder's gradient is the same in all three.
    """
    networks, x = linear(0.4 * np.eye(2), np.array([0.5, 0.5])), np.repeat(examples(1), 20_000, axis=0)
    seen = {
        g: evaluate(of("iwae", k=3, gradient=g).loss, networks, x, keys(len(x))).grads for g in ("plain", "dreg", "stl")
    }
    for part in ("kernel", "log_variance"):
        plain, dreg = (np.asarray(seen[g]["encoder"][part]) for g in ("plain", "dreg"))
        np.testing.assert_allclose(dreg, plain, atol=0.05)
    stl = np.asarray(seen["stl"]["encoder"]["log_variance"])
    assert abs(stl - np.asarray(seen["plain"]["encoder"]["log_variance"])).max() > 0.1
    for g in ("dreg", "stl"):
        np.testing.assert_allclose(
            seen[g]["decoder"]["kernel"], seen["plain"]["decoder"]["kernel"], rtol=1e-3, atol=1e-4
        )


def test_a_scaled_gradient():
    z, factor = jnp.asarray(examples()), jnp.arange(8.0)[:, None]
    np.testing.assert_array_equal(scale_gradient(z, factor), z)
    gradient = jax.grad(lambda z: (3 * scale_gradient(z, factor)).sum())(z)
    np.testing.assert_allclose(gradient, np.broadcast_to(3 * factor, z.shape))


@pytest.mark.parametrize("objective", [Objective("mmd", weight=0.0), Objective("tc", beta=1.0)])
def test_without_what_they_add_they_are_the_bound(evaluate, fresh, keys, objective):
    networks = fresh(METHOD)
    ours, plain = (
        evaluate(dataclasses.replace(METHOD, objective=o).loss, networks, examples(), keys(8))
        for o in (objective, Objective())
    )
    np.testing.assert_allclose(ours.loss, plain.loss, rtol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), ours.grads, plain.grads)


def test_what_they_add_is_weighed(evaluate, fresh, keys):
    networks = fresh(METHOD)
    plain, mmd, tc = (
        evaluate(of(name, **fields).loss, networks, examples(), keys(8))
        for name, fields in (("elbo", {}), ("mmd", {"weight": 3.0}), ("tc", {"beta": 5.0}))
    )
    np.testing.assert_allclose(mmd.loss, plain.loss + 3 * mmd.metrics["mmd"], rtol=1e-5)
    np.testing.assert_allclose(tc.loss, plain.loss + 4 * tc.metrics["total_correlation"], rtol=1e-5)


def test_the_discrepancy_is_none_where_codes_are_the_prior(evaluate, keys):
    """4,096 codes of N(0, I) by way of any x; of codes of half the spread it is not."""
    x = np.random.default_rng(1).normal(size=(2048, 2)).astype(np.float32)
    exact = evaluate(of("mmd").loss, linear(np.zeros((2, 2)), np.zeros(2)), x, keys(2048)).metrics["mmd"]
    narrow = evaluate(of("mmd").loss, linear(np.zeros((2, 2)), np.full(2, -2.0)), x, keys(2048)).metrics["mmd"]
    assert abs(exact) < 0.01 < 0.1 < narrow


def test_total_correlation_of_what_is_known():
    """One posterior for all has independent latents; q(z) of means that are one number twice is not: Gaussian of
    covariance [[1 + v, 1], [1, 1 + v]], -log(1 - r^2) / 2 nats, from 4,000 examples."""
    draws = np.random.default_rng(2).normal(size=(4000, 2)).astype(np.float32)
    same = Normal(jnp.zeros((4000, 2)), jnp.zeros((4000, 2)))
    np.testing.assert_allclose(total_correlation(jnp.asarray(draws[:50]), same), 0, atol=1e-4)
    mean = np.repeat(np.random.default_rng(3).normal(size=(4000, 1)), 2, axis=1).astype(np.float32)
    v = 0.25
    q = Normal(jnp.asarray(mean), jnp.full((4000, 2), np.log(v)))
    z = jnp.asarray(mean + np.sqrt(v) * draws)
    found = np.mean([total_correlation(z[i : i + 500], q).mean() for i in range(0, 4000, 500)])
    np.testing.assert_allclose(found, -np.log(1 - 1 / (1 + v) ** 2) / 2, atol=0.05)


@pytest.mark.parametrize("name", ["mmd", "tc", "iwae"])
def test_devices_agree(evaluate, fresh, keys, name):
    one, two = (
        evaluate(of(name, beta=2.0 if name == "tc" else 1.0).loss, fresh(METHOD), examples(), keys(8), n)
        for n in (1, 2)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, two)


PRIORS = [Prior(), Prior("vamp", components=3), Prior("mixture", components=3), Prior("flow", steps=2, width=4)]
POSTERIORS = [Posterior(), Posterior("full"), Posterior("iaf", width=4)]
OBJECTIVES = [Objective(), Objective("iwae", k=2, gradient="dreg"), Objective("mmd"), Objective("tc", beta=3.0)]


@pytest.mark.parametrize("posterior", POSTERIORS, ids=lambda part: part.name)
@pytest.mark.parametrize("prior", PRIORS, ids=lambda part: part.name)
def test_any_prior_meets_any_posterior_and_objective(evaluate, fresh, keys, compiled, prior, posterior):
    """Every network is moved, the bound is the mean weight (of the same draws where the KL is sampled, too), and a
    latent comes out of the prior; or one line says why not."""
    for objective in OBJECTIVES:
        build = {"prior": prior, "posterior": posterior, "objective": objective}
        refused = (prior.name == "vamp" and posterior.name == "iaf") or (
            objective.name == "tc" and posterior.name != "diagonal"
        )
        if refused:
            with pytest.raises(Invalid, match="^posterior.name: "):
                dataclasses.replace(METHOD, **build)
            continue
        method = dataclasses.replace(METHOD, **build)
        networks, x = fresh(method), examples()
        seen = evaluate(method.loss, networks, x, keys(8))
        moved = {name for name, grads in seen.grads.items() if any(np.any(g) for g in jax.tree.leaves(grads))}
        assert moved == set(method.sampling) - {"observation"}
        if objective.name == "elbo" and (prior.name, posterior.name) != ("normal", "diagonal"):
            weights = compiled(lambda x, k, m=method, n=networks: m.log_weight(n, x, k))(x, keys(8))
            np.testing.assert_allclose(seen.metrics["elbo"], weights.mean(), rtol=1e-4)
        drawn = compiled(lambda k, m=method, n=networks: m.draw_latents(n, k))(keys(8))
        assert drawn.shape == (8, 2) and np.isfinite(drawn).all()
        assert (method.divergences(networks, jnp.asarray(x), keys(8)) is None) == (
            (prior.name, posterior.name) != ("normal", "diagonal")
        )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Objective("iwae", beta=2.0), "beta: 2.0 is not 1 without a warm-up"),
        (lambda: Objective("iwae", warmup=5), "beta: 1.0 is not 1 without a warm-up"),
        (lambda: Objective("mmd", free_bits=0.5), "free_bits: 0.5 is not 0 with mmd"),
        (lambda: Objective("elbo", gradient="stl"), "gradient: 'stl' is not plain; use iwae"),
        (lambda: Objective("iwae", k=0), "k: 0 is not at least 1"),
        (
            lambda: dataclasses.replace(METHOD, prior=Prior("flow"), objective=Objective(free_bits=0.1)),
            "free_bits: 0.1 is not 0: only with the diagonal posterior and the normal prior",
        ),
    ],
)
def test_what_cannot_work_is_refused(build, message):
    with pytest.raises(Invalid, match=f"^{message}"):
        build()
