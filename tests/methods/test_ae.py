"""The autoencoder's loss, the Gaussian fitted to its codes, and all its kinds together."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from genlab.kernels.corruption import Corruption, corrupt
from genlab.kernels.random import fold, normal
from genlab.methods.ae import AE
from genlab.nn.net import Net
from genlab.parts.contraction import Contraction
from genlab.parts.sparsity import Sparsity

SMALL = Net(width=4, depth=1)
METHOD = AE(latent=2, encoder=SMALL, decoder=SMALL)
IMAGE = (2, 2, 1)


def images(seed, n=8):
    return np.random.default_rng(seed).uniform(-1, 1, (n, *IMAGE)).astype(np.float32)


def test_the_loss_is_the_squared_error_of_the_reconstruction(evaluate, compiled, fresh, keys):
    networks, x = fresh(METHOD, IMAGE), images(0)
    y = np.asarray(compiled(lambda x: METHOD.reconstruct(networks, x))(x))
    seen = evaluate(METHOD.loss, networks, x, keys(8))
    np.testing.assert_allclose(seen.loss, ((x - y) ** 2).sum((1, 2, 3)).mean(), rtol=1e-5)
    np.testing.assert_allclose(seen.metrics["rmse"], ((x - y) ** 2).mean() ** 0.5, rtol=1e-5)


def test_the_codes_take_no_part_in_the_gradient(evaluate, fresh, keys):
    """The gradient is that of the squared error alone, even where the updated averages are added to it."""

    def plain(networks, batch, keys):
        return jnp.square(batch.x - METHOD.reconstruct(networks, batch.x)).sum((1, 2, 3)).mean(), {}

    def more(networks, batch, keys):
        loss, _ = METHOD.loss(networks, batch, keys)
        return loss + networks["codes"].mean[...].sum() + networks["codes"].second[...].sum(), {}

    networks, x = fresh(METHOD, IMAGE), images(0)
    ours, theirs = (evaluate(loss, networks, x, keys(8)).grads for loss in (more, plain))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), ours, theirs)


def test_devices_agree(evaluate, fresh, keys):
    networks, x = fresh(METHOD, IMAGE), images(0)
    one, two = (evaluate(METHOD.loss, networks, x, keys(8), n) for n in (1, 2))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, two)


def test_the_prior_is_the_gaussian_of_the_codes(fresh, compiled, keys):
    """Of mean 1 and covariance 0.25 I here."""
    networks, k = fresh(METHOD, IMAGE), keys(4)
    networks["codes"].mean[...], networks["codes"].second[...] = jnp.ones(2), 0.25 * jnp.eye(2) + 1
    drawn = compiled(lambda k: (METHOD.draw_latents(networks, k), networks["codes"](normal(k, (2,)))))(k)
    np.testing.assert_array_equal(*drawn)


def test_all_kinds_at_once(evaluate, compiled, fresh, keys):
    """Corrupted in, clean out, sparse and contractive: each term by itself, of draws of its own.

    The penalised code is what the decoder sees, the units; the contraction is that of the clean examples.
    """
    method = dataclasses.replace(
        METHOD,
        corruption=Corruption(level=0.5),
        sparsity=Sparsity("kl", 2.0, 0.2),
        contraction=Contraction(3.0, exact=False),
    )
    networks, x, k = fresh(method, IMAGE), images(0), keys(8)

    def terms(x, k):
        z = method.encode(networks, corrupt(x, k, method.corruption, -1.0))
        active = jax.nn.sigmoid(z)
        cost = method.contraction.penalty(lambda x: jax.nn.sigmoid(method.encode(networks, x)), x, fold(k, 1))
        return active, jnp.tanh(networks["decoder"](active)), cost

    active, y, contraction = (np.asarray(a, float) for a in compiled(terms)(x, k))
    sparsity = 2 * sum(stats.entropy([0.2, 0.8], [rate, 1 - rate]) for rate in active.mean(0))
    seen = evaluate(method.loss, networks, x, k)
    np.testing.assert_allclose(seen.metrics["activity"], active.mean(), rtol=1e-5)
    np.testing.assert_allclose(seen.metrics["penalty"], sparsity + contraction, rtol=1e-4)
    error = ((x - y) ** 2).sum((1, 2, 3)).mean()
    np.testing.assert_allclose(seen.loss, error + sparsity + contraction, rtol=1e-4)
    assert method.penalised == ("encoder",) and METHOD.penalised == ()


def test_kinds_together_agree_on_devices(evaluate, fresh, keys):
    kinds = {"sparsity": Sparsity("l1"), "corruption": Corruption("gaussian", 0.5), "contraction": Contraction(1.0)}
    method = dataclasses.replace(METHOD, **kinds)
    networks, x = fresh(method, IMAGE), images(0)
    one, two = (evaluate(method.loss, networks, x, keys(8), n) for n in (1, 2))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, two)
