"""The Frechet distance in closed form and against another formula."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from genlab.errors import Invalid
from genlab.evaluate.frechet import CHUNK, frechet_between, frechet_distance, moments


def covariance(rng, d, rank=None):
    factor = rng.normal(size=(d, rank or d))
    return factor @ factor.T


def test_commuting_covariances_in_closed_form():
    """Diagonal covariances: |m1 - m2|^2 + sum (s1 - s2)^2."""
    s1, s2, shift = np.array([1.0, 2.0, 0.5]), np.array([3.0, 2.0, 0.0]), np.array([0.5, 0.0, -1.0])
    found = frechet_between(np.zeros(3), np.diag(s1**2), shift, np.diag(s2**2))
    np.testing.assert_allclose(found, 1.25 + 4 + 0.25, rtol=1e-12)


def test_two_by_two_in_closed_form():
    """tr (C1 C2)^1/2 = (tr C1 C2 + 2 (det C1 C2)^1/2)^1/2 in two dimensions."""
    rng = np.random.default_rng(0)
    c1, c2 = covariance(rng, 2), covariance(rng, 2)
    root = np.sqrt(np.trace(c1 @ c2) + 2 * np.sqrt(np.linalg.det(c1 @ c2)))
    expected = np.trace(c1) + np.trace(c2) - 2 * root
    np.testing.assert_allclose(frechet_between(np.zeros(2), c1, np.zeros(2), c2), expected, rtol=1e-10)


def test_agrees_with_the_matrix_square_root():
    rng = np.random.default_rng(1)
    c1, c2, m1, m2 = covariance(rng, 12), covariance(rng, 12), rng.normal(size=12), rng.normal(size=12)
    expected = np.sum((m1 - m2) ** 2) + np.trace(c1 + c2 - 2 * sqrtm(c1 @ c2).real)
    np.testing.assert_allclose(frechet_between(m1, c1, m2, c2), expected, rtol=1e-9)


def test_is_zero_for_equal_samples_even_of_few_rows():
    x = np.random.default_rng(2).normal(size=(5, 30))  # a covariance of rank 4
    assert 0 <= frechet_distance(x, x[::-1]) < 1e-12 * np.trace(np.cov(x.T))


def test_singular_covariances_of_different_rank():
    rng = np.random.default_rng(3)
    c1, c2, zero = covariance(rng, 8, 3), covariance(rng, 8, 5), np.zeros(8)
    np.testing.assert_allclose(frechet_between(zero, c1, zero, c2), frechet_between(zero, c2, zero, c1), rtol=1e-9)
    np.testing.assert_allclose(frechet_between(zero, c1, zero, np.zeros((8, 8))), np.trace(c1), rtol=1e-12)
    assert frechet_between(zero, np.zeros((8, 8)), zero, np.zeros((8, 8))) == 0


def test_ignores_rotation_and_order_and_sees_a_shift():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(50, 6)), rng.normal(size=(40, 6)) @ rng.normal(size=(6, 6))
    rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    np.testing.assert_allclose(frechet_distance(x @ rotation, y @ rotation), frechet_distance(x, y), rtol=1e-10)
    np.testing.assert_allclose(frechet_distance(y, x), frechet_distance(x, y), rtol=1e-10)
    np.testing.assert_allclose(frechet_distance(x, x + 0.5), 6 * 0.25, rtol=1e-10)


def test_moments_are_numpys_in_double_precision_whatever_the_chunks():
    x = np.random.default_rng(5).normal(100, 1e-2, size=(CHUNK + 3, 3)).astype(np.float32)
    mean, cov = moments(x)
    np.testing.assert_allclose(mean, x.astype(np.float64).mean(0), rtol=1e-12)
    np.testing.assert_allclose(cov, np.cov(x.astype(np.float64).T), rtol=1e-9, atol=1e-12)
    with pytest.raises(Invalid, match="at least 2"):
        moments(x[:1])


def test_it_is_torch_fidelitys(torch, fidelity):
    module = fidelity("metric_fid")
    rng = np.random.default_rng(6)
    x = rng.normal(size=(400, 24)).astype(np.float32)
    y = (rng.normal(0.3, 1, size=(300, 24)) @ rng.normal(size=(24, 24)) / 5).astype(np.float32)
    stats = [module.fid_features_to_statistics(torch.from_numpy(z)) for z in (x, y)]
    expected = module.fid_statistics_to_metric(*stats, verbose=False)["frechet_inception_distance"]
    np.testing.assert_allclose(frechet_distance(x, y), expected, rtol=1e-3)


def test_few_rows_bias_it_upwards():
    """Two samples of one distribution: far from 0 with few rows, nearer with more; the truth is 0."""
    rng = np.random.default_rng(7)

    def between(n):
        return np.mean([frechet_distance(rng.normal(size=(n, 10)), rng.normal(size=(n, 10))) for _ in range(10)])

    few, more, many = between(20), between(80), between(320)
    assert few > 2 * more > 4 * many > 0


def test_what_is_not_finite_is_refused():
    x = np.ones((5, 3))
    x[2, 1] = np.nan
    with pytest.raises(Invalid, match="features: 'NaN or infinity' is not a finite number"):
        frechet_distance(x, np.ones((5, 3)))


def test_an_eigendecomposition_that_is_off_is_refused(monkeypatch):
    cov = covariance(np.random.default_rng(8), 4)
    exact = np.linalg.eigh(cov)
    monkeypatch.setattr(np.linalg, "eigh", lambda matrix: (exact[0] * 1.001, exact[1]))
    with pytest.raises(Invalid, match="features: their covariance has an eigendecomposition off by 1.0e-03"):
        frechet_between(np.zeros(4), cov, np.zeros(4), cov)
