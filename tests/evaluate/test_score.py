"""The Inception score in closed form and against torch-fidelity."""

import numpy as np
import pytest

from genlab.errors import Invalid
from genlab.evaluate.score import inception_score


def test_certain_and_even_is_the_number_of_classes_and_uncertain_is_one():
    np.testing.assert_allclose(inception_score(np.tile(1000 * np.eye(4), (5, 1)), 1), (4, 0), atol=1e-12)
    np.testing.assert_allclose(inception_score(np.zeros((20, 4)), 2), (1, 0), atol=1e-12)
    np.testing.assert_allclose(inception_score(np.repeat(1000 * np.eye(4)[:1], 20, 0), 1), (1, 0), atol=1e-12)


def test_two_classes_by_hand():
    """p = (3/4, 1/4) and (1/4, 3/4): exp of log 2 less the entropy of (3/4, 1/4)."""
    logits = np.log([[3.0, 1.0], [1.0, 3.0]])
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    np.testing.assert_allclose(inception_score(logits, 1).value, 2 * np.exp(-entropy), rtol=1e-12)


def test_it_is_torch_fidelitys(torch, fidelity):
    """With its order of the samples, in uneven parts."""
    logits = np.random.default_rng(0).normal(0, 3, (203, 10)).astype(np.float32)
    theirs = fidelity("metric_isc").isc_features_to_metric(torch.from_numpy(logits), 10, True, 2020)
    found = inception_score(logits, 10)
    np.testing.assert_allclose(found, [theirs["inception_score_mean"], theirs["inception_score_std"]], rtol=1e-6)


def test_more_parts_than_samples_are_refused():
    with pytest.raises(Invalid, match="n: 9 is not at least 10"):
        inception_score(np.zeros((9, 2)))
