"""What is destroyed, how often, and that it follows from an example's own key."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.errors import Invalid
from genlab.kernels.corruption import Corruption, corrupt
from genlab.kernels.random import example_keys

SHAPE = (4, 3, 1)


def draw(n, kind, level, x=None):
    keys = example_keys(jax.random.key(0), jnp.arange(n))
    x = np.full((n, *SHAPE), 0.5, np.float32) if x is None else x
    return x, np.asarray(corrupt(jnp.asarray(x), keys, Corruption(kind, level), -1.0))


@pytest.mark.parametrize(("level", "count"), [(0.0, 0), (0.25, 3), (0.5, 6), (1.0, 12)])
def test_masking_blanks_a_fixed_number_of_components_and_leaves_the_others(level, count):
    x = np.random.default_rng(0).uniform(0, 1, (50, *SHAPE)).astype(np.float32)
    _, y = draw(50, "masking", level, x)
    blank = y == -1
    np.testing.assert_array_equal(blank.sum((1, 2, 3)), count)
    np.testing.assert_array_equal(y[~blank], x[~blank])


def test_every_component_is_blanked_as_often():
    """A quarter of 4,000 times, within 5 standard errors; and each example has its own choice."""
    blank = draw(4000, "masking", 0.25)[1].reshape(4000, -1) == -1
    np.testing.assert_allclose(blank.mean(0), 0.25, atol=5 * (0.25 * 0.75 / 4000) ** 0.5)
    pairs = (blank[:, 0] & blank[:, 1]).mean()  # 3/12 * 2/11: without replacement
    np.testing.assert_allclose(pairs, 6 / 132, atol=5 * (6 / 132 / 4000) ** 0.5)


def test_gaussian_noise_has_mean_zero_and_its_level():
    x, y = draw(4000, "gaussian", 0.3)
    noise = (y - x).reshape(4000, -1)
    np.testing.assert_allclose(noise.mean(0), 0, atol=5 * 0.3 / 4000**0.5)
    np.testing.assert_allclose(np.cov(noise.T), 0.09 * np.eye(12), atol=5 * 0.09 * (2 / 4000) ** 0.5)
    np.testing.assert_array_equal(*draw(5, "gaussian", 0.0))


@pytest.mark.parametrize("kind", ["masking", "gaussian"])
def test_it_belongs_to_the_example(kind):
    np.testing.assert_array_equal(draw(8, kind, 0.5)[1][:3], draw(3, kind, 0.5)[1])


@pytest.mark.parametrize(
    ("kind", "level", "words"),
    [
        ("gaussian", -0.1, "level: -0.1 is not at least 0"),
        ("masking", 1.5, "level: 1.5 is not at most 1 for masking"),
    ],
)
def test_bad_fields_are_named(kind, level, words):
    with pytest.raises(Invalid, match=f"^{words}$"):
        Corruption(kind, level)
