"""The order is a permutation of the set in every epoch, the same in numpy and jax, at any step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.data.order import LARGEST, example_index, permute
from genlab.errors import Invalid


def _epoch(seed: int, epoch: int, n: int) -> np.ndarray:
    x = np.arange(n, dtype=np.uint32)
    return permute(seed, np.full_like(x, epoch), x, n).astype(int)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 127, 128, 1797, 60_000])
def test_every_epoch_is_a_permutation(n):
    for epoch in (0, 1, 2**32 - 1):
        assert (np.sort(_epoch(5, epoch, n)) == np.arange(n)).all()


def test_epochs_and_seeds_differ():
    orders = [_epoch(0, 0, 1000), _epoch(0, 1, 1000), _epoch(1, 0, 1000), _epoch(1, 1, 1000)]
    for i, one in enumerate(orders):
        for other in orders[:i]:
            assert (one == other).sum() < 10  # a shuffle has one fixed point in the mean


def test_places_are_uniform_and_neighbours_part():
    n, epochs = 16, 4096
    x = np.tile(np.arange(n, dtype=np.uint32), (epochs, 1))
    orders = permute(3, np.broadcast_to(np.arange(epochs, dtype=np.uint32)[:, None], x.shape), x, n).astype(int)
    for counts, cells in (
        (np.stack([np.bincount(place, minlength=n) for place in orders.T]), n),
        (np.bincount(((orders[:, 1:] - orders[:, :-1]) % n).ravel(), minlength=n)[1:], n - 1),
    ):
        expected = counts.sum() / counts.size
        chi2 = ((counts - expected) ** 2 / expected).sum() / counts.size
        assert abs(chi2 - 1) < 6 * np.sqrt(2 / counts.size), cells


@pytest.mark.parametrize("size, n", [(640, 60_000), (640, 1437), (640, 3), (1, 1), (2**24 - 1, LARGEST), (2**20, 9**6)])
def test_against_whole_numbers(size, n):
    within = np.array([0, 1, size - 1, size, 2**31 - 1])
    traced = jax.jit(lambda step, within: example_index(9, step, within, size, n))
    for step in (0, 1, 7, 2**24 + 1, 2**31 - 1):
        position = [step * size + int(w) for w in within]
        epoch = np.array([p // n % 2**32 for p in position], np.uint32)
        offset = np.array([p % n for p in position], np.uint32)
        expected = permute(9, epoch, offset, n)
        assert (example_index(9, step, within, size, n) == expected).all()
        actual = traced(jnp.int32(step), jnp.asarray(within, jnp.int32))
        assert actual.dtype == jnp.uint32 and (np.asarray(actual) == expected).all()


def test_steps_follow_one_another_without_gap_or_overlap():
    size, n = 12, 30
    seen = np.concatenate([example_index(0, step, np.arange(size), size, n) for step in range(10)])
    for epoch in seen.reshape(-1, n):
        assert (np.sort(epoch) == np.arange(n)).all()


def test_in_scan_and_vmap():
    def body(carry, step):
        return carry, jax.vmap(lambda w: example_index(1, step, w, 4, 50))(jnp.arange(4))

    _, rows = jax.jit(lambda steps: jax.lax.scan(body, 0, steps))(jnp.arange(6))
    assert (np.asarray(rows) == np.stack([example_index(1, s, np.arange(4), 4, 50) for s in range(6)])).all()


@pytest.mark.parametrize("n", [0, LARGEST + 1])
def test_refuses_what_it_cannot_order(n):
    with pytest.raises(Invalid, match=f"{n} training examples"):
        example_index(0, 0, np.arange(2), 2, n)
