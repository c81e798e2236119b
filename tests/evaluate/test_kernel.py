"""The kernel distance against its definition, torch-fidelity, and what unbiased means."""

import itertools

import numpy as np
import pytest

from genlab.errors import Invalid
from genlab.evaluate import pairs
from genlab.evaluate.kernel import kernel_distance, kernel_subsets


def draw(n, d=8, shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(shift, 1, size=(n, d))


def definition(x, y):
    """Gretton et al. (2012), eq. 3, term by term."""

    def k(a, b):
        return (a @ b / len(a) + 1) ** 3

    def within(z):
        return np.mean([k(z[i], z[j]) for i, j in itertools.permutations(range(len(z)), 2)])

    return within(x) + within(y) - 2 * np.mean([k(a, b) for a in x for b in y])


def test_it_is_the_definition_whatever_the_chunks(monkeypatch):
    x, y = draw(7, shift=0.3), draw(9, seed=1)
    expected = definition(x, y)
    np.testing.assert_allclose(kernel_distance(x, y).value, expected, rtol=1e-12)
    monkeypatch.setattr(pairs, "CELLS", 20)
    np.testing.assert_allclose(kernel_distance(x, y).value, expected, rtol=1e-12)


def test_the_error_is_the_jackknifes():
    x, y = draw(6, shift=0.3), draw(8, seed=1)
    without_x = [definition(np.delete(x, i, 0), y) for i in range(6)]
    without_y = [definition(x, np.delete(y, i, 0)) for i in range(8)]
    expected = np.sqrt(5 * np.var(without_x) + 7 * np.var(without_y))
    np.testing.assert_allclose(kernel_distance(x, y).error, expected, rtol=1e-10)


def test_it_is_torch_fidelitys(torch, fidelity):
    """All pairs, and its own random subsets, to 1e-6."""
    theirs = fidelity("metric_kid").kid_features_to_metric
    fake, real = draw(120, 16, 0.2).astype(np.float32), draw(150, 16, seed=1).astype(np.float32)

    def found(x, y, subsets, size):
        tensors = torch.from_numpy(x), torch.from_numpy(y)
        scores = theirs(*tensors, kid_subsets=subsets, kid_subset_size=size, rng_seed=2020, verbose=False)
        return scores["kernel_inception_distance_mean"], scores["kernel_inception_distance_std"]

    np.testing.assert_allclose(kernel_distance(real[:120], fake).value, found(fake, real[:120], 1, 120)[0], atol=1e-6)
    np.testing.assert_allclose(kernel_subsets(fake, real, 10, 50, 2020), found(fake, real, 10, 50), atol=1e-6)


def test_it_is_unbiased_and_its_interval_holds():
    """Between equal distributions the mean over many small draws is 0; of the intervals of 95 % some 95 % hold it."""
    found = [kernel_distance(draw(30, 2, seed=2 * i), draw(30, 2, seed=2 * i + 1)) for i in range(400)]
    values, errors = (np.array(each) for each in zip(*found, strict=True))
    assert abs(values.mean()) < 3 * values.std() / 20
    assert (values < 0).any()
    assert 0.9 < (abs(values) <= 1.96 * errors).mean() <= 1
    apart = [
        kernel_distance(draw(n, 2, 1.0, 2 * i), draw(n, 2, seed=2 * i + 1)).value for n in (10, 60) for i in range(200)
    ]
    few, many = np.split(np.array(apart), 2)
    assert abs(few.mean() - many.mean()) < 3 * few.std() / np.sqrt(200)  # no bias with n, unlike the Frechet distance


def test_too_few_are_refused():
    with pytest.raises(Invalid, match="n: 2 is not at least 3"):
        kernel_distance(draw(3), draw(2))
    with pytest.raises(Invalid, match="n: 3 is not at least 5, the size of KID's subsets"):
        kernel_subsets(draw(3), draw(9), 2, 5, 0)
