"""A gradient penalty of a batch: labels, laziness and the tally; that of augmented images is with the methods."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.errors import Invalid
from genlab.kernels.penalty import Penalty
from genlab.kernels.random import example_keys
from genlab.nn.layers import AXIS
from genlab.nn.net import Net
from genlab.parts.adversarial import make_examples
from genlab.parts.course import Course
from genlab.parts.penalty import (
    SLOPES,
    check_course,
    check_dropout,
    current_weight,
    mean_penalty,
    slope_metrics,
    tally_shapes,
)
from genlab.parts.tally import Tally

W = np.array([[0.6, 0.8], [3.0, 4.0], [0.0, 2.0]], np.float32)  # of slopes 1, 5 and 2
LABELS = np.array([0, 1, 2, 1], np.int32)


class Linear(nnx.Module):
    """D(x, y) = w_y x."""

    def __call__(self, x, labels=None):
        return (jnp.asarray(W)[jnp.zeros(len(x), jnp.int32) if labels is None else labels] * x).sum(1, keepdims=True)


def penalty(spec, labels=None, turn=None, tallies=False, weight=None):
    """On the one device of an axis; and what the tally holds afterwards."""
    real, fake = np.random.default_rng(0).normal(size=(2, 4, 2)).astype(np.float32)
    keys = example_keys(jax.random.key(0), jnp.arange(4))

    def run(_):
        examples = make_examples(jnp.asarray(real), jnp.asarray(fake), labels, keys)
        tally = Tally(SLOPES) if tallies else None
        found = mean_penalty(spec, Linear(), examples, tally, turn, weight)
        return found, tally and ({name: mean[...] for name, mean in tally.means.items()}, tally.count[...])

    return jax.tree.map(lambda a: a[0], jax.vmap(run, axis_name=AXIS)(jnp.zeros(1)))


@pytest.mark.parametrize("where", ["interpolated", "real", "fake", "both"])
def test_every_point_has_its_own_label(where):
    """10 (|w_y| - 1)^2 on average: of slopes 1, 5, 2 and 5, twice at both kinds of points."""
    (cost, metrics), _ = penalty(Penalty(where=where), jnp.asarray(LABELS))
    expected = 10 * (0 + 16 + 1 + 16) / 4 * (2 if where == "both" else 1)
    np.testing.assert_allclose(cost, expected, rtol=1e-5)
    np.testing.assert_allclose(metrics["penalty"], expected, rtol=1e-5)
    np.testing.assert_allclose(metrics["slope_mean"], 13 / 4, rtol=1e-5)
    np.testing.assert_allclose(metrics["slope_std"], np.std([1, 5, 2, 5]), rtol=1e-5)
    assert metrics.keys() == SLOPES.keys()


def test_without_labels_there_are_none():
    (cost, metrics), _ = penalty(Penalty(target=0.0, weight=3.0))
    np.testing.assert_allclose([cost, metrics["slope_mean"]], [3, 1], rtol=1e-6)


def test_a_weight_that_moves():
    """By iterations, of which each has as many turns as the player plays; slopes are what they are, also lazily."""
    spec, course = Penalty(target=0.0, weight=3.0), Course(to=1.0, over=4)
    weights = [current_weight(spec, course, turn, plays=2) for turn in (0, 1, 2, 4, 8, 99, None)]
    np.testing.assert_allclose(weights, [3, 3, 2.5, 2, 1, 1, 1], rtol=1e-6)
    assert current_weight(spec, Course(), 2, 2) is None
    (cost, metrics), _ = penalty(spec, weight=1.5)
    np.testing.assert_allclose([cost, metrics["penalty"], metrics["slope_mean"]], [1.5, 1.5, 1], rtol=1e-6)
    (cost, _), (tallied, _) = penalty(Penalty(target=0.0, weight=3.0, interval=4), turn=4, tallies=True, weight=1.5)
    np.testing.assert_allclose([cost, tallied["penalty"], tallied["slope_mean"]], [6, 1.5, 1], rtol=1e-6)


def test_a_weight_moves_between_what_can_be():
    check_course(Penalty(weight=0.0), Course())
    with pytest.raises(Invalid, match=r"^penalty.weight: 0.0 is not above 0"):
        check_course(Penalty(weight=0.0), Course(to=1.0, over=3))
    with pytest.raises(Invalid, match=r"^penalty_course.to: -1.0 is not at least 0"):
        check_course(Penalty(), Course(to=-1.0, over=3))


def test_a_lazy_penalty_is_paid_and_tallied_where_it_is_due():
    """Three times the weight at every third update; the metrics, without that factor, are the tally's."""
    spec = Penalty(target=0.0, interval=3)
    for turn, due in ((3, True), (4, False)):
        (cost, metrics), (means, count) = penalty(spec, turn=jnp.int32(turn), tallies=True)
        assert metrics == {} and count == due
        np.testing.assert_allclose(cost, 30 * due, rtol=1e-6)
        np.testing.assert_allclose([means["penalty"], means["slope_mean"]], [10 * due, due], rtol=1e-6)


def test_outside_training_it_is_what_it_is_on_average():
    (cost, metrics), (_, count) = penalty(Penalty(target=0.0, interval=3), tallies=True)
    np.testing.assert_allclose([cost, metrics["penalty"]], [10, 10], rtol=1e-6)
    assert count == 0


def test_only_a_lazy_penalty_is_tallied():
    assert tally_shapes(Penalty()) == {} and tally_shapes(Penalty(interval=2)) == SLOPES


def test_slopes_are_described_over_all_devices():
    slopes = np.array([0.5, 1.0, 1.5, 3.0], np.float32)
    for devices in (1, 2):
        mapped = jax.vmap(lambda s: slope_metrics(s, "_real"), axis_name=AXIS)(jnp.reshape(slopes, (devices, -1)))
        found = jax.tree.map(lambda a: a.mean(0), mapped)
        np.testing.assert_allclose(found["slope_mean_real"], slopes.mean(), rtol=1e-6)
        np.testing.assert_allclose(found["slope_std_real"], slopes.std(), rtol=1e-6)
        np.testing.assert_allclose(found["slopes_real"].sum(), 1, rtol=1e-6)


def test_dropout_goes_with_the_whole_batch_only():
    check_dropout(Net(dropout=0.5), Penalty())
    check_dropout(Net(), Penalty(share=0.5))
    with pytest.raises(Invalid, match="^penalty.share: 0.5 is not 1: dropout goes by an example's place"):
        check_dropout(Net(dropout=0.5), Penalty(share=0.5))
