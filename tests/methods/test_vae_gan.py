"""The VAE-GAN's three losses from its networks' outputs, and who is moved by what."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy import stats

from genlab.errors import Invalid
from genlab.kernels.random import fold, normal
from genlab.methods.vae_gan import VAEGAN
from genlab.nn.layers import Affine
from genlab.nn.net import Net

SMALL = Net(width=4, depth=1)
METHOD = VAEGAN(latent=2, encoder=SMALL, decoder=SMALL, discriminator=SMALL, features=5, gamma=3.0)
IMAGE = (2, 2, 1)


def examples(n=8):
    return jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (n, *IMAGE)), jnp.float32)


@pytest.fixture
def outputs(fresh, keys, compiled):
    """What the networks say: the posterior, and features and logits of real, rebuilt and sampled examples."""
    networks, x, k = fresh(METHOD, IMAGE), examples(), keys(8)

    def run(x, k):
        mean, log_variance = jnp.split(networks["encoder"](x), 2, axis=1)
        z = mean + jnp.exp(log_variance / 2) * normal(fold(k, 0), (2,))
        fakes = (jnp.tanh(networks["decoder"](code)) for code in (z, normal(fold(k, 1), (2,))))
        discriminator = networks["discriminator"]
        trunk = [jax.nn.relu(discriminator.trunk(y)) for y in (x, *fakes)]
        return mean, log_variance, trunk, [discriminator.output(y)[:, 0] for y in trunk]

    return jax.tree.map(lambda a: np.asarray(a, float), compiled(run)(x, k))


def test_the_losses_are_those_of_algorithm_1(evaluate, fresh, keys, outputs):
    """Cross-entropies of real, rebuilt and sampled examples, and a Gaussian over features, by numpy and scipy."""
    mean, log_variance, features, logits = outputs
    real, rebuilt, fake = (1 / (1 + np.exp(-logit)) for logit in logits)
    kl = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(1).mean()
    distortion = -stats.norm.logpdf(features[0], features[1]).sum(1).mean()
    assert features[0].shape == (8, 5)
    expected = {
        "discriminator": -(np.log(real) + np.log(1 - rebuilt) + np.log(1 - fake)).mean(),
        "encoder": kl + distortion,
        "decoder": 3 * distortion - (np.log(rebuilt) + np.log(fake)).mean(),
    }
    for player in METHOD.players():
        seen = evaluate(player.loss, fresh(METHOD, IMAGE), examples(), keys(8))
        np.testing.assert_allclose(seen.loss, expected[player.name], rtol=1e-5)


def test_everyone_is_moved_by_its_own_loss(evaluate, fresh, keys):
    """The loss of each player has a gradient in its own network, and the decoder's in no prior sample only."""
    for player in METHOD.players():
        seen = evaluate(player.loss, fresh(METHOD, IMAGE), examples(), keys(8))
        for name in player.networks:
            assert max(abs(np.asarray(g)).max() for g in jax.tree.leaves(seen.grads[name])) > 1e-4


def test_gamma_weighs_the_reconstruction_in_the_decoder_alone(evaluate, fresh, keys):
    networks, x = fresh(METHOD, IMAGE), examples()
    other = dataclasses.replace(METHOD, gamma=0.0)
    distortion = evaluate(METHOD.encoder_loss, networks, x, keys(8)).metrics["distortion"]
    ours, without = (evaluate(m.decoder_loss, networks, x, keys(8)).loss for m in (METHOD, other))
    np.testing.assert_allclose(ours - without, 3 * distortion, rtol=1e-5)
    assert (
        evaluate(other.encoder_loss, networks, x, keys(8)).loss
        == evaluate(METHOD.encoder_loss, networks, x, keys(8)).loss
    )


def test_devices_agree(evaluate, fresh, keys):
    for player in METHOD.players():
        one, two = (evaluate(player.loss, fresh(METHOD, IMAGE), examples(), keys(8), n) for n in (1, 2))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, two)


@pytest.mark.parametrize(("field", "value"), [("features", 0), ("gamma", -1.0)])
def test_bad_fields_are_named(field, value):
    with pytest.raises(Invalid, match=f"^{field}: {value} is not at least "):
        dataclasses.replace(METHOD, **{field: value})


def test_spectral_norm_reaches_the_last_layer(fresh):
    """The logit's, which stands beside the network that makes the features."""
    method = VAEGAN(latent=2, discriminator=Net(width=4, depth=1, spectral=True))
    layers = [m for _, m in nnx.iter_modules(fresh(method)["discriminator"]) if isinstance(m, Affine)]
    assert len(layers) == 3 and all(layer.u is not None for layer in layers)
