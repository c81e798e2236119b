"""Improved precision and recall by hand."""

import numpy as np
import pytest

from genlab.errors import Invalid
from genlab.evaluate.neighbours import CHUNK, inside, precision_recall, radii


def column(*values):
    return np.array(values, np.float64)[:, None]


def test_by_hand_in_one_dimension():
    """With k = 1 the balls of the real ones are [-1, 1], [0, 2] and [1, 19]."""
    real = column(0, 1, 10)
    np.testing.assert_allclose(radii(real, 1), [1, 1, 81])
    fake = column(-1, -1.5, 5, 5.5, 19.5)  # the first on a rim, the second and the last outside
    assert list(inside(fake, real, radii(real, 1))) == [True, False, True, True, False]
    # those of the fakes are [-1.5, -0.5], [-2, -1], [4.5, 5.5], [5, 6] and [5.5, 33.5]: only 10 is in one
    assert precision_recall(real, fake, k=1) == (3 / 5, 1 / 3)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_radius_is_to_the_kth_other_row(k):
    np.testing.assert_allclose(radii(column(0, 1, 3, 7), k)[0], [1, 9, 49][k - 1])


def test_equal_samples_score_one_and_far_ones_zero():
    x = np.random.default_rng(0).normal(size=(100, 5)).astype(np.float32)
    assert precision_recall(x, x[::-1]) == (1.0, 1.0)
    assert precision_recall(x, x + 100) == (0.0, 0.0)


def test_balls_of_no_radius_hold_their_centre():
    """Copies of one example far from the origin, where rounding is worst."""
    x = np.repeat(np.random.default_rng(1).uniform(1000, 2000, size=(1, 50)), 6, 0)
    assert precision_recall(x, x[:4]) == (1.0, 1.0)


def test_a_dropped_mode_costs_recall_and_an_invented_one_precision():
    rng = np.random.default_rng(2)
    left, right = rng.normal(-10, 1, (200, 2)), rng.normal(10, 1, (200, 2))
    both, more = np.concatenate([left, right]), rng.normal(10, 1, (200, 2))
    precision, recall = precision_recall(both, more)
    assert precision > 0.9 and 0.4 < recall <= 0.5
    precision, recall = precision_recall(more, both)
    assert 0.4 < precision <= 0.5 and recall > 0.9


def test_agrees_with_the_definition_beyond_one_chunk():
    rng = np.random.default_rng(3)
    real, fake = rng.normal(size=(CHUNK + 7, 4)), rng.normal(0.5, 1, size=(CHUNK + 40, 4))

    def share(x, centres):
        own = np.sort(np.linalg.norm(centres[:, None] - centres, axis=-1), axis=1)[:, 3]
        return (np.linalg.norm(x[:, None] - centres, axis=-1) <= own).any(1).mean()

    assert precision_recall(real, fake) == (share(fake, real), share(real, fake))


def test_too_few_examples_are_refused():
    x = np.zeros((4, 2))
    with pytest.raises(Invalid, match="n: 3 is not at least 4"):
        precision_recall(x, x[:3])
    with pytest.raises(Invalid, match="real examples: 3"):
        precision_recall(x[:3], x)
