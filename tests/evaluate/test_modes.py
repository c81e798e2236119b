"""Mode coverage by hand, and of true samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.data.toys import DEVIATION, centres, points
from genlab.evaluate.modes import good_points, good_share, modes_covered
from genlab.kernels.random import example_keys

CORNERS = np.array([[0.0, 0.0], [10.0, 0.0]])


def test_good_is_within_four_deviations_of_the_nearest_centre():
    x = np.array([[0.0, 4.0], [0.0, 4.1], [10.0, 0.5], [9.0, 0.0], [5.0, 0.0]])
    assert list(good_points(x, CORNERS, 1.0)) == [1, 2]
    assert good_share(x, CORNERS, 1.0) == 0.6


@pytest.mark.parametrize(("there", "covered"), [(0, 1), (4, 1), (5, 2), (50, 2)])
def test_a_mode_needs_a_tenth_of_its_fair_share(there, covered):
    """Of 100 points a fair share is 50."""
    assert modes_covered(np.repeat(CORNERS, (100 - there, there), 0), CORNERS, 1.0) == covered


def test_a_mode_needs_one_good_point_and_bad_ones_do_not_count():
    assert modes_covered(CORNERS[:1], CORNERS, 1.0) == 1  # a tenth of half a point would be none
    assert modes_covered(CORNERS + 5, CORNERS, 1.0) == 0
    assert good_share(CORNERS + 5, CORNERS, 1.0) == 0


@pytest.mark.parametrize("kind", DEVIATION)
def test_true_samples_cover_all_modes(kind):
    x = np.asarray(points(kind, example_keys(jax.random.key(0), jnp.arange(2000)))[0])
    modes = np.asarray(centres(kind))
    assert modes_covered(x, modes, DEVIATION[kind]) == len(modes)
    assert good_share(x, modes, DEVIATION[kind]) > 0.998
