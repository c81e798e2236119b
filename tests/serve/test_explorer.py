"""The map and its pictures: points where their components put them, pictures that are the model's own."""

import io

import numpy as np
import pytest
from PIL import Image

import genlab
from genlab.data.feed import to_uint8
from genlab.data.sources import load as load_data
from genlab.errors import Invalid
from genlab.serve import explorer
from genlab.serve.explorer import Explorer, make_map


def pixels(png):
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture)


@pytest.fixture
def made(trained, monkeypatch):
    """`made("vae")`: an explorer of a tiny run, of 60 points at most."""
    monkeypatch.setattr(explorer, "POINTS", 60)

    def make(name, **sections):
        model = genlab.load(trained(name, **sections))
        return Explorer(model, make_map(model))

    return make


def test_encoded_examples_lie_where_the_components_of_their_latents_put_them(made):
    found = made("vae")
    model, seen = found.model, found.map
    examples, labels = load_data(model.config.data).test.read(np.arange(60))
    z = model.encode(examples.astype(np.float32) / 127.5 - 1)
    np.testing.assert_array_equal(seen.labels, labels)
    np.testing.assert_allclose(seen.latents, z, atol=1e-6)
    left, scale, right = np.linalg.svd(z - z.mean(0), full_matrices=False)
    np.testing.assert_allclose(abs(seen.places), abs(left * scale)[:, :2], atol=1e-4)
    # a step along a direction is one standard deviation of the latents along it
    np.testing.assert_allclose(abs(seen.directions), abs(right * scale[:, None])[:6] / np.sqrt(59), atol=1e-4)
    np.testing.assert_array_equal(pixels(found.original(7)), examples[7, ..., 0])
    again = to_uint8(model.decode(z[7:8]))[0, ..., 0]
    np.testing.assert_allclose(pixels(found.decoded(7)), again, atol=1)
    assert "test split" in seen.about


def test_held_out_examples_are_those_of_training_whatever_its_seed(made):
    found = made("vae", train={"seed": 3})
    examples = load_data(found.model.config.data).test.read(np.arange(60)).x
    np.testing.assert_array_equal(found.map.real, examples.astype(np.float32) / 127.5 - 1)


def test_pictures_follow_directions_and_paths(made):
    found = made("vae")
    model, seen = found.model, found.map
    moved = seen.latents[3] + 2 * seen.directions[0] - 3 * seen.directions[1]
    assert np.ptp(pixels(found.decoded(3)).astype(int) - pixels(found.decoded(3, (2.0, -3.0)))) > 0
    np.testing.assert_allclose(
        pixels(found.decoded(3, (2.0, -3.0))), to_uint8(model.decode(moved[None]))[0, ..., 0], atol=1
    )
    middle = to_uint8(model.decode(seen.latents[[3, 5]].mean(0)[None]))[0, ..., 0]
    strip = pixels(found.between(3, 5, 3, "lerp"))  # two rows of two, enlarged six times, with lines between
    np.testing.assert_allclose(strip[3:49:6, 52:98:6, 0], middle, atol=1)
    np.testing.assert_allclose(strip[52:98:6, 3:49:6, 0], pixels(found.decoded(5)), atol=1)
    assert (pixels(found.between(3, 5, 3, "slerp")) != strip).any()


def test_samples_lie_where_the_components_of_their_pixels_put_them(made):
    found = made("wgan_gp")
    seen, flat = found.map, found.map.shown.reshape(60, -1)
    left, scale, _ = np.linalg.svd(flat - flat.mean(0), full_matrices=False)
    np.testing.assert_allclose(abs(seen.places), abs(left * scale)[:, :2], atol=1e-4)
    np.testing.assert_allclose(seen.shown, found.model.sample(60), atol=1e-6)
    train_split = load_data(found.model.config.data).train
    near, labels = train_split.read(np.arange(len(train_split)))
    distances = ((flat[:, None] - (near.reshape(1, len(near), -1) / 127.5 - 1)) ** 2).sum(2)
    np.testing.assert_array_equal(seen.labels, labels[distances.argmin(1)])
    # one step is as long as a standard deviation of the prior, and moves the sample along its component
    lengths = np.linalg.norm(seen.directions, axis=1)
    np.testing.assert_allclose(lengths, seen.latents.std(), rtol=1e-5)


def test_a_direction_of_a_linear_generator_is_its_component(made, monkeypatch):
    """Where decoding is linear, the regression finds the component itself: moving along it moves nothing else."""
    found = made("wgan_gp")
    model, rng = found.model, np.random.default_rng(0)
    weights = rng.normal(size=(model.method.latent, 64)) * np.geomspace(1, 1e-3, 64)
    monkeypatch.setattr(type(model), "decode", lambda self, z, labels=None: (z @ weights).reshape(-1, 8, 8, 1))
    monkeypatch.setattr(explorer, "POINTS", 1000)
    seen = make_map(model)
    flat = seen.shown.reshape(1000, -1)
    _, _, components = np.linalg.svd(flat - flat.mean(0), full_matrices=False)
    moved = seen.directions @ weights
    cosine = abs((moved * components[:6]).sum(1)) / np.linalg.norm(moved, axis=1)
    assert (cosine > 0.95).all(), cosine


def test_classes_can_be_chosen(made):
    found = made("cgan")
    np.testing.assert_array_equal(found.map.labels, np.arange(60) % 10)
    own, chosen = (to_uint8(found.model.decode(found.map.latents[[4]], label))[0, ..., 0] for label in (4, 7))
    assert (own != chosen).any()
    np.testing.assert_allclose(pixels(found.decoded(4)), own, atol=1)
    np.testing.assert_allclose(pixels(found.decoded(4, (), 7)), chosen, atol=1)
    np.testing.assert_allclose(pixels(found.between(4, 5, 2, "slerp", 7))[3:49:6, 3:49:6, 0], chosen, atol=1)


def test_points_and_models_without_their_data(made, monkeypatch):
    found = made("wgan_gp_points")
    assert pixels(found.decoded(0)).shape == pixels(found.between(0, 9, 5, "slerp")).shape == (480, 480, 3)

    def gone(*_):
        raise Invalid("data.name: gone")

    monkeypatch.setattr(explorer, "load_data", gone)
    alone = made("vae")
    assert alone.map.real is None and set(alone.map.labels) == {-1}
    assert "60 samples" in alone.map.about


def test_the_atlas_holds_all_in_the_order_of_points(made):
    found = made("vae")
    atlas = pixels(found.atlas())
    assert atlas.shape == (64, 64)  # 60 images of 8x8, 8 a row
    np.testing.assert_array_equal(atlas[8:16, 16:24], pixels(found.original(10)))


def test_mistakes_are_named(made):
    found = made("vae")
    with pytest.raises(Invalid, match="point: 60 is not from 0 to 59"):
        found.decoded(60)
    with pytest.raises(Invalid, match="along: .* is not as many numbers as there are directions"):
        found.decoded(0, (0.0,) * 7)
    for far in (float("nan"), float("inf"), 1e30):
        with pytest.raises(Invalid, match="along: .* is not numbers from -100 to 100"):
            found.decoded(0, (0.0, far))
    with pytest.raises(Invalid, match="how: 'straight' is not one of lerp, slerp"):
        found.between(0, 1, 5, "straight")
    with pytest.raises(Invalid, match="steps: 33 is not from 2 to 32"):
        found.between(0, 1, 33, "lerp")
