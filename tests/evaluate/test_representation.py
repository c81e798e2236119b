"""What features know of labels, and where a discriminator's features come from."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from genlab.errors import Invalid
from genlab.evaluate.representation import accuracies, features
from genlab.nn.net import Net

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), np.uint8)


def clouds(n, apart, seed):
    """Three classes of points, `apart` standard deviations from each other, in features of very different scales."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 3
    return (rng.normal(size=(n, 3)) + apart * np.eye(3)[label]) * [1e-3, 1, 1e3], label


def test_what_is_apart_is_told_apart_and_noise_is_not():
    found = accuracies(*clouds(300, 12, 0), *clouds(90, 12, 1))
    assert found == dict.fromkeys(("knn_train", "knn_test", "probe_train", "probe_test"), 1.0)
    noise = accuracies(*clouds(300, 0, 0), *clouds(300, 0, 1))
    assert all(abs(value - 1 / 3) < 0.12 for value in noise.values())


def test_a_training_example_is_not_its_own_neighbour():
    """Random labels of five copies of the same features: a vote with itself would do better than chance."""
    rng = np.random.default_rng(2)
    x, label = rng.normal(size=(400, 2)), rng.integers(0, 2, 400)
    assert (
        abs(accuracies(x, label, x, label)["knn_train"] - 0.5) < 0.1 < accuracies(x, label, x, label)["knn_test"] - 0.5
    )


def test_labels_are_needed():
    with pytest.raises(Invalid, match="metrics: 'representation' is not possible without labels"):
        accuracies(np.zeros((9, 2)), np.zeros(9, int), np.zeros((2, 2)), np.zeros(2, int))


def test_an_encoders_features_are_its_latents(untrained):
    vae = untrained("vae", (8, 8, 1))
    networks = vae.game.sampling_networks(vae.state, ema=True)
    x = jnp.asarray(IMAGES) / 127.5 - 1
    np.testing.assert_allclose(features(vae, IMAGES), vae.game.method.encode(networks, x), atol=1e-5)


@pytest.mark.parametrize("backbone", ["mlp", "dcgan"])
@pytest.mark.parametrize("preset", ["gan", "wgan_gp"])
def test_an_opponents_features_are_what_its_output_is_linear_in(untrained, preset, backbone):
    """On examples enough, the critic's value is an affine function of them; they are no single number themselves."""
    name = "critic" if preset == "wgan_gp" else "discriminator"
    model = untrained(preset, (8, 8, 1), method={name: Net(backbone, width=2 if backbone == "dcgan" else 8)})
    images = np.concatenate([IMAGES, 255 - IMAGES, IMAGES // 2])
    found = features(model, images)
    assert found.shape[0] == 60 and 8 <= found.shape[1] < 50
    x = jnp.asarray(images) / 127.5 - 1
    networks = model.game.merge(model.state.params, model.state.stats, train=False)
    value = np.asarray(networks[name](x))[:, 0]
    design = np.column_stack([found, np.ones(len(found))])
    fitted = design @ np.linalg.lstsq(design, value, rcond=None)[0]
    np.testing.assert_allclose(fitted, value, atol=1e-4)


def test_models_without_features_are_named(untrained):
    gan = untrained("gan", (8, 8, 1))
    state = dataclasses.replace(gan.state, params={"generator": gan.state.params["generator"]})
    with pytest.raises(Invalid, match="metrics: representation; GAN has no features"):
        features(dataclasses.replace(gan, state=state), IMAGES)
