"""Consistency and LeCam in closed form, by themselves and in every adversarial method; augmentation of both players."""

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
from genlab.methods.adversarial import FAKE, REGULARISE, SEEN_FAKE, SEEN_REAL
from genlab.methods.began import BEGAN
from genlab.methods.gan import GAN
from genlab.methods.regularise import Anchors, Regularise
from genlab.methods.wgan_gp import WGANGP
from genlab.nn.layers import AXIS
from genlab.nn.network import Net

NET = Net(width=4, depth=1, activation="silu")
IMAGE = (8, 8, 3)
METHODS = {
    "gan": GAN(latent=2, generator=NET, discriminator=NET),
    "pairing": GAN(latent=2, generator=NET, discriminator=NET, loss="relativistic_pairing"),
    "wgan_gp": WGANGP(latent=2, generator=NET, critic=NET),
    "began": BEGAN(latent=2, code=2, generator=NET, discriminator=NET),
}
EVERYTHING = Regularise(consistency=2.0, consistency_fake=3.0, by=("cutout", "translation"), lecam=0.7)


def images(n=8, seed=0):
    return jnp.asarray(np.random.default_rng(seed).uniform(-1, 1, (n, *IMAGE)), jnp.float32)


def anchors(real=0.0, fake=0.0):
    found = Anchors()
    found.real[...], found.fake[...] = jnp.float32(real), jnp.float32(fake)
    return found


def one_device(f):
    """f on the one device of an axis, over which the anchors average."""
    return jax.tree.map(lambda a: a[0], jax.vmap(lambda _: f(), axis_name=AXIS)(jnp.zeros(1)))


def mean(x):
    return x.mean((1, 2, 3))


def corner(x):
    return x[:, 0, 0, 0]


def test_lecam_is_its_closed_form(keys):
    """E (D(x) - a_F)^2 + E (D(G(z)) - a_R)^2, with derivatives 2 (D(x) - a_F) / n and 2 (D(G(z)) - a_R) / n."""
    real, fake = np.array([1.0, 2.0, 4.0], np.float32), np.array([-1.0, 0.5, 0.0], np.float32)
    spec = Regularise(lecam=0.3)

    def cost(scores):
        both = iter(scores)  # real examples are scored first
        return spec(lambda x: next(both), images(3), images(3, 1), keys(3), anchors(0.8, -0.2))

    total, seen = one_device(lambda: cost((jnp.asarray(real), jnp.asarray(fake))))
    expected = np.mean((real + 0.2) ** 2) + np.mean((fake - 0.8) ** 2)
    np.testing.assert_allclose(seen["lecam"], expected, rtol=1e-6)
    np.testing.assert_allclose(total, 0.3 * expected, rtol=1e-6)
    slopes = one_device(lambda: jax.grad(lambda s: cost(s)[0])((jnp.asarray(real), jnp.asarray(fake))))
    np.testing.assert_allclose(slopes[0], 0.3 * 2 * (real + 0.2) / 3, rtol=1e-5)
    np.testing.assert_allclose(slopes[1], 0.3 * 2 * (fake - 0.8) / 3, rtol=1e-5)


def test_anchors_move_towards_the_scores_of_all_devices():
    """a <- 0.9 a + 0.1 mean, of their own kind; as on one device."""
    real, fake = np.arange(8.0, dtype=np.float32), -np.ones(8, np.float32)

    def local(real, fake):
        moved = anchors(1.0, 2.0)
        moved.update(real, fake, 0.9, jnp.int32(10_000))
        return moved.real[...], moved.fake[...]

    for devices in (1, 2):
        parts = (jnp.asarray(a).reshape(devices, -1) for a in (real, fake))
        after = jax.vmap(local, axis_name=AXIS)(*parts)
        np.testing.assert_allclose(after[0], np.full(devices, 0.9 + 0.35), rtol=1e-6)
        np.testing.assert_allclose(after[1], np.full(devices, 1.8 - 0.1), rtol=1e-6)


def test_lecam_may_charge_one_side_only(keys):
    """The authors' code: E max(0, D(x) - a_F)^2 + E max(0, a_R - D(G(z)))^2."""
    real, fake = np.array([1.0, -2.0, 4.0], np.float32), np.array([-1.0, 2.0, 0.0], np.float32)
    spec = Regularise(lecam=1.0, lecam_one_sided=True)
    both = iter((jnp.asarray(real), jnp.asarray(fake)))
    total, _ = one_device(lambda: spec(lambda x: next(both), images(3), images(3, 1), keys(3), anchors(0.8, -0.2)))
    expected = (1.2**2 + 4.2**2) / 3 + (1.8**2 + 0.8**2) / 3
    np.testing.assert_allclose(total, expected, rtol=1e-6)


def followed(spec, batches, k):
    """Anchors and LeCam's share of the loss after each of the updates, whose scores are constants (real, fake)."""
    found, seen = anchors(), []
    for turn, scores in enumerate(batches):
        both = iter(jnp.full(2, s) for s in scores)
        total, metrics = spec(lambda x, both=both: next(both), images(2), images(2), k, found, jnp.int32(turn))
        seen.append((found.real[...], found.fake[...], total, metrics["lecam"]))
    return jnp.stack([jnp.stack(each) for each in seen])


BATCHES = ((2.0, -1.0), (4.0, 0.0), (1.0, -3.0), (0.0, 5.0))


def test_anchors_are_corrected_for_their_start_as_in_adam(keys):
    """m_t / (1 - d^t) with m_t = d m_(t-1) + (1 - d) mean: the first is the first batch's mean, not near 0."""
    decay, k = 0.75, keys(2)
    seen = one_device(lambda: followed(Regularise(lecam=0.5, decay=decay), BATCHES, k))
    m = np.zeros(2)
    for t, scores in enumerate(BATCHES, 1):
        m = decay * m + (1 - decay) * np.array(scores)
        real, fake = m / (1 - decay**t)
        cost = (scores[0] - fake) ** 2 + (scores[1] - real) ** 2
        np.testing.assert_allclose(seen[t - 1], [real, fake, 0.5 * cost, cost], rtol=1e-5)


def test_lecam_may_begin_later(keys):
    """Until then anchors are those of the last batch and nothing is charged; then the averages begin."""
    k = keys(2)
    seen = one_device(lambda: followed(Regularise(lecam=0.5, decay=0.75, lecam_start=2), BATCHES, k))
    fresh = one_device(lambda: followed(Regularise(lecam=0.5, decay=0.75), BATCHES[2:], k))
    np.testing.assert_allclose(seen[:2, :2], BATCHES[:2], rtol=1e-5)
    np.testing.assert_array_equal(seen[:2, 2], 0)
    np.testing.assert_allclose(seen[2:], fresh, rtol=1e-5)
    assert seen[3, 2] > 1


def test_outside_training_anchors_stay(keys):
    found = anchors(0.8, -0.2)
    one_device(lambda: Regularise(lecam=1.0)(mean, images(3), images(3), keys(3), found))
    assert (found.real[...], found.fake[...]) == (jnp.float32(0.8), jnp.float32(-0.2))


def test_consistency_is_the_squared_change_of_the_score(keys):
    """Real and fake examples by their own weights; both scores are differentiated."""
    real, fake, k = images(), images(seed=1), keys(8)
    spec = Regularise(consistency=2.0, consistency_fake=3.0, by=("flip", "translation"))
    total, seen = spec(corner, real, fake, k, None)
    changes = [
        jnp.square(corner(x) - corner(augment(x, fold(k, i), spec.by, "reflect"))).mean()
        for i, x in enumerate((real, fake))
    ]
    assert min(changes) > 0.01
    np.testing.assert_allclose([seen["consistency"], seen["consistency_fake"]], changes, rtol=1e-6)
    np.testing.assert_allclose(total, 2 * changes[0] + 3 * changes[1], rtol=1e-6)
    # d/da of a^2 E (..)^2 at a = 1; with one of the scores held constant it would be half of that
    slope = jax.grad(lambda a: spec(lambda x: a * corner(x), real, fake, k, None)[0])(1.0)
    np.testing.assert_allclose(slope, 2 * total, rtol=1e-5)


def test_consistency_costs_nothing_where_the_change_is_not_seen(keys):
    """The mean of an image does not change when it is mirrored; a grey image does not change when it is saturated."""
    real, fake, k = images(), images(seed=1), keys(8)
    assert Regularise(consistency=9.0, consistency_fake=9.0, by=("flip",))(mean, real, fake, k, None)[0] < 1e-10
    assert Regularise(consistency=9.0, by=("color",))(mean, real, fake, k, None)[0] > 0.01


def test_weights_of_zero_leave_a_loss_as_it_is(evaluate, fresh, keys):
    method, x, k = METHODS["gan"], images(), keys(8)
    assert Regularise()(corner, x, x, k, None) == (0, {})
    assert set(fresh(method, IMAGE)) == {"generator", "discriminator"}
    assert not {"consistency", "lecam"} & set(evaluate(method.opponent_loss, fresh(method, IMAGE), x, k).metrics)


@pytest.mark.parametrize("name", ["gan", "wgan_gp", "began"])
def test_every_method_takes_them_all_and_devices_agree(evaluate, compiled, fresh, keys, name):
    """The parts of the loss at what the opponent sees, added up; and the anchors move."""
    method = dataclasses.replace(METHODS[name], regularise=EVERYTHING, augment=("color", "translation"))
    networks, x, k = fresh(method, IMAGE), images(), keys(8)
    first = partial(method.opponent_loss, turn=jnp.int32(0))
    one, two = (evaluate(first, networks, x, k, devices) for devices in (1, 2))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), one, two)
    bare = dataclasses.replace(method, regularise=Regularise())
    plain = evaluate(bare.opponent_loss, {n: net for n, net in networks.items() if n != "anchors"}, x, k)

    @compiled
    def scored(x, k):
        fake = method.sample(networks, fold(k, FAKE))
        seen = [augment(v, fold(k, s), method.augment) for v, s in ((x, SEEN_REAL), (fake, SEEN_FAKE))]
        changed = [augment(v, fold(fold(k, REGULARISE), i), EVERYTHING.by, "reflect") for i, v in enumerate(seen)]
        return [method.score(networks, v) for v in (*seen, *changed)]

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
        fake = augment(method.sample(networks, k), fold(k, SEEN_FAKE), method.augment)
        real = augment(x, fold(k, SEEN_REAL), method.augment) if name == "pairing" else None
        return method.deceive(networks, real, fake, None)[0]

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
    wrong = {"consistency": -1.0, "consistency_fake": -1.0, "lecam": -1.0, "decay": 1.0, "lecam_start": -1}
    for name, value in wrong.items():
        with pytest.raises(Invalid, match=f"^{name}: {value} is not"):
            Regularise(**{name: value})
    with pytest.raises(Invalid, match="^by: .* at least one kind"):
        Regularise(consistency=1.0, by=())
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
