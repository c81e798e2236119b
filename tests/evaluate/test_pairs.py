"""All pairs, a chunk of rows at a time: in memory that is bounded, and of as many examples as a protocol asks for."""

import numpy as np
import pytest

from genlab.data.config import Data
from genlab.evaluate import evaluator as evaluator_module
from genlab.evaluate import pairs
from genlab.evaluate.evaluator import Evaluator, Settings
from genlab.evaluate.neighbours import overlap
from genlab.evaluate.pairs import over_pairs


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
    evaluator = Evaluator(Data(), Settings(n=n))
    assert evaluator.stamp(n).n_neighbours == evaluator.references.max_examples == most


def test_what_is_stamped_is_what_is_paired(monkeypatch):
    """Of the samples, and of the real ones."""
    monkeypatch.setattr(evaluator_module, "NEIGHBOURS", 50)
    evaluator = Evaluator(Data(), Settings(metrics=("precision", "density", "kernel"), n=70, extractor="pixels"))
    x = evaluator.test.x[:90]
    scores, _, _ = evaluator.score_samples(iter([(x, None)]))
    assert evaluator.stamp(70).n_neighbours == 70
    real, fake = (z[:70].reshape(70, -1).astype(np.float32) / 255 for z in (evaluator.real.x, x))
    expected = overlap(real, fake)._asdict()
    np.testing.assert_allclose([scores[name] for name in expected], list(expected.values()), rtol=1e-12)
