"""Precision, recall, density, coverage and nearest neighbours: by hand, by definition, and by torch-fidelity."""

import numpy as np
import pytest

from genlab.errors import Invalid
from genlab.evaluate.neighbours import (
    CHUNK,
    balls,
    density_coverage,
    nearest,
    nearest_ratio,
    precision_recall,
    radii,
)


def column(*values):
    return np.array(values, np.float64)[:, None]


def definitions(real, fake, k):
    """The four scores as the prdc package defines them, with whole matrices of distances."""

    def distances(a, b):
        return np.linalg.norm(a[:, None] - b, axis=-1)

    real_radii, fake_radii = (np.sort(distances(x, x), axis=1)[:, k] for x in (real, fake))
    between = distances(real, fake)
    return {
        "precision": (between < real_radii[:, None]).any(0).mean(),
        "recall": (between < fake_radii).any(1).mean(),
        "density": (between < real_radii[:, None]).sum(0).mean() / k,
        "coverage": (between.min(1) < real_radii).mean(),
    }


def test_by_hand_in_one_dimension():
    """With k = 1 the balls of the real ones are [-1, 1], [0, 2] and [1, 19]."""
    real = column(0, 1, 10)
    np.testing.assert_allclose(radii(real, 1), [1, 1, 81])
    fake = column(-1, -1.5, 5, 5.5, 19.5)  # the first on a rim, the second and the last outside
    assert list(balls(fake, real, radii(real, 1))) == [1, 0, 1, 1, 0]
    # those of the fakes are [-1.5, -0.5], [-2, -1], [4.5, 5.5], [5, 6] and [5.5, 33.5]: only 10 is in one
    assert precision_recall(real, fake, k=1) == (3 / 5, 1 / 3)
    # three of five fakes are in one ball each; the balls of 0 (-1) and of 10 (5) hold a fake, that of 1 none
    assert density_coverage(real, fake, k=1) == (3 / 5, 2 / 3)
    assert balls(column(0.5), real, radii(real, 1)) == 2


@pytest.mark.parametrize("k", [1, 2, 3])
def test_radius_is_to_the_kth_other_row(k):
    np.testing.assert_allclose(radii(column(0, 1, 3, 7), k)[0], [1, 9, 49][k - 1])


def test_equal_samples_score_one_and_far_ones_zero():
    x = np.random.default_rng(0).normal(size=(100, 5)).astype(np.float32)
    assert precision_recall(x, x[::-1]) == (1.0, 1.0)
    assert precision_recall(x, x + 100) == (0.0, 0.0)
    assert density_coverage(x, x + 100) == (0.0, 0.0)
    assert density_coverage(x, x)[1] == 1


def test_balls_of_no_radius_hold_their_centre():
    """Copies of one example far from the origin, where rounding is worst."""
    x = np.repeat(np.random.default_rng(1).uniform(1000, 2000, size=(1, 50)), 6, 0)
    assert precision_recall(x, x[:4]) == (1.0, 1.0)
    assert density_coverage(x, x[:4])[1] == 1.0


def test_a_dropped_mode_costs_recall_and_an_invented_one_precision():
    rng = np.random.default_rng(2)
    left, right = rng.normal(-10, 1, (200, 2)), rng.normal(10, 1, (200, 2))
    both, more = np.concatenate([left, right]), rng.normal(10, 1, (200, 2))
    precision, recall = precision_recall(both, more)
    assert precision > 0.9 and 0.4 < recall <= 0.5
    assert 0.4 < density_coverage(both, more)[1] <= 0.5
    precision, recall = precision_recall(more, both)
    assert 0.4 < precision <= 0.5 and recall > 0.9


def test_an_outlier_raises_recall_but_not_coverage():
    """The fault of recall that coverage mends (Naeem et al. 2020, figure 2)."""
    rng = np.random.default_rng(4)
    real, fake = rng.normal(size=(300, 2)), rng.normal(0, 0.01, size=(300, 2))
    spread = np.concatenate([fake, [[9, 0], [-9, 0], [0, 9], [0, -9]]])
    assert precision_recall(real, spread)[1] - precision_recall(real, fake)[1] > 0.9
    assert density_coverage(real, spread)[1] - density_coverage(real, fake)[1] < 0.02


def test_all_are_their_definitions_beyond_one_chunk():
    rng = np.random.default_rng(3)
    real, fake = rng.normal(size=(CHUNK + 7, 4)), rng.normal(0.5, 1, size=(CHUNK + 40, 4))
    three, five = definitions(real, fake, 3), definitions(real, fake, 5)
    np.testing.assert_allclose(precision_recall(real, fake), [three["precision"], three["recall"]], atol=1e-6)
    np.testing.assert_allclose(density_coverage(real, fake), [five["density"], five["coverage"]], atol=1e-6)


def test_precision_and_recall_are_torch_fidelitys(torch, fidelity):
    rng = np.random.default_rng(5)
    real, fake = rng.normal(size=(300, 6)), rng.normal(0.4, 1, size=(250, 6))
    theirs = fidelity("metric_prc").prc_features_to_metric(
        torch.from_numpy(fake), torch.from_numpy(real), prc_neighborhood=3, verbose=False
    )
    np.testing.assert_allclose(precision_recall(real, fake), [theirs["precision"], theirs["recall"]], rtol=1e-6)


def test_the_nearest_are_found():
    index, squared = nearest(column(0.4, 9, 2), column(0, 1, 10))
    assert list(index) == [0, 2, 1]
    np.testing.assert_allclose(squared, [0.16, 1, 1])


def test_the_ratio_tells_copies_from_fresh_samples():
    rng = np.random.default_rng(6)
    train, fresh, unseen = (rng.normal(size=(200, 3)) for _ in range(3))
    assert abs(nearest_ratio(train, fresh, unseen) - 1) < 0.15
    assert nearest_ratio(train, train[:50] + 1e-4, unseen) < 1e-2
    assert nearest_ratio(train, train[:50], unseen) < 1e-6


def test_too_few_examples_are_refused():
    x = np.zeros((4, 2))
    with pytest.raises(Invalid, match="examples: 3 is not at least 4"):
        precision_recall(x, x[:3])
    with pytest.raises(Invalid, match="examples: 4 is not at least 6"):
        density_coverage(x, x)
    with pytest.raises(Invalid, match="n: 0"):
        density_coverage(np.zeros((6, 2)), x[:0])
