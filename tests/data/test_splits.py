"""The splits are disjoint, cover the set, are always the same, and only the training split is fed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.data import Data, Examples, load, make_feed
from genlab.data.splits import InMemory, hold_out
from genlab.errors import Invalid
from genlab.kernels.random import example_keys


def _numbered(n: int) -> InMemory:
    """Examples which carry their own number as label, and its low byte as image."""
    x = np.broadcast_to((np.arange(n) % 256).astype(np.uint8)[:, None, None, None], (n, 2, 2, 1))
    return InMemory(Examples(x, np.arange(n, dtype=np.int32)))


def _labels(split) -> np.ndarray:
    return split.read(np.arange(len(split))).label


@pytest.mark.parametrize("n", [1, 2, 3, 10, 257])
@pytest.mark.parametrize("shares", [{}, {"validation": 0.1}, {"test": 0.3, "validation": 0.15}, {"test": 0.0}])
def test_a_partition(n, shares):
    parts = hold_out(_numbered(n), shares)
    assert set(parts) == {"train", *shares}
    together = np.concatenate([_labels(split) for split in parts.values()])
    assert (np.sort(together) == np.arange(n)).all()
    for name, share in shares.items():
        assert len(parts[name]) == round(n * share)


def test_they_are_dealt_at_random_and_always_the_same():
    """Runs of all seeds, of this version and of later ones, hold out the same examples: their numbers compare."""
    parts = hold_out(_numbered(20), {"test": 0.2, "validation": 0.2})
    assert _labels(parts["test"]).tolist() == [1, 3, 5, 17]
    assert _labels(parts["validation"]).tolist() == [8, 10, 13, 16]


def test_something_must_remain():
    with pytest.raises(Invalid, match="data.name: 1 examples"):
        hold_out(_numbered(1), {"test": 0.6})
    with pytest.raises(Invalid, match="data.name: 0 examples"):
        hold_out(_numbered(0), {})


@pytest.mark.parametrize("resident_mb", [0, 1])
def test_training_never_sees_what_is_held_out(tmp_path, resident_mb):
    n = 40
    x = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None], (n, 8, 8))
    np.savez(tmp_path / "n.npz", x, labels=np.arange(n))
    config = Data(f"npz:{tmp_path / 'n.npz'}", batch_size=5, test=0.3, validation=0.2, resident_mb=resident_mb)
    dataset = load(config)
    feed = make_feed(config, dataset, seed=3, reads=2, devices=1)
    seen = set()
    for step in range(6):  # 60 examples: three epochs
        arrays = feed.arrays(step)
        here = jax.tree.map(lambda a: jnp.asarray(a[0]), arrays) if feed.axis == 0 else arrays
        for read in range(2):
            keys = example_keys(jax.random.key(0), jnp.arange(5))
            batch = feed.draw(here, 3, jnp.int32(step), jnp.int32(read), jnp.arange(5), keys)
            seen |= set(batch.label.tolist())
    feed.close()
    assert seen == set(_labels(dataset.train).tolist())
    assert not seen & {*_labels(dataset.validation).tolist(), *_labels(dataset.test).tolist()}
