"""FactorVAE: its two losses by hand, and latents from different examples."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from genlab.errors import Invalid
from genlab.methods.factor_vae import FactorVAE, shuffled
from genlab.methods.vae import VAE
from genlab.nn.layers import AXIS
from genlab.nn.net import Net

SMALL = Net(width=4, depth=1, activation="silu")
METHOD = FactorVAE(latent=3, encoder=SMALL, decoder=SMALL, discriminator=SMALL, gamma=4.0)
IMAGE = (2, 2, 1)


def examples(n=8):
    return np.random.default_rng(0).uniform(-1, 1, (n, *IMAGE)).astype(np.float32)


def drawn(networks, x, k, compiled):
    z = compiled(lambda x, k: METHOD.model.q(networks, x).draw(k))(jnp.asarray(x), k)
    return np.asarray(z), lambda z: np.asarray(compiled(networks["discriminator"])(jnp.asarray(z)), float)[:, 0]


def test_the_loss_is_the_bound_and_the_mean_logit(noisy, evaluate, fresh, keys, compiled):
    networks, x, k = noisy(fresh(METHOD, IMAGE)), examples(), keys(8)
    z, logits = drawn(networks, x, k, compiled)
    plain = VAE(latent=3, encoder=SMALL, decoder=SMALL)
    bound = evaluate(plain.loss, {name: networks[name] for name in plain.sampling}, x, k)
    seen = evaluate(METHOD.loss, networks, x, k)
    np.testing.assert_allclose(seen.loss, bound.loss + 4 * logits(z).mean(), rtol=1e-5)
    np.testing.assert_allclose(seen.metrics["total_correlation"], logits(z).mean(), rtol=1e-4, atol=1e-6)


def test_the_discriminator_tells_draws_from_shuffled_ones(noisy, evaluate, fresh, keys, compiled):
    networks, x, k = noisy(fresh(METHOD, IMAGE)), examples(), keys(8)
    z, logits = drawn(networks, x, k, compiled)
    apart = np.stack([np.roll(z[:, i], -i) for i in range(3)], axis=1)
    expected = -np.log(special.expit(logits(z))).mean() - np.log(1 - special.expit(logits(apart))).mean()
    one, two = (evaluate(METHOD.discriminator_loss, networks, x, k, devices) for devices in (1, 2))
    np.testing.assert_allclose(one.loss, expected, rtol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, two)
    assert not np.any(jax.tree.leaves(one.grads["encoder"])[0])


def test_no_two_latents_of_a_row_come_from_one_example():
    z = jnp.arange(5.0)[:, None] + jnp.zeros(3)
    rows = np.asarray(jax.vmap(shuffled, axis_name=AXIS)(z[None])[0])
    assert all(len(set(row)) == 3 for row in rows)
    for latent in rows.T:
        assert sorted(latent) == [0, 1, 2, 3, 4]


def test_what_cannot_work_is_refused():
    with pytest.raises(Invalid, match="^gamma: -1.0 is not at least 0$"):
        dataclasses.replace(METHOD, gamma=-1.0)
