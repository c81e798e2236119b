"""A number that moves: its ends, its middle, and what cannot be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.errors import Invalid
from genlab.parts.course import Course


def test_ends_and_middle():
    """It stays at the end; half a cosine is a half in the middle, and slower at its ends."""
    for shape, quarter in (("linear", 0.25), ("cosine", (1 - 0.5**0.5) / 2)):
        course = Course(to=3.0, over=8, shape=shape)
        found = [float(course(1.0, t)) for t in (0, 2, 4, 8, 100)]
        np.testing.assert_allclose(found, [1, 1 + 2 * quarter, 2, 3, 3], rtol=1e-6)
        traced = jax.jit(lambda start, t, course=course: course(start, t))(jnp.float32(1), jnp.int32(2))
        np.testing.assert_allclose(traced, found[1], rtol=1e-6)


def test_outside_training_it_is_at_the_end():
    assert Course(to=3.0, over=8)(1.0, None) == 3.0


def test_without_an_end_it_is_the_number_itself():
    start = 0.1
    assert Course()(start, 5) is start
    assert Course()(start, None) is start
    assert not Course().moves


@pytest.mark.parametrize("options", [{"to": 1.0}, {"to": 0.0, "over": 0}, {"over": 3}])
def test_it_needs_an_end_and_a_time(options):
    with pytest.raises(Invalid, match="^over: "):
        Course(**options)
