"""Consistency and LeCam in closed form, by themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.errors import Invalid
from genlab.kernels.augment import augment
from genlab.kernels.random import example_keys, fold
from genlab.nn.layers import AXIS
from genlab.parts.adversarial import REGULARISE, make_examples
from genlab.parts.regularise import Anchors, Regularise

IMAGE = (8, 8, 3)


def keys(n, seed=0):
    return example_keys(jax.random.key(seed), jnp.arange(n))


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


def test_lecam_is_its_closed_form():
    """E (D(x) - a_F)^2 + E (D(G(z)) - a_R)^2, with derivatives 2 (D(x) - a_F) / n and 2 (D(G(z)) - a_R) / n."""
    real, fake = np.array([1.0, 2.0, 4.0], np.float32), np.array([-1.0, 0.5, 0.0], np.float32)
    spec = Regularise(lecam=0.3)

    def cost(scores):
        both = iter(scores)  # real examples are scored first
        return spec.cost(lambda x: next(both), images(3), images(3, 1), keys(3), anchors(0.8, -0.2))

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


def test_lecam_may_charge_one_side_only():
    """The authors' code: E max(0, D(x) - a_F)^2 + E max(0, a_R - D(G(z)))^2."""
    real, fake = np.array([1.0, -2.0, 4.0], np.float32), np.array([-1.0, 2.0, 0.0], np.float32)
    spec = Regularise(lecam=1.0, lecam_one_sided=True)
    both = iter((jnp.asarray(real), jnp.asarray(fake)))
    total, _ = one_device(lambda: spec.cost(lambda x: next(both), images(3), images(3, 1), keys(3), anchors(0.8, -0.2)))
    expected = (1.2**2 + 4.2**2) / 3 + (1.8**2 + 0.8**2) / 3
    np.testing.assert_allclose(total, expected, rtol=1e-6)


def followed(spec, batches, k):
    """Anchors and LeCam's share of the loss after each of the updates, whose scores are constants (real, fake)."""
    found, seen = anchors(), []
    for turn, scores in enumerate(batches):
        both = iter(jnp.full(2, s) for s in scores)
        total, metrics = spec.cost(lambda x, both=both: next(both), images(2), images(2), k, found, jnp.int32(turn))
        seen.append((found.real[...], found.fake[...], total, metrics["lecam"]))
    return jnp.stack([jnp.stack(each) for each in seen])


BATCHES = ((2.0, -1.0), (4.0, 0.0), (1.0, -3.0), (0.0, 5.0))


def test_anchors_are_corrected_for_their_start_as_in_adam():
    """m_t / (1 - d^t) with m_t = d m_(t-1) + (1 - d) mean: the first is the first batch's mean, not near 0."""
    decay, k = 0.75, keys(2)
    seen = one_device(lambda: followed(Regularise(lecam=0.5, decay=decay), BATCHES, k))
    m = np.zeros(2)
    for t, scores in enumerate(BATCHES, 1):
        m = decay * m + (1 - decay) * np.array(scores)
        real, fake = m / (1 - decay**t)
        cost = (scores[0] - fake) ** 2 + (scores[1] - real) ** 2
        np.testing.assert_allclose(seen[t - 1], [real, fake, 0.5 * cost, cost], rtol=1e-5)


def test_lecam_may_begin_later():
    """Until then anchors are those of the last batch and nothing is charged; then the averages begin."""
    k = keys(2)
    seen = one_device(lambda: followed(Regularise(lecam=0.5, decay=0.75, lecam_start=2), BATCHES, k))
    fresh = one_device(lambda: followed(Regularise(lecam=0.5, decay=0.75), BATCHES[2:], k))
    np.testing.assert_allclose(seen[:2, :2], BATCHES[:2], rtol=1e-5)
    np.testing.assert_array_equal(seen[:2, 2], 0)
    np.testing.assert_allclose(seen[2:], fresh, rtol=1e-5)
    assert seen[3, 2] > 1


def test_outside_training_anchors_stay():
    found = anchors(0.8, -0.2)
    one_device(lambda: Regularise(lecam=1.0).cost(mean, images(3), images(3), keys(3), found))
    assert (found.real[...], found.fake[...]) == (jnp.float32(0.8), jnp.float32(-0.2))


def test_consistency_is_the_squared_change_of_the_score():
    """Real and fake examples by their own weights; both scores are differentiated."""
    real, fake, k = images(), images(seed=1), keys(8)
    spec = Regularise(consistency=2.0, consistency_fake=3.0, by=("flip", "translation"))
    total, seen = spec.cost(corner, real, fake, k, None)
    changes = [
        jnp.square(corner(x) - corner(augment(x, fold(k, i), spec.by, "reflect"))).mean()
        for i, x in enumerate((real, fake))
    ]
    assert min(changes) > 0.01
    np.testing.assert_allclose([seen["consistency"], seen["consistency_fake"]], changes, rtol=1e-6)
    np.testing.assert_allclose(total, 2 * changes[0] + 3 * changes[1], rtol=1e-6)
    # d/da of a^2 E (..)^2 at a = 1; with one of the scores held constant it would be half of that
    slope = jax.grad(lambda a: spec.cost(lambda x: a * corner(x), real, fake, k, None)[0])(1.0)
    np.testing.assert_allclose(slope, 2 * total, rtol=1e-5)


def test_consistency_costs_nothing_where_the_change_is_not_seen():
    """The mean of an image does not change when it is mirrored; a grey image does not change when it is saturated."""
    real, fake, k = images(), images(seed=1), keys(8)
    assert Regularise(consistency=9.0, consistency_fake=9.0, by=("flip",)).cost(mean, real, fake, k, None)[0] < 1e-10
    assert Regularise(consistency=9.0, by=("color",)).cost(mean, real, fake, k, None)[0] > 0.01


def test_no_weight_costs_nothing():
    x = images()
    assert Regularise().cost(corner, x, x, keys(8), None) == (0, {})
    assert Regularise().networks((2,)) == {} and Regularise().owned == ()


class Corner(nnx.Module):
    """D(x) = the label times a number of x."""

    def __call__(self, x, labels=None):
        return (labels * corner(x))[:, None]


def test_the_examples_of_an_update_pay_with_their_labels_and_a_stream_of_their_own():
    """As the opponent sees them, augmented."""
    spec, labels = Regularise(consistency=2.0, consistency_fake=3.0, lecam=0.5), jnp.arange(8) % 3
    examples = make_examples(images(), images(seed=1), labels, keys(8), ("cutout",))
    found = one_device(lambda: spec(Corner(), examples, anchors(0.3, -0.1), None))
    own = fold(keys(8), REGULARISE)
    expected = one_device(
        lambda: spec.cost(lambda x: labels * corner(x), examples.real, examples.fake, own, anchors(0.3, -0.1), None)
    )
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    assert found[0] > 0.1


def test_the_anchors_are_its_network():
    """Scores are all that they need, whatever is scored; consistency is of images."""
    lecam = Regularise(lecam=1.0)
    assert lecam.owned == ("anchors",) and isinstance(lecam.networks((2,))["anchors"], Anchors)
    consistent = Regularise(consistency=1.0)
    assert consistent.networks(IMAGE) == {}
    with pytest.raises(Invalid, match="^regularise: .* is not possible for data of shape"):
        consistent.networks((2,))


def test_what_cannot_work_is_refused():
    wrong = {"consistency": -1.0, "consistency_fake": -1.0, "lecam": -1.0, "decay": 1.0, "lecam_start": -1}
    for name, value in wrong.items():
        with pytest.raises(Invalid, match=f"^{name}: {value} is not"):
            Regularise(**{name: value})
    with pytest.raises(Invalid, match="^by: .* at least one kind"):
        Regularise(consistency=1.0, by=())
