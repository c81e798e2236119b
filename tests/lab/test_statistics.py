"""Statistics of seeds against closed forms, SciPy, and a distribution that is known."""

import numpy as np
import pytest
from scipy import stats

from genlab.lab.statistics import Bootstrap, difference, improvement, interquartile_mean, interval, mean

RNG = np.random.default_rng(0)


def test_the_interquartile_mean_is_that_of_the_middle_half():
    x = RNG.normal(size=(5, 12))
    np.testing.assert_allclose(interquartile_mean(x), np.sort(x)[:, 3:9].mean(1), rtol=1e-12)
    np.testing.assert_allclose(interquartile_mean(x), stats.trim_mean(x, 0.25, axis=1), rtol=1e-12)
    # of three, 1/4 of each end's third lies in the middle half
    np.testing.assert_allclose(interquartile_mean(np.array([9.0, 0.0, 3.0])), (0 / 4 + 3 + 9 / 4) / 1.5, rtol=1e-12)
    # as each of n = 5 scores stands for a fifth, it is the trimmed mean of four times as many
    np.testing.assert_allclose(
        interquartile_mean(x[:, :5]), stats.trim_mean(x[:, :5].repeat(4, 1), 0.25, axis=1), rtol=1e-12
    )
    assert interquartile_mean(np.array([2.0, 2.0, 1e9, -1e9])) == 2  # what is far off does not count


def test_the_probability_of_improvement():
    x, y = RNG.normal(size=7), RNG.normal(size=5)
    u = stats.mannwhitneyu(x, y).statistic
    np.testing.assert_allclose(improvement(x, y), u / 35, rtol=1e-12)
    np.testing.assert_allclose(improvement(x, y) + improvement(y, x), 1, rtol=1e-12)
    assert improvement(x, x) == improvement(np.ones(3), np.ones(4)) == 0.5
    assert (improvement(x + 9, y), improvement(x - 9, y)) == (1, 0)


@pytest.mark.parametrize("statistic", [mean, interquartile_mean])
def test_intervals_cover_a_known_mean(statistic):
    """95 % of 25 normal scores: theirs is 93.2 % in the limit of many resamples, that of z in place of t; 600 times."""
    held = 0
    for x in RNG.normal(3, 2, (600, 25)):
        low, high = interval(statistic, [x], Bootstrap(resamples=400))
        held += low <= 3 <= high
    assert 0.90 < held / 600 < 0.97


def test_intervals_of_the_mean_are_as_wide_as_theory_has_them():
    """The standard deviation of resampled means is that of the scores over the root of n; 2 % is 3 errors of 20,000."""
    x = RNG.normal(size=60)
    low, high = interval(mean, [x], Bootstrap(resamples=20_000, level=0.6827))
    assert (high - low) / 2 == pytest.approx(x.std() / np.sqrt(60), rel=0.02)


def test_what_seeds_share_cancels_where_they_are_paired():
    shared = RNG.normal(0, 10, 12)
    x, y = shared + RNG.normal(1, 0.1, 12), shared + RNG.normal(0, 0.1, 12)
    (low, high), (wide_low, wide_high) = (interval(difference, [x, y], Bootstrap(), paired) for paired in (True, False))
    assert low < (x - y).mean() < high and high - low < (wide_high - wide_low) / 20
    # it is the interval of the differences themselves
    assert (low, high) == pytest.approx(interval(mean, [x - y], Bootstrap()), rel=1e-9)


def test_an_interval_follows_from_its_seed_alone():
    x, y = RNG.normal(size=6), RNG.normal(size=4)
    assert interval(difference, [x, y], Bootstrap()) == interval(difference, [x, y], Bootstrap())
    assert interval(difference, [x, y], Bootstrap()) != interval(difference, [x, y], Bootstrap(seed=1))


def test_one_seed_has_no_interval():
    assert interval(mean, [np.ones(1)], Bootstrap()) is None
    assert interval(improvement, [np.ones(5), np.ones(1)], Bootstrap()) is None
