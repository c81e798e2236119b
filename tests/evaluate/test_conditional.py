"""What evaluation makes of methods that are given labels."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.data.config import Data
from genlab.data.feed import Batch, to_uint8
from genlab.errors import Invalid
from genlab.evaluate import inference
from genlab.evaluate.evaluator import Run, Settings, evaluate, make_extractor
from genlab.evaluate.extractors import extract
from genlab.evaluate.representation import features
from genlab.evaluate.samples import Sampler
from genlab.nn.layers import AXIS
from genlab.parts.labels import Conditioning

SHAPE = (8, 8, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, (30, *SHAPE), np.uint8)
LABELS = np.random.default_rng(1).integers(0, 10, 30).astype(np.int32)


def test_a_conditional_bound_is_that_of_each_image_given_its_label(untrained):
    vae = untrained("cvae", SHAPE)
    method, x, networks = vae.method, jnp.asarray(IMAGES) / 127.5 - 1, vae.game.sampling_networks(vae.state, ema=True)
    found, other = (inference.likelihood(vae, IMAGES, 300, labels) for labels in (LABELS, (LABELS + 1) % 10))
    batch = Batch(x, jnp.asarray(LABELS))
    loss = jax.vmap(lambda keys: method.loss(networks, batch, keys, None)[0], axis_name=AXIS)
    losses = jax.jit(lambda keys: jax.lax.map(lambda k: loss(k[None])[0], keys))(
        jax.random.split(jax.random.key(3), (500, 30))
    )
    error = np.std(losses) / math.sqrt(500)
    ours, wrong = found["grey_cross_entropy"], other["grey_cross_entropy"]
    assert abs(ours - np.mean(losses)) < 4 * error < abs(ours - wrong)
    again, wrong = (inference.reconstruction(vae, IMAGES, labels)["mse"] for labels in (LABELS, (LABELS + 1) % 10))
    rebuilt = (np.asarray(method.reconstruct(networks, x, jnp.asarray(LABELS))) + 1) / 2
    np.testing.assert_allclose(again, np.square(rebuilt - IMAGES / 255).mean(), rtol=1e-4)
    assert again != wrong
    assert inference.latents(vae, IMAGES, LABELS).keys() == {"active_units", "collapsed_units"}
    with pytest.raises(Invalid, match="'representation' is not possible of a network that takes labels"):
        features(vae, IMAGES, LABELS)


@pytest.mark.parametrize("use", ["projection", "auxiliary"])
def test_a_discriminators_features_are_what_its_output_sees(untrained, use):
    """Values of one class are affine in them."""
    model = untrained("cgan", SHAPE, method={"labels": Conditioning(use)})
    images, ones = np.concatenate([IMAGES, 255 - IMAGES]), np.ones(60, np.int32)
    found = features(model, images, ones)
    assert found.shape == (60, 8)
    networks = model.game.merge(model.state.params, model.state.stats, train=False)
    value = networks["discriminator"](jnp.asarray(images) / 127.5 - 1, jnp.asarray(ones))[:, 0]
    design = np.column_stack([found, ones])
    fitted = design @ np.linalg.lstsq(design, np.asarray(value), rcond=None)[0]
    np.testing.assert_allclose(fitted, value, atol=1e-4)
    conditional = untrained("cgan", SHAPE, method={"labels": Conditioning("concat")})
    with pytest.raises(Invalid, match="takes labels"):
        features(conditional, images, ones)


def test_label_accuracy_is_the_classifiers_share_of_samples_in_their_class(untrained, tmp_path):
    model = untrained("cgan", SHAPE)
    labels = Sampler(model.game, True, "average").labels(180, 0)
    x = model.sample(180, 0)
    np.testing.assert_allclose(model.sample(180, 0, labels), x, atol=1e-6)  # those that it draws itself
    assert (np.bincount(labels, minlength=10) > 5).all()
    found = extract(make_extractor("digits", SHAPE, Settings()), to_uint8(x)).logits.argmax(1)
    real, run = evaluate([Run(tmp_path, model)], {}, Data(), Settings(metrics=("classes",), seeds=1))
    np.testing.assert_allclose(run.scores["label_accuracy"], (found == labels).mean())
    assert "label_accuracy" not in real.scores
    assert Sampler(untrained("gan", SHAPE).game, True, "average").labels(9, 0) is None
