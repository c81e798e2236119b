"""Every feed gives the same bits, from any step and on any number of devices."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.data import Data, load, make_feed, to_float, to_uint8
from genlab.data.feed import MEAN_EXAMPLES, Resident, Stream, mean_example
from genlab.data.splits import Examples, InMemory, OnDisk
from genlab.errors import Invalid
from genlab.kernels.random import example_keys

READS, BATCH = 3, 8
DRAWS: dict = {}  # each feed compiled once


@pytest.fixture
def config(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "x.npz", rng.integers(0, 256, (50, 4, 3, 3), np.uint8), labels=np.arange(50))
    return Data(f"npz:{tmp_path / 'x.npz'}", batch_size=BATCH, flip=True, crop=1)


def _feed(config, kind, devices, seed=4):
    config = replace(config, resident_mb=0 if kind is Stream else 1)
    feed = make_feed(config, load(config), seed, READS, devices)
    assert isinstance(feed, kind)
    return feed


def _iteration(feed, step, devices, seed=4):
    """All batches of one iteration, put together from the devices' shares."""
    draw = DRAWS.setdefault(feed, jax.jit(feed.draw))
    arrays, share, reads = feed.arrays(step), BATCH // devices, []
    for read in range(READS):
        keys = example_keys(jax.random.fold_in(jax.random.key(step), read), jnp.arange(BATCH))
        parts = []
        for d in range(devices):
            here = arrays if feed.axis is None else jax.tree.map(lambda a, d=d: jnp.asarray(a[d]), arrays)
            index = jnp.arange(d * share, (d + 1) * share)
            parts.append(draw(here, seed, jnp.int32(step), jnp.int32(read), index, keys[index]))
        reads.append(jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts))
    return reads


def _same(one, other):
    for a, b in zip(one, other, strict=True):
        assert a.x.dtype == np.float32 and a.x.shape == (BATCH, 4, 3, 3)
        assert (a.x == b.x).all() and (a.label == b.label).all()


@pytest.mark.parametrize("devices, dequantise", [(1, False), (2, True), (4, False)])
def test_resident_and_stream_are_bitwise_equal(config, devices, dequantise):
    config = replace(config, dequantise=dequantise)
    reference, resident, stream = (
        _feed(config, kind, d) for kind, d in ((Resident, 1), (Resident, 1), (Stream, devices))
    )
    for step in (0, 1, 2, 3):  # 24 examples an iteration, 40 an epoch: some iterations straddle two
        expected = _iteration(reference, step, 1)
        _same(expected, _iteration(resident, step, devices))
        _same(expected, _iteration(stream, step, devices))
    stream.close()


def test_any_first_step_and_order(config):
    through = _feed(config, Stream, 1)
    expected = {step: _iteration(through, step, 1) for step in range(9)}
    through.close()
    for step in (7, 8, 3):  # a resumed run, its next step, and back
        _same(expected[step], _iteration(through, step, 1))
    through.close()
    through.close()
    late = _feed(config, Stream, 1)
    _same(expected[7], _iteration(late, 7, 1))
    late.close()


def test_an_epoch_is_the_training_split_once(config):
    dataset = load(config)
    feed = _feed(config, Resident, 1)
    labels = np.concatenate([batch.label for step in range(5) for batch in _iteration(feed, step, 1)])
    expected = np.sort(dataset.train.read(np.arange(40)).label)
    for epoch in labels.reshape(-1, 40):
        assert (np.sort(epoch) == expected).all()
    assert (labels[:40] != labels[40:80]).any()


def test_the_seed_orders(config):
    one, other = (_iteration(_feed(config, Resident, 1), 0, 1, seed)[0].label for seed in (0, 1))
    assert (one != other).any()


def test_a_batch_may_exceed_the_set(tmp_path):
    np.savez(tmp_path / "x.npz", np.zeros((3, 8, 8), np.uint8), labels=np.arange(3))
    config = Data(f"npz:{tmp_path / 'x.npz'}", batch_size=9, validation=0.0, test=0.0)
    feed = make_feed(config, load(config), 0, 1, 1)
    keys = example_keys(jax.random.key(0), jnp.arange(9))
    batch = feed.draw(feed.arrays(0), 0, jnp.int32(0), jnp.int32(0), jnp.arange(9), keys)
    assert (np.bincount(batch.label) == 3).all()


@pytest.mark.parametrize("resident_mb", [0, 1])
def test_a_broken_image_is_named(tmp_path, paint, resident_mb):
    paint("0.png")
    (tmp_path / "1.png").write_bytes(b"broken")
    config = Data(f"folder:{tmp_path}", image_size=8, batch_size=2, validation=0.0, test=0.0, resident_mb=resident_mb)
    with pytest.raises(Invalid, match=r"1\.png is no readable image"):
        feed = make_feed(config, load(config), 0, 1, 1)
        try:
            feed.arrays(0)
        finally:
            feed.close()


def _grey():
    return jnp.arange(256, dtype=jnp.uint8).reshape(4, 8, 8, 1), example_keys(jax.random.key(0), jnp.arange(4))


def test_scaling_and_its_inverse():
    images, keys = _grey()
    x = to_float(images, keys, Data())
    assert float(x.min()) == -1 and float(x.max()) == 1
    assert np.abs(np.asarray(x) - (np.asarray(images) / 127.5 - 1)).max() < 1e-7
    assert (to_uint8(x) == images).all() and (to_uint8(np.asarray(x)) == images).all()
    assert to_uint8(jnp.array([-3.0, 1.5])).tolist() == [0, 255]


def test_dequantisation_fills_each_level():
    images, keys = _grey()
    x = np.asarray(to_float(images, keys, Data(dequantise=True)))
    noise = (x + 1) * 128 - np.asarray(images)
    assert noise.min() >= 0 and noise.max() <= 1 and abs(noise.mean() - 0.5) < 6 / np.sqrt(12 * 256)
    assert len(np.unique(noise)) > 250 and x.min() >= -1 and x.max() <= 1


def test_flips_mirror_half_of_the_images():
    images = jnp.tile(jnp.arange(8, dtype=jnp.uint8)[None, None, :, None], (1000, 8, 1, 1))
    x = to_float(images, example_keys(jax.random.key(1), jnp.arange(1000)), Data(flip=True))
    plain = to_float(images[:1], example_keys(jax.random.key(1), jnp.arange(1)), Data())[0]
    mirrored = np.array([bool((image == plain[:, ::-1]).all()) for image in np.asarray(x)])
    same = np.array([bool((image == plain).all()) for image in np.asarray(x)])
    assert (mirrored ^ same).all() and abs(mirrored.mean() - 0.5) < 0.1


def test_crops_move_each_image_by_its_key_in_training_only():
    """By up to two pixels either way, all 25 places as likely; the data that are looked at elsewhere stay."""
    images = jnp.tile(jnp.arange(256, dtype=jnp.uint8).reshape(16, 16)[None, :, :, None], (1000, 1, 1, 1))
    keys, config = example_keys(jax.random.key(1), jnp.arange(1000)), Data(crop=2, flip=True)
    x, plain = (np.asarray(to_float(images, keys, data)) for data in (config, config.unaugmented))
    np.testing.assert_array_equal(plain, to_float(images, keys, Data()))
    x = np.asarray(to_float(images, keys, replace(config, flip=False)))
    centre = np.round((x[:, 8, 8, 0] + 1) * 127.5).astype(int)
    places = {(i, j) for i in range(6, 11) for j in range(6, 11)}
    assert {divmod(value, 16) for value in centre.tolist()} == places
    assert np.bincount(centre).max() < 1000 / 25 + 5 * (1000 / 25) ** 0.5


def test_binarised_pixels_are_one_with_the_probability_of_their_grey_level():
    """Over 4,000 examples: within 5 standard errors, which are below 0.008; black and white stay as they are."""
    levels = jnp.array([0, 1, 64, 200, 254, 255], jnp.uint8)
    images = jnp.tile(levels[None, None, :, None], (4000, 1, 1, 1))
    keys = (example_keys(jax.random.key(seed), jnp.arange(4000)) for seed in (0, 0, 1))
    x, again, other = (to_float(images, k, Data(binarise=True)) for k in keys)
    assert set(np.unique(x)) == {-1, 1}
    share = (np.asarray(x)[:, 0, :, 0] > 0).mean(0)
    np.testing.assert_allclose(share, levels / 255, atol=0.04)
    assert share[0] == 0 and share[-1] == 1
    assert (x == again).all() and (x != other).any()


def test_pixels_are_binarised_each_by_itself():
    """A constant grey image has neighbours that differ; mirroring does not change how it is drawn."""
    images = jnp.full((64, 8, 8, 1), 128, jnp.uint8)
    keys = example_keys(jax.random.key(3), jnp.arange(64))
    x = to_float(images, keys, Data(binarise=True))
    flipped = to_float(images, keys, Data(binarise=True, flip=True))
    assert abs(np.corrcoef(np.ravel(x[:, :, 1:]), np.ravel(x[:, :, :-1]))[0, 1]) < 0.1
    assert all((a == b).all() or (a[:, ::-1] == b).all() for a, b in zip(x, flipped, strict=True))
    assert (x != flipped).any()


@pytest.mark.parametrize("noise", ["none", "dequantise", "binarise"])
def test_the_mean_example_is_that_of_what_training_sees(noise):
    """Exactly, up to rounding, without noise; in the mean over many draws with it."""
    images = np.random.default_rng(0).integers(0, 256, (3000, 2, 3, 1), np.uint8)
    config = Data() if noise == "none" else Data(**{noise: True})
    found = mean_example(InMemory(Examples(images, np.zeros(3000, np.int32))), config)
    keys = example_keys(jax.random.key(0), jnp.arange(3000))
    np.testing.assert_allclose(
        found, to_float(jnp.asarray(images), keys, config).mean(0), atol=0.05 if noise == "binarise" else 1e-3
    )
    assert (found.shape, found.dtype) == ((2, 3, 1), np.float32)
    if noise == "none":
        np.testing.assert_allclose(found, images.mean(0) / 127.5 - 1, atol=1e-6)


def test_the_mean_is_of_examples_from_all_over_a_large_split():
    """Bounded work: MEAN_EXAMPLES of them, a little at a time, of which those of the second half are as many."""
    n, read = 5 * MEAN_EXAMPLES + 3, []

    def fetch(indices):
        assert len(indices) <= 1024
        read.extend(indices.tolist())
        return Examples(
            np.where(indices < n / 2, 0, 255).astype(np.uint8)[:, None, None, None], indices.astype(np.int32)
        )

    np.testing.assert_allclose(mean_example(OnDisk(n, fetch), Data()), 0, atol=1e-3)
    assert len(set(read)) == len(read) == MEAN_EXAMPLES and max(read) > n - 10


def test_the_mean_of_points():
    split = load(Data("points:swissroll")).train
    expected = split.read(np.arange(len(split))).x.mean(0)
    np.testing.assert_allclose(mean_example(split, Data("points:swissroll")), expected, atol=1e-6)
