"""The mixture of posteriors as a prior: its density, its draws, its place in the bound."""

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
from genlab.parts.objective import Objective
from genlab.parts.posterior import Posterior
from genlab.parts.prior import Prior, PseudoInputs

SMALL = Net(width=4, depth=1)
PLAIN = VAE(latent=2, encoder=SMALL, decoder=SMALL)
METHOD = dataclasses.replace(PLAIN, prior=Prior("vamp", components=3), objective=Objective(beta=2.0))
IMAGE = (2, 2, 1)


def examples(n=8):
    return jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (n, *IMAGE)), jnp.float32)


def components(networks):
    """Means and standard deviations of the encoder's posteriors at the pseudo-inputs."""
    q = METHOD.model.q(networks, jnp.tanh(networks["prior"].inputs[...]))
    return np.asarray(q.mean, float), np.exp(np.asarray(q.log_variance, float) / 2)


def test_the_prior_is_the_mean_of_the_posteriors(fresh):
    """By scipy, and its integral over the plane is 1."""
    networks = fresh(METHOD, IMAGE)
    mean, deviation = components(networks)
    z = np.random.default_rng(1).normal(size=(20, 2)).astype(np.float32)
    each = stats.norm.logpdf(z[:, None], mean, deviation).sum(2)
    expected = special.logsumexp(each, axis=1) - np.log(3)
    np.testing.assert_allclose(METHOD.model.p(networks).log_probability(jnp.asarray(z)), expected, rtol=1e-4)
    side = np.linspace(-12, 12, 200, dtype=np.float32)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    mass = (
        np.exp(np.asarray(METHOD.model.p(networks).log_probability(jnp.asarray(grid)), float)).sum()
        * (side[1] - side[0]) ** 2
    )
    np.testing.assert_allclose(mass, 1, atol=0.01)


def test_draws_have_the_mixtures_moments(fresh, keys, compiled):
    """Mean and second moment of 20,000 draws, within 5 standard errors, which are below 0.05."""
    networks = fresh(METHOD, IMAGE)
    mean, deviation = components(networks)
    drawn = np.asarray(compiled(lambda k: METHOD.draw_latents(networks, k))(keys(20_000)))
    np.testing.assert_allclose(drawn.mean(0), mean.mean(0), atol=0.1)
    np.testing.assert_allclose((drawn**2).mean(0), (mean**2 + deviation**2).mean(0), atol=0.25)


def test_loss_and_weights_are_one_bound(evaluate, fresh, keys):
    """distortion + KL = -log weight for the same latents, all of them counted; beta weighs the KL term."""
    networks, x = fresh(METHOD, IMAGE), examples()
    seen = evaluate(METHOD.loss, networks, x, keys(8))
    np.testing.assert_allclose(seen.metrics["elbo"], METHOD.log_weight(networks, x, keys(8)).mean(), rtol=1e-5)
    np.testing.assert_allclose(seen.loss, seen.metrics["distortion"] + 2 * seen.metrics["kl"], rtol=1e-5)
    assert abs(np.asarray(seen.grads["prior"]["inputs"])).max() > 0


def test_with_a_standard_normal_posterior_it_is_the_vae(evaluate, fresh, keys):
    """Where the encoder always answers N(0, I), so does the prior: the KL is 0, as the plain VAE's."""
    networks = fresh(METHOD, IMAGE)
    output = networks["encoder"].layers.layers[-1]
    output.kernel[...] = jnp.zeros_like(output.kernel[...])
    seen = evaluate(METHOD.loss, networks, examples(), keys(8))
    expected = evaluate(PLAIN.loss, {n: networks[n] for n in PLAIN.sampling}, examples(), keys(8))
    np.testing.assert_allclose(seen.metrics["kl"], 0, atol=1e-5)
    np.testing.assert_allclose(seen.loss, expected.loss, rtol=1e-5)


def test_devices_agree(evaluate, fresh, keys):
    one, two = (evaluate(METHOD.loss, fresh(METHOD, IMAGE), examples(), keys(8), n) for n in (1, 2))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, two)


def test_pseudo_inputs_are_images():
    """Whatever they are moved to, they stay in [-1, 1]; points are free."""
    for shape, bounded in ((IMAGE, True), ((2,), False)):
        pseudo = PseudoInputs(3, shape, rngs=nnx.Rngs(0))
        pseudo.inputs[...] = 9 * jnp.ones_like(pseudo.inputs[...])
        assert (pseudo().max() <= 1) == bounded and pseudo().shape == (3, *shape)


def test_what_cannot_work_is_refused():
    with pytest.raises(Invalid, match="^components: 0 is not at least 1$"):
        Prior("vamp", components=0)
    with pytest.raises(Invalid, match="^encoder.dropout: 0.5 is not 0, as a vamp prior"):
        VAE(prior=Prior("vamp"), encoder=Net(dropout=0.5))
    with pytest.raises(Invalid, match="^encoder.norm: 'batch' is not allowed"):
        VAE(prior=Prior("vamp"), encoder=Net(norm="batch"))
    with pytest.raises(Invalid, match="^classes: 3 is not 0, as a vamp prior"):
        VAE(prior=Prior("vamp"), classes=3)
    with pytest.raises(Invalid, match="^posterior.name: 'iaf' is not allowed under a vamp prior"):
        VAE(prior=Prior("vamp"), posterior=Posterior("iaf"))
