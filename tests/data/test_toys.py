"""Toy points have the moments of their definition, and each is a function of its key alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.data import DEVIATION, Data, centres, load, make_feed, points
from genlab.data.config import TOYS
from genlab.errors import Invalid
from genlab.kernels.random import example_keys


def _keys(n: int, seed: int = 0):
    return example_keys(jax.random.key(seed), jnp.arange(n))


@pytest.mark.parametrize("kind, modes, radius", [("8gaussians", 8, 2 / 1.414), ("25gaussians", 25, 4 * 2**0.5 / 2.828)])
def test_mixtures(kind, modes, radius):
    centre = np.asarray(centres(kind))
    assert centre.shape == (modes, 2) and np.abs(np.linalg.norm(centre, axis=1).max() - radius) < 1e-6
    assert len(np.unique(centre.round(4), axis=0)) == modes and np.abs(centre.mean(0)).max() < 1e-6
    x, label = points(kind, _keys(20_000))
    share = np.bincount(label, minlength=modes) / len(label)
    assert np.abs(share - 1 / modes).max() < 6 * (1 / modes / len(label)) ** 0.5
    rest = (np.asarray(x) - centre[label]) / DEVIATION[kind]
    assert np.abs(rest.mean(0)).max() < 6 / len(rest) ** 0.5 and np.abs(rest.std(0) - 1).max() < 6 / len(rest) ** 0.5


def test_swissroll_is_scikit_learns():
    from sklearn.datasets import make_swiss_roll

    x, label = points("swissroll", _keys(20_000))
    expected = make_swiss_roll(20_000, noise=0.25, random_state=0)[0][:, [0, 2]] / 7.5
    assert (np.asarray(label) == 0).all()
    for q in (0.05, 0.25, 0.5, 0.75, 0.95):
        for one, other in ((np.asarray(x), expected), (np.hypot(*np.asarray(x).T), np.hypot(*expected.T))):
            assert np.abs(np.quantile(one, q, axis=0) - np.quantile(other, q, axis=0)).max() < 0.05


def test_only_mixtures_have_centres():
    with pytest.raises(Invalid, match="points:swissroll has no modes; 8gaussians, 25gaussians are allowed"):
        centres("swissroll")


@pytest.mark.parametrize("kind", TOYS)
def test_splits_and_feed(kind):
    config = Data(f"points:{kind}", batch_size=6)
    dataset = load(config)
    assert dataset.shape == (2,) and len(dataset.classes) == {"8gaussians": 8, "25gaussians": 25, "swissroll": 0}[kind]
    splits = [split.read(np.arange(2000)) for split in (dataset.train, dataset.validation, dataset.test)]
    assert all(x.shape == (2000, 2) and x.dtype == np.float32 and label.dtype == np.int32 for x, label in splits)
    assert len(np.unique(np.concatenate([x for x, _ in splits]), axis=0)) == 6000
    again = load(config).validation.read(np.arange(2000))
    assert (again.x == splits[1].x).all()
    feed = make_feed(config, dataset, seed=1, reads=2, devices=2)
    whole = feed.draw(feed.arrays(5), 0, jnp.int32(5), jnp.int32(1), jnp.arange(6), _keys(6))
    half = feed.draw(feed.arrays(5), 0, jnp.int32(5), jnp.int32(1), jnp.arange(3, 6), _keys(6)[3:])
    assert whole.x.shape == (6, 2) and (whole.x[3:] == half.x).all() and (whole.label[3:] == half.label).all()
    feed.close()
