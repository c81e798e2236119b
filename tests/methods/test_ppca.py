"""Linear Gaussian autoencoders against probabilistic PCA (Tipping and Bishop 1999), whose likelihood is known."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from scipy import stats

from genlab.data.feed import Batch
from genlab.kernels.random import example_keys
from genlab.methods.vae import VAE
from genlab.nn.layers import AXIS
from genlab.parts.likelihood import Gaussian, Likelihood
from genlab.parts.objective import Objective

LATENT, SETTINGS = 2, {"latent": 2, "likelihood": Likelihood("gaussian", learn_scale=True)}


class Linear(nnx.Module):
    """An affine decoder, or an affine encoder's mean beside one log-variance for all examples."""

    def __init__(self, kernel, bias, log_variance=None):
        self.kernel, self.bias = nnx.Param(jnp.asarray(kernel)), nnx.Param(jnp.asarray(bias))
        self.log_variance = None if log_variance is None else nnx.Param(jnp.asarray(log_variance))

    def __call__(self, x, labels=None):
        y = x @ self.kernel[...] + self.bias[...]
        if self.log_variance is None:
            return y
        return jnp.concatenate([y, jnp.broadcast_to(self.log_variance[...], y.shape)], 1)


def data(n=64):
    rng = np.random.default_rng(0)
    mix = np.diag([1.5, 0.8, 0.3, 0.2]) @ np.linalg.qr(rng.normal(size=(4, 4)))[0]
    return (rng.normal(size=(n, 4)) @ mix + [1, 0, -1, 0.5]).astype(np.float32)


def solved(x):
    """The maximum of the likelihood, their eq. 7 and 8: loadings with orthogonal columns, mean and noise variance."""
    mean = x.mean(0)
    values, axes = np.linalg.eigh(np.cov(x.T.astype(float), bias=True))
    noise = values[:-LATENT].mean()
    return axes[:, -LATENT:] * np.sqrt(values[-LATENT:] - noise), mean, noise


def evidence(x):
    loadings, mean, noise = solved(x)
    return stats.multivariate_normal.logpdf(x, mean, loadings @ loadings.T + noise * np.eye(4))


def ideal(x):
    """The model that has this likelihood, and its exact posterior, whose covariance is diagonal."""
    w, mean, noise = (np.asarray(part, np.float32) for part in solved(x))
    inner = np.diag(w.T @ w) + noise
    encoder = Linear(w / inner, -mean @ w / inner, np.log(noise / inner))
    return {"encoder": encoder, "decoder": Linear(w.T, mean), "observation": Gaussian(float(noise) ** 0.5, True)}


@pytest.mark.parametrize("objective", [Objective(), *(Objective("iwae", k=k) for k in (1, 7))])
def test_at_the_exact_posterior_every_weight_is_the_evidence(objective, evaluate, keys, compiled):
    """Whatever latent is drawn, p(x, z) / q(z|x) = p(x): to 1e-4 nats; and there no parameter is pulled by IWAE."""
    x, networks, method = data(), ideal(data()), VAE(**SETTINGS, objective=objective)
    weights = compiled(lambda x, k: method.log_weight(networks, x, k))(x, keys(len(x)))
    np.testing.assert_allclose(weights, evidence(x), atol=1e-4)
    seen = evaluate(method.loss, networks, x, keys(len(x)))
    if objective.name == "iwae":
        np.testing.assert_allclose(seen.loss, -evidence(x).mean(), atol=1e-4)


def test_a_linear_vae_is_trained_to_the_likelihood_of_ppca():
    """Adam from small random weights, with its scale learned; the bound comes within 0.02 nats, and not above.

    Lucas et al. (2019): its maxima are those of pPCA, the posterior's gap can close. The bound is estimated from 64
    latents an example, with a standard error below 0.01.
    """
    x, method = jnp.asarray(data()), VAE(**SETTINGS)
    rng = np.random.default_rng(1)
    kernels = [rng.normal(size=size).astype(np.float32) / 2 for size in ((4, 2), (2, 4))]
    encoder = Linear(kernels[0], np.zeros(2, np.float32), np.zeros(2, np.float32))
    networks = {"encoder": encoder, "decoder": Linear(kernels[1], np.zeros(4, np.float32))}
    graph, params = nnx.split(networks | {"observation": Gaussian(1.0, True)})
    rule = optax.adam(optax.cosine_decay_schedule(0.02, 3000), b2=0.99)
    batch = Batch(jnp.tile(x, (4, 1)), jnp.zeros(4 * len(x), jnp.int32))

    def negative(params, step):
        keys = example_keys(jax.random.fold_in(jax.random.key(0), step), jnp.arange(len(batch.x)))
        return method.loss(nnx.merge(graph, params), batch, keys)[0]

    def advance(carry, step):
        params, state = carry
        value, gradient = jax.value_and_grad(negative)(params, step)
        updates, state = rule.update(gradient, state)
        return (optax.apply_updates(params, updates), state), value

    def trained(params):
        last = jax.lax.scan(advance, (params, rule.init(params)), jnp.arange(3000))[0][0]
        return jax.lax.map(lambda step: negative(last, step), jnp.arange(3000, 3016)).mean()

    alone = jax.vmap(lambda _: trained(params), axis_name=AXIS)
    reached = -jax.jit(alone)(jnp.zeros(1))[0]
    best = evidence(data()).mean()
    assert best - 0.02 < reached < best + 0.02
