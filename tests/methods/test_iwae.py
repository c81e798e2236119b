"""The importance-weighted bound: its two ends, its gradient, and a model whose evidence is known."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy import special, stats

from genlab.errors import Invalid
from genlab.methods.vae import VAE
from genlab.nn.net import Net
from genlab.parts.likelihood import Gaussian, Likelihood
from genlab.parts.objective import Objective

SMALL = Net(width=4, depth=1)
PLAIN = VAE(latent=2, encoder=SMALL, decoder=SMALL)
METHOD = dataclasses.replace(PLAIN, objective=Objective("iwae", k=3))
IMAGE = (2, 2, 1)


def examples(n=8):
    return np.random.default_rng(0).uniform(-1, 1, (n, *IMAGE)).astype(np.float32)


def with_k(k, method=METHOD):
    return dataclasses.replace(method, objective=Objective("iwae", k=k))


def test_one_sample_gives_the_elbo(evaluate, fresh, keys):
    """In the mean over 4,096 latents of one example, loss and gradients, to the Monte Carlo error of the KL term."""
    networks, x = fresh(METHOD, IMAGE), np.repeat(examples(1), 4096, axis=0)
    ours, plain = (evaluate(m.loss, networks, x, keys(4096)) for m in (with_k(1), PLAIN))
    assert ours.loss == -ours.metrics["elbo"] and ours.metrics["effective_samples"] == 1
    np.testing.assert_allclose(ours.loss, plain.loss, atol=0.05)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=0.06), ours.grads, plain.grads)


def test_the_loss_is_the_mean_of_exponentials_in_the_papers_words(evaluate, fresh, keys, compiled):
    """Eq. 8 from the log weights of each latent by itself; its gradient is theirs, by normalised weights (eq. 14)."""
    networks, x, k = fresh(METHOD, IMAGE), examples(), keys(8)
    drawn = [compiled(lambda k, i=i: jax.vmap(jax.random.fold_in, (0, None))(k, i))(k) for i in range(3)]
    weights = [compiled(lambda k: METHOD.log_weight(networks, jnp.asarray(x), k))(keys) for keys in drawn]
    bound = np.log(np.mean(np.exp(np.array(weights, float)), axis=0))
    shares = special.softmax(np.array(weights, float), axis=0)

    def weighed(networks, batch, keys):
        each = jnp.stack([METHOD.log_weight(networks, batch.x, k) for k in drawn])
        return -(shares * each).sum(0).mean(), {}

    ours, theirs = evaluate(METHOD.loss, networks, x, k), evaluate(weighed, networks, x, k)
    np.testing.assert_allclose(ours.loss, -bound.mean(), rtol=1e-5)
    np.testing.assert_allclose(ours.metrics["effective_samples"], (1 / (shares**2).sum(0)).mean(), rtol=1e-4)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), ours.grads, theirs.grads)


class Plain(nnx.Module):
    """A function without parameters, in place of a network."""

    def __init__(self, function):
        self.function = function

    def __call__(self, x, labels=None):
        return self.function(x)


def test_the_bound_rises_with_k_to_the_evidence(evaluate, keys):
    """For a decoder that is not linear, its evidence by quadrature; standard errors are below 0.01 nats."""
    method = VAE(latent=1, likelihood=Likelihood("gaussian", scale=0.5))
    x, n = np.array([0.7, 0.3], np.float32), 4000

    def curve(z, np=jnp):
        return np.concatenate([np.sin(2 * z), z**2 / 2], axis=1)

    code = Plain(lambda x: jnp.broadcast_to(jnp.array([0.4, -0.5]), (len(x), 2)))
    networks = {"encoder": code, "decoder": Plain(curve), "observation": Gaussian(0.5, False)}
    bounds = [-evaluate(with_k(k, method).loss, networks, np.tile(x, (n, 1)), keys(n)).loss for k in (1, 2, 8, 64)]
    z = np.linspace(-8, 8, 8001)
    joint = stats.norm.logpdf(z) + stats.norm.logpdf(x, curve(z[:, None], np), 0.5).sum(1)
    evidence = np.log(np.trapezoid(np.exp(joint), z))
    assert (np.diff(bounds) > 0.02).all()
    np.testing.assert_allclose(bounds[-1], evidence, atol=0.03)
    assert bounds[-2] < evidence


def test_devices_agree(evaluate, fresh, keys):
    one, two = (evaluate(METHOD.loss, fresh(METHOD, IMAGE), examples(), keys(8), n) for n in (1, 2))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, two)


def test_no_latent_is_no_bound():
    with pytest.raises(Invalid, match="^decoder.dropout: 0.5 is not 0: "):
        VAE(objective=Objective("iwae", k=2), decoder=Net(dropout=0.5))
    with pytest.raises(Invalid, match="^k: 0 is not at least 1$"):
        with_k(0)
