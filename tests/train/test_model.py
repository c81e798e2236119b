"""A model from its run folder: what it makes of arrays of any length, and what it refuses."""

import dataclasses
import subprocess
import sys
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import genlab
from genlab.errors import Invalid
from genlab.evaluate import inference
from genlab.kernels.random import example_keys, fold, normal, uniform
from genlab.methods.game import Method, Player
from genlab.methods.vae import VAE
from genlab.model import CHUNK, SMALL_CHUNK, Model
from genlab.train.loop import train
from genlab.train.state import Game, stream

SHAPE = (8, 8, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, (CHUNK + 5, *SHAPE), np.uint8)
X = (IMAGES / 127.5 - 1).astype(np.float32)
BITS = np.where(IMAGES > 127, 255, 0).astype(np.uint8)
B = np.sign(X)  # they as a model sees them


@dataclass(frozen=True)
class LabelPlusLatent(Method):
    """Decodes to a picture of the latent's first number plus the label."""

    sampling = ("nothing",)
    headline = ("model/loss", "model/loss")
    monitor = "none"
    normal = True
    latent: int = 2
    classes: int = 4

    def networks(self, shape, rngs):
        return {"nothing": nnx.Linear(1, 1, rngs=rngs)}

    def players(self):
        return (Player("model", ("nothing",), lambda *_: (jnp.zeros(()), {}), VAE().optimizer),)

    def draw_latents(self, networks, keys):
        return normal(keys, (self.latent,))

    def decode(self, networks, z, labels=None):
        return jnp.broadcast_to((z[:, 0] + labels)[:, None, None, None], (len(z), *SHAPE))

    def sample(self, networks, keys, labels=None):
        labels = (uniform(fold(keys, 7)) * self.classes).astype(jnp.int32) if labels is None else labels
        return self.decode(networks, self.draw_latents(networks, keys), labels)


@pytest.fixture
def model(tiny):
    """`model("vae")`, or of a method: with first weights, of which the averaged ones differ."""

    def make(method):
        config = tiny(method) if isinstance(method, str) else dataclasses.replace(tiny("vae"), method=method)
        game = Game(config.method, SHAPE, 0, 1)
        state = game.init()
        state = dataclasses.replace(state, ema=jax.tree.map(lambda a: 1.5 * a, state.ema))
        return Model(config, SHAPE, game, state, True, tuple("abcd"))

    return make


@pytest.mark.parametrize("n", [1, SMALL_CHUNK + 1, CHUNK + 3])
def test_any_number_of_rows_is_the_methods_own(model, n):
    vae = model("vae")
    networks = vae.game.sampling_networks(vae.state, ema=True)
    z = np.random.default_rng(1).normal(size=(n, vae.method.latent)).astype(np.float32)
    found = vae.decode(z), vae.encode(X[:n]), vae.reconstruct(X[:n])
    methods = vae.method.decode, vae.method.encode, vae.method.reconstruct
    for rows, f, given in zip(found, methods, (z, X[:n], X[:n]), strict=True):
        assert isinstance(rows, np.ndarray)
        np.testing.assert_allclose(rows, f(networks, jnp.asarray(given)), atol=1e-5)


def test_samples_are_decoded_latents_whatever_their_number(model):
    """Bit for bit: from any first one, and as many as asked for."""
    gan = model("wgan_gp")
    all_of_them = gan.sample(CHUNK + 9, seed=3)
    np.testing.assert_array_equal(gan.sample(7, seed=3, start=CHUNK), all_of_them[CHUNK : CHUNK + 7])
    np.testing.assert_array_equal(gan.prior(7, seed=3, start=CHUNK), gan.prior(CHUNK + 9, seed=3)[CHUNK : CHUNK + 7])
    np.testing.assert_allclose(gan.decode(gan.prior(9, seed=3)), all_of_them[:9], atol=1e-6)
    expected = jax.random.normal(example_keys(stream(3, "sample"), jnp.arange(9))[4], (gan.method.latent,))
    np.testing.assert_array_equal(gan.prior(9, seed=3)[4], expected)
    assert abs(all_of_them[:9] - dataclasses.replace(gan, ema=False).sample(9, seed=3)).max() > 1e-3


def test_a_shape_is_compiled_once(model):
    vae = model("vae")
    for n in (1, 3, CHUNK, CHUNK + 1):
        vae.sample(n, seed=n)
    assert vae._compiled._cache_size() == 1
    for n in (1, 2, SMALL_CHUNK, SMALL_CHUNK + 1, CHUNK + 1):
        vae.encode(X[:n])
    assert vae._compiled._cache_size() == 3
    for k in (1, 5):
        vae.log_likelihood(B[:2], k)
    assert vae._compiled._cache_size() == 4
    traced = []

    @jax.jit
    def twice(decode, z):
        traced.append(1)
        return 2 * decode(z)

    z = vae.prior(3)
    for _ in range(2):
        np.testing.assert_allclose(twice(vae.decoder(), z), 2 * vae.decode(z), atol=1e-5)
    assert len(traced) == 1


@pytest.mark.parametrize("preset", ["vae", "rbm"])
def test_likelihoods_are_those_of_evaluation(model, preset):
    """With the same draws; log Z is taken out where there is one."""
    found = model(preset).log_likelihood(B[:20], k=3)
    assert found.shape == (20,)
    scores = inference.likelihood(model(preset), BITS[:20], 3)
    np.testing.assert_allclose(found.mean(), scores["log_likelihood"], rtol=1e-5)
    np.testing.assert_allclose(found.std(ddof=1) / np.sqrt(20), scores["log_likelihood_error"], rtol=1e-3)


def test_more_draws_tighten_the_bound(model):
    """Burda et al. (2016), theorem 1, in the mean over examples."""
    vae = model("vae")
    few, many = (vae.log_likelihood(B[:100], k).mean() for k in (1, 50))
    assert few < many


def test_labels_reach_the_method(model):
    oracle = model(LabelPlusLatent())
    z = np.array([[0.5, 0], [0.25, 0], [0, 0]], np.float32)
    np.testing.assert_array_equal(oracle.decode(z, np.array([3, 0, 1]))[:, 0, 0, 0], [3.5, 0.25, 1])
    np.testing.assert_array_equal(oracle.decode(z, 2)[:, 0, 0, 0], [2.5, 2.25, 2])
    np.testing.assert_array_equal(jax.jit(lambda f, z: f(z))(oracle.decoder(2), z)[:, 0, 0, 0], [2.5, 2.25, 2])
    label = np.arange(6) % 4
    np.testing.assert_array_equal(
        oracle.sample(6, 1, label, start=2)[:, 0, 0, 0],
        oracle.prior(6, 1, 2)[:, 0] + label.astype(np.float32),
    )
    drawn = np.round(oracle.sample(400, 1)[:, 0, 0, 0] - oracle.prior(400, 1)[:, 0])
    assert (np.bincount(drawn.astype(int)) > 60).all()


def test_what_cannot_be_is_said_in_one_line(model):
    gan, oracle, vae = model("gan"), model(LabelPlusLatent()), model("vae")
    z = np.zeros((3, 2), np.float32)
    for message, call in (
        ("encode: GAN has no encoder", lambda: gan.encode(X)),
        ("reconstruct: GAN has no encoder", lambda: gan.reconstruct(X)),
        ("log_likelihood: GAN has no likelihood", lambda: gan.log_likelihood(X)),
        ("log_partition: VAE has none", lambda: vae.log_partition),
        ("log_likelihood: x has grey levels, of which bernoulli is no likelihood", lambda: vae.log_likelihood(X)),
        ("labels: 3 is not possible: GAN was not trained with labels", lambda: gan.sample(2, labels=3)),
        ("labels: 4 is not one class from 0 to 3", lambda: oracle.sample(2, labels=4)),
        ("labels: -1 is not one class", lambda: oracle.decoder(-1)),
        (r"labels: \[0, 1\] is not one class .* or one for each of 3", lambda: oracle.decode(z, [0, 1])),
        ("labels: None is not enough for LabelPlusLatent; it has 4 classes", lambda: oracle.decode(z)),
        (r"z: \(3, 2\) is not the shape \(n, 16\)", lambda: vae.decode(z)),
        (r"x: .* is not the shape \(n, 8, 8, 1\)", lambda: vae.encode(X[:, :4])),
        ("n: 0 is not at least 1", lambda: vae.sample(0)),
        ("k: 0 is not at least 1", lambda: vae.log_likelihood(X, 0)),
    ):
        with pytest.raises(Invalid, match=message) as error:
            call()
        assert "\n" not in str(error.value)


def test_a_run_folder_is_all_it_needs(tiny, tmp_path):
    train(tiny("vae", steps=4), tmp_path)
    vae = genlab.load(tmp_path)
    assert (vae.shape, int(vae.state.step), len(vae.classes)) == (SHAPE, 4, 10)
    assert int(genlab.load(tmp_path, step=2).state.step) == 2
    assert (genlab.load(tmp_path, ema=False).sample(2) != vae.sample(2)).any()
    assert vae.gaussian and vae.encodes and not vae.conditional
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        genlab.lod  # noqa: B018


def test_an_average_is_chosen_by_its_decay(tiny, tmp_path):
    """Each is that of a run with it alone, bit for bit, whether the run was cut or not; 0 are the last weights."""
    decays = (0.5, 0.1, 0.0)
    train(tiny("ae", steps=2, train={"ema": decays}), tmp_path / "all")
    train(tiny("ae", steps=4, train={"ema": decays}), tmp_path / "all")
    for decay in decays:
        train(tiny("ae", steps=4, train={"ema": decay}), tmp_path / str(decay))
        alone, chosen = genlab.load(tmp_path / str(decay)), genlab.load(tmp_path / "all", decay=decay)
        jax.tree.map(np.testing.assert_array_equal, alone.state, chosen.state)
    jax.tree.map(np.testing.assert_array_equal, chosen.state.ema["params"]["decoder"], chosen.state.params["decoder"])
    first, other = (genlab.load(tmp_path / "all", decay=decay).sample(4) for decay in (None, 0.1))
    np.testing.assert_array_equal(first, genlab.load(tmp_path / "all", decay=0.5).sample(4))
    assert (first != other).any()


@pytest.mark.parametrize(
    ("train_options", "arguments", "message"),
    [
        ({"ema": (0.5, 0.9)}, {"decay": 0.8}, "decay: 0.8 is not among train.ema of .*: 0.5, 0.9$"),
        ({"ema": 0.5}, {"decay": 0.8}, "decay: 0.8 is not among train.ema of .*: 0.5$"),
        ({"ema_halflife": 9.0}, {"decay": 0.999}, "decay: 0.999 is not among .*: none: its average has a half-life"),
        ({"ema": 0.5}, {"decay": 0.5, "ema": False}, "decay: 0.5 is not possible without averaged weights"),
    ],
)
def test_averages_that_are_not_there_are_refused(tiny, tmp_path, train_options, arguments, message):
    train(tiny("ae", steps=1, train=train_options), tmp_path)
    with pytest.raises(Invalid, match=f"^{message}"):
        genlab.load(tmp_path, **arguments)


def test_a_checkpoint_that_is_cut_short_or_of_another_make_is_named(tiny, tmp_path):
    train(tiny("vae"), tmp_path / "a")
    config = tmp_path / "a" / "config.json"
    text = config.read_text()
    config.write_text(text.replace('"width": 8', '"width": 16'))
    with pytest.raises(Invalid, match="checkpoints: that of step 2 cannot be read .*16.* stored shape") as error:
        genlab.load(tmp_path / "a")
    assert "\n" not in str(error.value)
    config.write_text(text)
    for file in (tmp_path / "a" / "checkpoints" / "2").rglob("*"):
        if file.is_file() and file.stat().st_size > 500:
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(Invalid, match="checkpoints: ") as error:
        genlab.load(tmp_path / "a")
    assert "\n" not in str(error.value)


def test_importing_the_package_is_light():
    code = "import genlab, sys; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
