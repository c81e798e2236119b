"""Shares of samples by class."""

import numpy as np

from genlab.evaluate.classes import class_shares, classifier


def test_shares_of_separable_classes():
    rng = np.random.default_rng(0)
    middle = np.eye(3)
    label = np.arange(90) % 3
    fitted = classifier(middle[label] + 0.05 * rng.normal(size=(90, 3)), label)
    found = class_shares(fitted, middle[[0, 0, 0, 2]] + 0.05)
    np.testing.assert_array_equal(found, [0.75, 0, 0.25])
