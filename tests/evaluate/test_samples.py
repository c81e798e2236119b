"""Samples on all devices, and other programs' images."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from genlab.errors import Invalid
from genlab.evaluate.samples import BATCH, Sampler, read_folder, read_npz, truncate
from genlab.latent.interpolation import read_image
from genlab.nn.net import Net


def test_they_are_those_of_the_model(untrained):
    """On 8 devices as on one, for any number."""
    model = untrained("wgan_gp", (8, 8, 1))
    found = Sampler(model.game, True, "average").draw(model.state, 300, 5, "a")
    np.testing.assert_allclose(found, model.sample(300, 5), atol=1e-6)
    assert (found != Sampler(model.game, True, "average").draw(model.state, 300, 6, "a")).any()


def test_batch_norm_may_take_the_statistics_of_batches(untrained):
    """Of whole batches of 100, whether or not all of their samples are wanted; the averages are not touched."""
    model = untrained("wgan_gp", (8, 8, 1), method={"generator": Net(width=8, norm="batch")})
    sampler = Sampler(model.game, True, "batch")
    found = sampler.draw(model.state, BATCH, 0, "a")
    np.testing.assert_array_equal(found[:30], sampler.draw(model.state, 30, 0, "a"))
    assert abs(found - model.sample(BATCH)).max() > 1e-3
    moved = jax.tree.map(lambda s: s + 1, model.state.ema["stats"])
    other = dataclasses.replace(model.state, ema=model.state.ema | {"stats": moved})
    np.testing.assert_array_equal(found, sampler.draw(other, BATCH, 0, "a"))


def test_averaged_or_last_weights(untrained):
    model = untrained("gan", (8, 8, 1))
    state = dataclasses.replace(model.state, params=jax.tree.map(lambda p: p + 0.1, model.state.params))
    averaged, last = (Sampler(model.game, ema, "average").draw(state, 4, 0, "a") for ema in (True, False))
    assert abs(averaged - last).max() > 1e-3


def test_samples_that_are_not_finite_are_refused(untrained):
    model = untrained("gan", (8, 8, 1))
    ema = jax.tree.map(lambda p: p * jnp.nan, model.state.ema)
    with pytest.raises(Invalid, match="run_dirs: runs/a; its samples must be finite"):
        Sampler(model.game, True, "average").draw(dataclasses.replace(model.state, ema=ema), 4, 0, "runs/a")


def test_truncation_is_the_official_codes():
    x = np.array([-1.2, -1, -0.995, 0, 0.999, 1, 3], np.float32)
    np.testing.assert_array_equal(truncate(x), [0, 0, 0, 127, 255, 255, 255])


def picture(path, shape=(8, 8), value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, value, np.uint8)).save(path)


def test_folders_of_images(tmp_path):
    for i in range(3):
        picture(tmp_path / "sub" / f"{i}.png", value=i)
    (tmp_path / "notes.txt").write_text("not an image")
    found = read_folder(tmp_path, (8, 8, 1))
    np.testing.assert_array_equal(found.images[:, 0, 0, 0], [0, 1, 2])
    assert sorted(found.draw(2, 0)[:, 0, 0, 0]) != sorted(found.draw(2, 1)[:, 0, 0, 0])


def test_bad_folders_are_said_in_one_line(tmp_path):
    def said(shape=(8, 8, 1), place=tmp_path):
        with pytest.raises(Invalid) as error:
            read_folder(place, shape)
        assert "\n" not in str(error.value)
        return str(error.value)

    assert "must be an existing folder" in said(place=tmp_path / "absent")
    assert "holds no images" in said()
    picture(tmp_path / "a.png")
    assert "is grey, the real ones are not" in said((8, 8, 3))
    picture(tmp_path / "b.png", (8, 9))
    assert "b.png makes sizes 8 x 8 and 9 x 8; images of one size are needed" in said()
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    assert said().startswith("folder: ") and "a.png is no readable image" in said()


def test_npz_files(tmp_path):
    x = np.repeat(np.arange(5, dtype=np.uint8), 64).reshape(5, 8, 8)
    np.savez(tmp_path / "x.npz", labels=np.arange(5), images=x)
    found = read_npz(tmp_path / "x.npz")
    assert found.images.shape == (5, 8, 8, 1)
    assert len(np.unique(found.draw(5, 3)[:, 0, 0, 0])) == 5
    with pytest.raises(Invalid, match="n: 6 is not at most 5, all that .*x.npz holds"):
        found.draw(6, 0)


@pytest.mark.parametrize("kind", [np.uint8, bool])
def test_images_of_nothing_but_0_and_1_are_black_and_white(tmp_path, kind):
    """As in data sets, from an array or from files; one other value, and they are what they are."""
    bits = np.random.default_rng(0).integers(0, 2, (3, 8, 8, 1), np.uint8)
    np.savez(tmp_path / "x.npz", bits.astype(kind))
    np.testing.assert_array_equal(read_npz(tmp_path / "x.npz").images, 255 * bits)
    for i, image in enumerate(bits):
        Image.fromarray(image[..., 0]).save(tmp_path / f"{i}.png")
    np.testing.assert_array_equal(read_folder(tmp_path, (8, 8, 1)).images, 255 * bits)
    np.testing.assert_array_equal(read_image(tmp_path / "0.png", (8, 8, 1)), 2.0 * bits[0] - 1)
    bits[0, 0, 0, 0] = 2
    np.savez(tmp_path / "x.npz", bits)
    np.testing.assert_array_equal(read_npz(tmp_path / "x.npz").images, bits)


@pytest.mark.parametrize("content", ["absent", "empty", "text", "float", "shape"])
def test_bad_npz_files_are_said_in_one_line(tmp_path, content):
    path = tmp_path / "x.npz"
    arrays = {"empty": np.zeros((0, 8, 8), np.uint8), "float": np.zeros((2, 8, 8)), "shape": np.zeros((2, 8), np.uint8)}
    if content == "text":
        path.write_text("no zip")
    elif content in arrays:
        np.savez(path, arrays[content])
    with pytest.raises(Invalid, match=r"npz: .*(must be an existing|no readable|uint8 or bool images)") as error:
        read_npz(path)
    assert "\n" not in str(error.value)
