"""Precision, recall, density, coverage and nearest neighbours: by hand, by definition, and by torch-fidelity."""

import numpy as np
import pytest

from genlab.errors import Invalid
from genlab.evaluate import pairs
from genlab.evaluate.neighbours import nearest, nearest_ratio, overlap, squared_radii


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
    np.testing.assert_allclose(squared_radii(real, 1), column(1, 1, 81))
    fake = column(-1, -1.5, 5, 5.5, 19.5)  # the first on a rim, the second and the last outside
    # those of the fakes are [-1.5, -0.5], [-2, -1], [4.5, 5.5], [5, 6] and [5.5, 33.5]: only 10 is in one
    # three of five fakes are in one ball each; the balls of 0 (-1) and of 10 (5) hold a fake, that of 1 none
    found = overlap(real, fake, k=1, density_k=1)
    assert found == (3 / 5, 1 / 3, 3 / 5, 2 / 3)
    assert found.density == 3 / 5
    assert overlap(real, column(0.5, 30), k=1, density_k=1).density == 2 / 2  # 0.5 is in two balls


@pytest.mark.parametrize("k", [1, 2, 3])
def test_radius_is_to_the_kth_other_row(k):
    np.testing.assert_allclose(squared_radii(column(0, 1, 3, 7), k)[0], [1, 9, 49][:k])


@pytest.mark.parametrize("n", [7, 36, 200, 1025])
def test_radii_are_those_of_sorting(n):
    """However many groups of columns that makes, and however many distances are equal."""
    rng = np.random.default_rng(n)
    for x in (rng.normal(size=(n, 3)), rng.integers(0, 4, size=(n, 2)).astype(np.float64)):
        distances = np.sort(np.square(x[:, None] - x).sum(-1), axis=1)
        np.testing.assert_allclose(squared_radii(x, 5), distances[:, 1:6], atol=1e-12)


def test_equal_samples_score_one_and_far_ones_zero():
    x = np.random.default_rng(0).normal(size=(100, 5)).astype(np.float32)
    assert overlap(x, x[::-1])[:2] == (1.0, 1.0)
    assert overlap(x, x + 100) == (0.0, 0.0, 0.0, 0.0)
    assert overlap(x, x).coverage == 1


def test_balls_of_no_radius_hold_their_centre():
    """Copies of one example far from the origin, where rounding is worst."""
    x = np.repeat(np.random.default_rng(1).uniform(1000, 2000, size=(1, 50)), 6, 0)
    assert overlap(x, x[:4]) == (1.0, 1.0, 6 / 5, 1.0)


def test_a_dropped_mode_costs_recall_and_an_invented_one_precision():
    rng = np.random.default_rng(2)
    left, right = rng.normal(-10, 1, (200, 2)), rng.normal(10, 1, (200, 2))
    both, more = np.concatenate([left, right]), rng.normal(10, 1, (200, 2))
    dropped, invented = overlap(both, more), overlap(more, both)
    assert dropped.precision > 0.9 and 0.4 < dropped.recall <= 0.5
    assert 0.4 < dropped.coverage <= 0.5
    assert 0.4 < invented.precision <= 0.5 and invented.recall > 0.9


def test_an_outlier_raises_recall_but_not_coverage():
    """The fault of recall that coverage mends (Naeem et al. 2020, figure 2)."""
    rng = np.random.default_rng(4)
    real, fake = rng.normal(size=(300, 2)), rng.normal(0, 0.01, size=(300, 2))
    spread = np.concatenate([fake, [[9, 0], [-9, 0], [0, 9], [0, -9]]])
    without, outlying = overlap(real, fake), overlap(real, spread)
    assert outlying.recall - without.recall > 0.9
    assert outlying.coverage - without.coverage < 0.02


def test_all_are_their_definitions_beyond_one_chunk(monkeypatch):
    monkeypatch.setattr(pairs, "CELLS", 200 * 512)
    rng = np.random.default_rng(3)
    real, fake = rng.normal(size=(519, 4)), rng.normal(0.5, 1, size=(552, 4))
    three, five = definitions(real, fake, 3), definitions(real, fake, 5)
    expected = [three["precision"], three["recall"], five["density"], five["coverage"]]
    np.testing.assert_allclose(overlap(real, fake), expected, atol=1e-6)
    assert overlap(real, fake, squared_radii(real, 7)) == overlap(real, fake)


def test_float32_features_lose_nothing():
    """Half of the fakes copy real ones and so lie on rims, where distances in float32 would fall to either side."""
    rng = np.random.default_rng(8)
    real = rng.normal(100, 1, size=(300, 30)).astype(np.float32)
    fake = np.concatenate([real[:100], rng.normal(100, 1, size=(100, 30)).astype(np.float32)])
    for a, b in ((real, fake), (fake, real)):
        assert overlap(a, b) == overlap(a.astype(np.float64), b.astype(np.float64))
    copies = overlap(real, real[:100])
    inside = np.square(real[:, None] - real[:100].astype(np.float64)).sum(-1) <= squared_radii(real, 5)[:, [4]] * (
        1 + 1e-9
    )
    assert copies.density == inside.sum() / 500


def test_precision_and_recall_are_torch_fidelitys(torch, fidelity):
    rng = np.random.default_rng(5)
    real, fake = rng.normal(size=(300, 6)), rng.normal(0.4, 1, size=(250, 6))
    theirs = fidelity("metric_prc").prc_features_to_metric(
        torch.from_numpy(fake), torch.from_numpy(real), prc_neighborhood=3, verbose=False
    )
    np.testing.assert_allclose(overlap(real, fake)[:2], [theirs["precision"], theirs["recall"]], rtol=1e-6)


def test_the_nearest_are_found():
    index, squared = nearest(column(0.4, 9, 2), column(0, 1, 10))
    assert list(index) == [0, 2, 1]
    np.testing.assert_allclose(squared, [0.16, 1, 1])


def test_the_ratio_tells_copies_from_fresh_samples():
    rng = np.random.default_rng(6)
    train, fresh, held_out = (rng.normal(size=(200, 3)) for _ in range(3))
    assert abs(nearest_ratio(train, fresh, held_out) - 1) < 0.15
    assert nearest_ratio(train, train[:50] + 1e-4, held_out) < 1e-2
    assert nearest_ratio(train, train[:50], held_out) < 1e-6


def test_too_few_examples_are_refused():
    x = np.zeros((4, 2))
    with pytest.raises(Invalid, match="examples: 3 is not at least 4"):
        overlap(np.zeros((6, 2)), x[:3])
    with pytest.raises(Invalid, match="examples: 4 is not at least 6"):
        overlap(x, x)
