"""All pairs, a chunk of rows at a time: in memory that is bounded, and of as many examples as a protocol asks for."""

import numpy as np
import pytest

from genlab.data.config import Data
from genlab.evaluate import pairs, run
from genlab.evaluate.neighbours import overlap
from genlab.evaluate.pairs import over_pairs
from genlab.evaluate.run import Bench, Wish


@pytest.mark.parametrize("cells", [1, 5, 12, 1000])
def test_no_more_pairs_are_held_than_said(cells, monkeypatch):
    monkeypatch.setattr(pairs, "CELLS", cells)
    x, y, rows = np.arange(14, dtype=np.float32).reshape(7, 2), np.ones((5, 2), np.float32), np.arange(7)
    seen = []

    def f(x, y, rows, columns):
        assert x.dtype == y.dtype == np.float64
        seen.append(len(x) * len(y))
        return x @ np.asarray(y).T, rows[0] + columns

    squares, numbers = zip(*over_pairs(f, x, y, "pairs", (rows,), 3), strict=True)
    np.testing.assert_array_equal(np.concatenate(squares), x @ y.T)
    np.testing.assert_array_equal(np.concatenate(numbers), rows + 3)
    assert max(seen) <= max(cells, 5)


def test_distances_of_large_numbers_are_exact():
    """1e8 + 1 and 1e8 are one number in float32, and their products need 54 bits."""
    x = np.array([[0.0], [3.0], [7.0]]) + 2.0**25
    assert overlap(np.repeat(x, 2, 0), x, k=1, density_k=1).precision == 1


@pytest.mark.parametrize(("n", "most"), [(20, 10_000), (10_000, 10_000), (50_000, 50_000)])
def test_as_many_of_either_are_paired_as_there_are_samples(n, most):
    bench = Bench(Data(), Wish(n=n))
    assert bench.stamp(n).n_neighbours == bench.against.most == most


def test_what_is_stamped_is_what_is_paired(monkeypatch):
    """Of the samples, and of the real ones."""
    monkeypatch.setattr(run, "NEIGHBOURS", 50)
    bench = Bench(Data(), Wish(metrics=("precision", "density", "kernel"), n=70, extractor="pixels"))
    x = bench.test.x[:90]
    scores, _, _ = bench.samples(iter([(x, None)]))
    assert bench.stamp(70).n_neighbours == 70
    real, fake = (z[:70].reshape(70, -1).astype(np.float32) / 255 for z in (bench.real.x, x))
    expected = overlap(real, fake)._asdict()
    np.testing.assert_allclose([scores[name] for name in expected], list(expected.values()), rtol=1e-12)
