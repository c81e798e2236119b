"""Exact optimal transport: by hand, against sorting in one dimension, and against all permutations."""

import itertools

import numpy as np
import pytest

from genlab.errors import Invalid
from genlab.evaluate.transport import transport_distance


def test_a_shift_costs_its_length():
    x = np.random.default_rng(0).normal(size=(50, 2))
    np.testing.assert_allclose(transport_distance(x, x[::-1] + [3, 4]), 5, rtol=1e-12)


def test_one_dimension_is_sorting():
    x, y = np.random.default_rng(1).normal(size=(2, 40, 1))
    np.testing.assert_allclose(transport_distance(x, y), abs(np.sort(x, 0) - np.sort(y, 0)).mean(), rtol=1e-12)


def test_it_is_the_best_of_all_pairings():
    x, y = np.random.default_rng(2).normal(size=(2, 6, 2))
    costs = [np.linalg.norm(x - y[list(order)], axis=1).mean() for order in itertools.permutations(range(6))]
    np.testing.assert_allclose(transport_distance(x, y), min(costs), rtol=1e-12)


def test_two_sizes_are_refused():
    with pytest.raises(Invalid, match="n: 2 is not 3"):
        transport_distance(np.zeros((3, 2)), np.zeros((2, 2)))
