"""A check sum sees what happens to an array."""

import zlib

import jax.numpy as jnp
import numpy as np
import pytest

from genlab.train.record import PAGE, digest


def array(size, kind="random"):
    """So many bytes, alike or not."""
    return (
        np.full(size, 63, np.uint8)
        if kind == "alike"
        else np.random.default_rng(0).integers(256, size=size, dtype="u1")
    )


@pytest.mark.parametrize("kind", ["random", "alike"])
@pytest.mark.parametrize("size", [1, 7, PAGE, PAGE + 9])
def test_every_single_bit_shows(size, kind):
    data = array(size, kind)
    whole = digest(data)
    for place in range(size):
        bit = np.uint8(1 << place % 8)
        data[place] ^= bit
        assert digest(data) != whole
        data[place] ^= bit
    assert digest(data) == whole


def test_a_lost_a_doubled_and_an_exchanged_page_show():
    data = array(4 * PAGE)
    pages = data.reshape(4, -1)
    zeroed = pages.copy()
    zeroed[2] = 0
    doubled, exchanged = pages[[0, 1, 1, 3]], pages[[0, 2, 1, 3]]
    shifted = np.roll(data, 8)
    assert len({digest(x.reshape(-1)) for x in (pages, zeroed, doubled, exchanged, shifted)}) == 5


def test_a_page_of_ones_is_not_one_of_zeros():
    ones = np.ones(2 * PAGE, np.float32)
    assert digest(ones) != digest(np.concatenate([ones[PAGE:], np.zeros(PAGE, np.float32)]))


def test_type_and_shape_belong_to_it():
    x = np.zeros((2, 3), np.float32)
    assert len({digest(x), digest(x.T), digest(x.reshape(6)), digest(x.view(np.int32))}) == 4


@pytest.mark.parametrize(
    "x", [np.zeros((0, 5)), np.float32(3), np.asarray(jnp.ones(5000, jnp.bfloat16)), np.bool_(True)]
)
def test_every_array_has_one(x):
    assert digest(np.asarray(x)) == digest(np.asarray(x).copy())


def test_it_is_of_the_numbers_wherever_they_lie():
    x = np.arange(5000, dtype=np.float32).reshape(50, 100)
    assert digest(np.asfortranarray(x)) == digest(x) != digest(x + 1)


def test_without_pages_it_is_the_check_sum_of_all_bytes():
    """As genlab 0.1 wrote it, whose checkpoints are still held to it."""
    array = np.random.default_rng(0).normal(size=(100, 30)).astype(np.float32)
    assert digest(array, 0) == f"float32[100, 30] {zlib.crc32(array.tobytes()):08x}"
