"""Validation: which examples it sees, with which weights, and that it leaves no trace."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.data.config import Data
from genlab.data.feed import to_float, to_uint8
from genlab.data.sources import load
from genlab.data.splits import Dataset, Examples, InMemory
from genlab.data.toys import points
from genlab.kernels.random import example_keys
from genlab.methods.ae import AE
from genlab.methods.gan import GAN
from genlab.methods.rbm import RBM
from genlab.nn.net import Net
from genlab.parts.labels import Conditioning
from genlab.track import grids
from genlab.train.state import Game, stream
from genlab.train.validate import held_out, make_pictures, make_validation, training_batches

SMALL = Net(width=4, depth=1)
TOY = "points:swissroll"
DATA = Data(batch_size=4, flip=True)
IMAGES = np.random.default_rng(0).integers(0, 256, (10, 2, 2, 1), np.uint8)


class Forbidden:
    """A split that nobody may read."""

    def __len__(self):
        return 10

    def read(self, indices):
        raise AssertionError("only the validation split may be read")


def dataset(images=IMAGES):
    held = InMemory(Examples(images, np.arange(len(images), dtype=np.int32)))
    return Dataset("toy", (2, 2, 1), (), Forbidden(), held, Forbidden())


def initial(game):
    return jax.jit(game.init, compiler_options={"xla_backend_optimization_level": 0})()


def bitwise(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize(("batch_size", "shape"), [(4, (2, 4)), (10, (1, 10)), (64, (1, 10)), (1, (10, 1))])
def test_the_validation_split_is_held_out_in_whole_batches(batch_size, shape):
    """In their order and never mirrored; neither training nor test examples are read."""
    batches = held_out(dataset(), dataclasses.replace(DATA, batch_size=batch_size), 0)
    assert batches.label.shape == shape
    count = shape[0] * shape[1]
    np.testing.assert_array_equal(batches.label.reshape(-1), np.arange(count))
    np.testing.assert_allclose(batches.x.reshape(-1, 2, 2, 1), IMAGES[:count] / 127.5 - 1, atol=1e-6)


def test_dequantisation_is_fixed_by_the_seed():
    noisy = dataclasses.replace(DATA, dequantise=True)
    first, again, other = (held_out(dataset(), noisy, seed).x for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(np.floor((first + 1) * 128), IMAGES[:8].reshape(first.shape))


def test_there_may_be_nothing_held_out():
    assert held_out(dataset(IMAGES[:0]), DATA, 0) is None
    config = Data(validation=0.0)
    assert held_out(load(config), config, 0) is None


def test_at_most_so_many_examples_are_looked_at():
    config = Data(TOY, batch_size=300)
    assert held_out(load(config), config, 0).x.shape == (6, 300, 2)


@pytest.fixture(scope="module")
def autoencoder():
    """The game, its state, the held-out batches, and what validation says."""
    game = Game(AE(latent=2, encoder=SMALL, decoder=SMALL), (2, 2, 1), 0, 10)
    state, batches = initial(game), held_out(dataset(), DATA, 0)
    return game, state, batches, make_validation(game, batches)


def test_the_losses_are_means_over_the_held_out_examples(autoencoder):
    game, state, batches, validate = autoencoder
    networks = game.merge(state.params, state.stats, train=False)
    errors = [np.square(x - game.method.reconstruct(networks, x)).sum((1, 2, 3)) for x in batches.x]
    seen = validate(state)
    np.testing.assert_allclose(seen["validation/model/loss"], np.mean(errors), rtol=1e-5)
    rmse = np.mean([np.sqrt(np.mean(each) / 4) for each in errors])
    np.testing.assert_allclose(seen["validation/model/rmse"], rmse, rtol=1e-5)
    assert seen.keys() == {f"validation/{name}" for name in ("model/loss", "model/rmse", "sliced_wasserstein")}


def test_it_is_a_function_of_the_state_and_leaves_it_alone(autoencoder):
    game, state, batches, validate = autoencoder
    before = jax.device_get(state)
    first, again = validate(state), validate(state)
    bitwise(first, again)
    bitwise(before, jax.device_get(state))  # the codes' averages too, which the loss updates


def test_losses_are_of_the_current_weights_and_the_distance_of_the_averaged(autoencoder):
    _, state, _, validate = autoencoder
    seen = validate(state)

    def changed(**weights):
        other = validate(dataclasses.replace(state, **weights))
        return {name.removeprefix("validation/") for name in seen if seen[name] != other[name]}

    assert changed(params=jax.tree.map(lambda p: p + 0.5, state.params)) == {"model/loss", "model/rmse"}
    assert changed(ema=jax.tree.map(lambda p: p + 0.5, state.ema)) == {"sliced_wasserstein"}


def test_pictures_are_functions_of_the_state(autoencoder):
    game, state, batches, _ = autoencoder
    pictures = make_pictures(game, batches)
    first = pictures(state)
    bitwise(first, pictures(state))
    assert first.keys() == {"samples", "reconstruction"}
    assert all(p.dtype == np.uint8 and p.ndim == 3 and p.shape[2] == 3 for p in first.values())
    other = pictures(dataclasses.replace(state, params=jax.tree.map(lambda p: p + 1, state.params)))
    bitwise(first, other)  # of the averaged weights
    assert make_pictures(game, None)(state).keys() == {"samples"}


def test_batch_norm_is_in_evaluation_mode():
    """The generator's running averages decide, not the batch; and they stay as they are."""
    net = Net(width=4, depth=1, norm="batch")
    game = Game(GAN(latent=2, generator=net, discriminator=SMALL), (2, 2, 1), 0, 10)
    state, batches = initial(game), held_out(dataset(), DATA, 0)
    validate = make_validation(game, batches)
    seen = validate(state)
    assert not any(name.startswith("validation/generator/") for name in seen)  # its loss looks at no examples
    stats = jax.tree.map(lambda s: s + 1, state.stats)
    averaged = state.ema | {"stats": {"generator": stats["generator"]}}
    moved = validate(dataclasses.replace(state, stats=stats, ema=averaged))
    assert all(np.isfinite(list(moved.values())))
    assert moved["validation/discriminator/loss"] != seen["validation/discriminator/loss"]
    assert moved["validation/sliced_wasserstein"] != seen["validation/sliced_wasserstein"]


def test_the_gap_is_how_much_more_it_is_on_what_is_held_out():
    """Of the same metric, with the same weights, on examples from all over the training split."""
    rng = np.random.default_rng(1)
    train = InMemory(Examples(rng.integers(0, 256, (100, 2, 2, 1), np.uint8), np.arange(100, dtype=np.int32)))
    both = dataclasses.replace(dataset(), train=train)
    batches = held_out(both, DATA, 0)
    known = training_batches(both, DATA, 0, batches)
    np.testing.assert_array_equal(known.label.reshape(-1), np.arange(8) * 100 // 8)
    game = Game(RBM(latent=3), (2, 2, 1), 0, 10)
    state = initial(game)
    seen = make_validation(game, batches, known)(state)
    here, there = (make_validation(game, b)(state)["validation/model/free_energy"] for b in (batches, known))
    assert abs(here - there) > 1e-3
    np.testing.assert_allclose(seen["validation/model/free_energy_gap"], here - there, atol=1e-5)


@dataclasses.dataclass(frozen=True)
class Oracle(GAN):
    """Its samples are fresh real points."""

    def sample(self, networks, keys, labels=None):
        return points("swissroll", keys)[0]


def test_the_distance_tells_real_from_untrained_samples():
    """500 held-out points against as many fresh ones, and against those of a generator that has learnt nothing."""
    config = Data(TOY, batch_size=500)
    batches = jax.tree.map(lambda a: a[:1], held_out(load(config), config, 0))

    def distance(kind):
        game = Game(kind(latent=2, generator=SMALL, discriminator=SMALL), (2,), 0, 10)
        return make_validation(game, batches)(initial(game))["validation/sliced_wasserstein"]

    assert distance(Oracle) < 0.1 < 0.3 < distance(GAN)


def test_held_out_images_are_those_the_step_would_see():
    """The same conversion as in training, so that its losses can be compared."""
    batches = held_out(dataset(), DATA, 0)
    keys = example_keys(jax.random.key(0), jnp.arange(8))
    expected = to_float(jnp.asarray(IMAGES[:8]), keys, dataclasses.replace(DATA, flip=False))
    np.testing.assert_array_equal(batches.x.reshape(expected.shape), expected)


def test_pictures_of_classes_have_a_column_for_each():
    """Every row is of one latent, every column of one class."""
    method = GAN(latent=2, generator=SMALL, discriminator=SMALL, classes=3, labels=Conditioning("projection"))
    game = Game(method, (2, 2, 1), 0, 10)
    state = initial(game)
    state = dataclasses.replace(state, ema=jax.tree.map(lambda p: p + 0.5, state.ema))
    latents = example_keys(stream(0, "pictures"), jnp.arange(8))
    networks = game.sampling_networks(state, ema=True)
    columns = [method.sample(networks, latents, jnp.full(8, c)) for c in range(3)]
    rows = to_uint8(np.stack(columns, 1).reshape(24, 2, 2, 1))
    np.testing.assert_array_equal(make_pictures(game, None)(state)["samples"], grids.tile(rows, 3))
    assert len(np.unique(rows.reshape(24, -1), axis=0)) > 3
