"""Consistency, LeCam and augmentation in every adversarial method, and of both players."""

import dataclasses
import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.errors import Invalid
from genlab.kernels.augment import augment
from genlab.kernels.random import fold
from genlab.methods.began import BEGAN
from genlab.methods.gan import GAN
from genlab.methods.wgan_gp import WGANGP
from genlab.nn.net import Net
from genlab.parts.adversarial import AUGMENT_FAKE, AUGMENT_REAL, FAKE, REGULARISE, values
from genlab.parts.regularise import Regularise

NET = Net(width=4, depth=1, activation="silu")
IMAGE = (8, 8, 3)
METHODS = {
    "gan": GAN(latent=2, generator=NET, discriminator=NET),
    "pairing": GAN(latent=2, generator=NET, discriminator=NET, loss="relativistic_pairing"),
    "wgan_gp": WGANGP(latent=2, generator=NET, critic=NET),
    "began": BEGAN(latent=2, code=2, generator=NET, discriminator=NET),
}
OPPONENTS = {"gan": "discriminator", "pairing": "discriminator", "wgan_gp": "critic", "began": "discriminator"}
GENERATOR = {  # what it minimises, of the opponent's values of real and fake examples
    "gan": lambda real, fake: jax.nn.softplus(-fake),
    "pairing": lambda real, fake: jax.nn.softplus(real - fake),
    "wgan_gp": lambda real, fake: -fake,
    "began": lambda real, fake: fake,
}
EVERYTHING = Regularise(consistency=2.0, consistency_fake=3.0, by=("cutout", "translation"), lecam=0.7)


def images(n=8, seed=0):
    return jnp.asarray(np.random.default_rng(seed).uniform(-1, 1, (n, *IMAGE)), jnp.float32)


def opponent_loss(name, method):
    return getattr(method, f"{OPPONENTS[name]}_loss")


def test_weights_of_zero_leave_a_loss_as_it_is(evaluate, fresh, keys):
    method, x, k = METHODS["gan"], images(), keys(8)
    assert set(fresh(method, IMAGE)) == {"generator", "discriminator"}
    assert not {"consistency", "lecam"} & set(evaluate(method.discriminator_loss, fresh(method, IMAGE), x, k).metrics)


@pytest.mark.parametrize("name", ["gan", "wgan_gp", "began"])
def test_every_method_takes_them_all_and_devices_agree(evaluate, compiled, fresh, keys, name):
    """The parts of the loss at what the opponent sees, added up; and the anchors move."""
    method = dataclasses.replace(METHODS[name], regularise=EVERYTHING, augment=("color", "translation"))
    networks, x, k = fresh(method, IMAGE), images(), keys(8)
    first = partial(opponent_loss(name, method), turn=jnp.int32(0))
    one, two = (evaluate(first, networks, x, k, devices) for devices in (1, 2))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), one, two)
    bare = dataclasses.replace(method, regularise=Regularise())
    plain = evaluate(opponent_loss(name, bare), {n: net for n, net in networks.items() if n != "anchors"}, x, k)

    @compiled
    def scored(x, k):
        fake = method.sample(networks, fold(k, FAKE))
        seen = [augment(v, fold(k, s), method.augment) for v, s in ((x, AUGMENT_REAL), (fake, AUGMENT_FAKE))]
        changed = [augment(v, fold(fold(k, REGULARISE), i), EVERYTHING.by, "reflect") for i, v in enumerate(seen)]
        return [values(networks[OPPONENTS[name]], v) for v in (*seen, *changed)]

    scores = scored(x, k)
    expected = {
        "consistency": jnp.square(scores[0] - scores[2]).mean(),
        "consistency_fake": jnp.square(scores[1] - scores[3]).mean(),
        "lecam": jnp.square(scores[0] - scores[1].mean()).mean() + jnp.square(scores[1] - scores[0].mean()).mean(),
    }
    for part, value in expected.items():
        np.testing.assert_allclose(one.metrics[part], value, rtol=1e-3, atol=1e-7)
    weighted = 2 * expected["consistency"] + 3 * expected["consistency_fake"] + 0.7 * expected["lecam"]
    np.testing.assert_allclose(one.loss - plain.loss, weighted, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(one.stats["anchors"]["real"], scores[0].mean(), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(one.stats["anchors"]["fake"], scores[1].mean(), rtol=1e-3, atol=1e-6)
    assert max(abs(g).max() for g in jax.tree.leaves(one.grads["generator"])) == 0


@pytest.mark.parametrize("name", ["gan", "pairing", "wgan_gp", "began"])
def test_the_generator_learns_through_what_the_opponent_sees(evaluate, compiled, fresh, keys, name):
    """Its loss is that of its fakes as the opponent sees them, and its gradient goes through the change."""
    method = dataclasses.replace(METHODS[name], augment=("translation", "cutout"))
    networks, x, k = fresh(method, IMAGE), images(), keys(8)
    given = x if name == "pairing" else None
    seen = evaluate(method.generator_loss, networks, given, k)

    @compiled
    def expected(x, k):
        fake = augment(method.sample(networks, k), fold(k, AUGMENT_FAKE), method.augment)
        real = augment(x, fold(k, AUGMENT_REAL), method.augment)
        return GENERATOR[name](*(values(networks[OPPONENTS[name]], v) for v in (real, fake))).mean()

    np.testing.assert_allclose(seen.loss, expected(x, k), rtol=1e-4)
    plain = evaluate(METHODS[name].generator_loss, networks, given, k)
    assert abs(seen.loss - plain.loss) > 1e-5
    assert max(abs(g).max() for g in jax.tree.leaves(seen.grads["generator"])) > 1e-6


def test_a_larger_batch_of_fakes_is_the_mean_of_its_parts(evaluate, fresh, keys):
    """The first part is that of a batch of one each, the others are fresh; batch norm sees all of them at once."""
    method = dataclasses.replace(METHODS["wgan_gp"], generator_batch=3)
    networks, k = fresh(method, IMAGE), keys(8)
    single = METHODS["wgan_gp"]
    parts = [evaluate(single.generator_loss, networks, None, part).loss for part in (k, fold(k, 6), fold(k, 7))]
    assert len(set(map(float, parts))) == 3
    one, two = (evaluate(method.generator_loss, networks, None, k, devices) for devices in (1, 2))
    np.testing.assert_allclose([one.loss, two.loss], np.mean(parts), rtol=1e-4)
    normed = dataclasses.replace(method, generator=dataclasses.replace(NET, norm="batch"))
    one, two = (evaluate(normed.generator_loss, fresh(normed, IMAGE), None, k, devices) for devices in (1, 2))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), one, two)


def test_what_cannot_work_is_refused():
    with pytest.raises(Invalid, match="^generator_batch: 0 is not at least 1"):
        dataclasses.replace(METHODS["gan"], generator_batch=0)
    with pytest.raises(Invalid, match="^generator_batch: 2 is not possible with relativistic_pairing"):
        dataclasses.replace(METHODS["pairing"], generator_batch=2)
    points = {"augment": {"augment": ("color",)}, "regularise": {"regularise": EVERYTHING}}
    for (field, changes), method in itertools.product(points.items(), METHODS.values()):
        with pytest.raises(Invalid, match=f"^{field}: .* is not possible for data of shape"):
            dataclasses.replace(method, **changes).networks((2,), nnx.Rngs(0))
    lecam = dataclasses.replace(METHODS["gan"], regularise=Regularise(lecam=1.0))
    assert "anchors" in lecam.networks((2,), nnx.Rngs(0))  # scores are all that it needs
