"""Quantisation: nearest vectors, the straight-through gradient, moving averages, and the prior over codes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.errors import Invalid
from genlab.losses.reconstruction import squared_error
from genlab.methods.vq_vae import VQVAE
from genlab.nn.layers import AXIS
from genlab.nn.net import Net
from genlab.parts.code_prior import CodePrior
from genlab.parts.codebook import Codebook
from genlab.parts.latent_model import log_likelihood

SMALL = Net(width=4, depth=1)
METHOD = VQVAE(latent=4, tokens=2, codes=5, prior=CodePrior(width=3), encoder=SMALL, decoder=SMALL)
IMAGE = (2, 2, 1)


def examples(n=8):
    return jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (n, *IMAGE)), jnp.float32)


def codebook(vectors, counts=1.0, decay=0.5):
    vectors = jnp.asarray(vectors, jnp.float32)
    book = Codebook(*vectors.shape, decay, rngs=nnx.Rngs(0))
    book.counts[...] = jnp.broadcast_to(jnp.float32(counts), len(vectors))
    book.sums[...] = vectors * book.counts[...][:, None]
    return book


@pytest.fixture
def updated(compiled):
    """`updated(book, z, devices)`: the codebook after one batch of tokens, and the shares it reports."""

    def run(book, z, devices=1):
        graph, state = nnx.split(book)

        def local(z):
            book = nnx.merge(graph, nnx.to_pure_dict(state))
            share = book.update(z, book.nearest(z))
            return nnx.to_pure_dict(nnx.state(book)), share

        z = jnp.asarray(z, jnp.float32).reshape(devices, -1, *np.shape(z)[1:])
        after, share = compiled(jax.vmap(local, axis_name=AXIS))(z)
        jax.tree.map(lambda a: np.testing.assert_array_equal(a, np.broadcast_to(a[:1], a.shape)), (after, share))
        return nnx.merge(graph, jax.tree.map(lambda a: a[0], after)), share[0]

    return run


def test_the_code_is_that_of_the_nearest_vector():
    rng = np.random.default_rng(1)
    vectors, z = rng.normal(size=(7, 3)), rng.normal(size=(20, 2, 3))
    expected = np.linalg.norm(z[:, :, None] - vectors, axis=-1).argmin(-1)
    np.testing.assert_array_equal(codebook(vectors, counts=0.3).nearest(jnp.asarray(z, jnp.float32)), expected)


def test_the_decoders_gradient_goes_straight_through(evaluate, fresh, keys):
    """The encoder is moved by the gradient at the decoder's input, as if it had given that, and by its commitment."""
    networks, x = fresh(METHOD, IMAGE), examples()
    chosen = METHOD.encode(networks, x)

    def by_hand(networks, batch, keys):
        at = jax.grad(lambda latents: -log_likelihood(networks, batch.x, latents).sum())(chosen)
        z = networks["encoder"](batch.x)
        through = (jax.lax.stop_gradient(at) * z).sum(1) - log_likelihood(networks, batch.x, chosen)
        return (through + METHOD.commitment * squared_error(z, chosen)).mean(), {}

    ours, theirs = evaluate(METHOD.loss, networks, x, keys(8)), evaluate(by_hand, networks, x, keys(8))
    assert abs(np.asarray(ours.grads["encoder"]["layers"]["layers"][1]["kernel"])).max() > 1e-3
    for name in ("encoder", "decoder"):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), ours.grads[name], theirs.grads[name]
        )
    assert set(ours.stats["codebook"]) == {"counts", "sums"}  # no parameter: no gradient moves it


def test_the_codebook_moves_to_the_mean_of_its_tokens(updated):
    """N and m by hand (eq. 6 to 8), with unequal use, on one device and on two."""
    book = codebook([[0.0, 0.0], [10.0, 10.0]], counts=[0.5, 1.5])
    z = np.array([[1, 0], [0, 2], [0, 1], [9, 9], [-1, 1], [1, 1], [0, 0], [2, 0]], float).reshape(4, 2, 2)
    for devices in (1, 2):
        after, share = updated(book, z, devices)
        near = np.delete(z.reshape(8, 2), 3, axis=0)
        np.testing.assert_allclose(share, [7 / 8, 1 / 8])
        np.testing.assert_allclose(after.counts[...], [0.25 + 0.5 * 2 * 7 / 8, 0.75 + 0.5 * 2 / 8], rtol=1e-6)
        sums = np.array([0.5 * 2 * near.sum(0) / 8, 0.5 * 15 + 0.5 * 2 * np.array([9, 9]) / 8])
        np.testing.assert_allclose(after.vectors, sums / np.asarray(after.counts[...])[:, None], rtol=1e-6)


def test_vectors_come_to_rest_at_the_means(updated):
    """Lloyd's fixed point: two clusters, each vector at one's mean, however often it is used."""
    z = np.array([[1.0], [1.2], [1.4], [5.0]])[:, None]
    book = codebook([[0.0], [6.0]])
    for _ in range(40):
        book, _ = updated(book, z)
    np.testing.assert_allclose(book.vectors, [[1.2], [5.0]], rtol=1e-4)


def test_a_dead_code_takes_the_place_of_an_encoding(updated):
    """Codes 1 and 2 of three are far away and unused: they take tokens 1 and 2 of the three, on any devices."""
    z = np.arange(6.0).reshape(6, 1, 1)
    book = codebook([[0.0], [90.0], [95.0]], counts=[1, 0.015, 0.015])
    for devices in (1, 2):
        after, share = updated(book, z, devices)
        np.testing.assert_allclose(share, [1, 0, 0])
        np.testing.assert_allclose(after.vectors[1:, 0], [2, 4])
        np.testing.assert_allclose(after.counts[...][1:], 1)
    alive, _ = updated(codebook([[0.0], [90.0], [95.0]], counts=[1, 0.03, 0.03]), z)
    np.testing.assert_allclose(alive.vectors[1:, 0], [90, 95], rtol=1e-6)


def test_usage_and_perplexity(evaluate, fresh, keys):
    """Of the codes that the batch has, over both devices."""
    networks, x = fresh(METHOD, IMAGE), examples()
    codes = np.asarray(METHOD.codes_of(networks, x))
    share = np.bincount(codes.ravel(), minlength=5) / codes.size
    assert len(set(codes.ravel())) > 1
    expected = np.exp(-sum(p * np.log(p) for p in share if p))
    for devices in (1, 2):
        seen = evaluate(METHOD.loss, networks, x, keys(8), devices)
        np.testing.assert_allclose(seen.metrics["usage"], (share > 0).mean(), rtol=1e-6)
        np.testing.assert_allclose(seen.metrics["perplexity"], expected, rtol=1e-5)


def test_the_prior_learns_of_codes_and_moves_nothing_else(evaluate, fresh, keys):
    networks, x = fresh(METHOD, IMAGE), examples()
    seen = evaluate(METHOD.prior_loss, networks, x, keys(8))
    log_p = networks["prior"].log_probability(METHOD.codes_of(networks, x))
    np.testing.assert_allclose(seen.loss, -log_p.mean(), rtol=1e-5)
    assert abs(np.asarray(seen.grads["prior"]["output_bias"])).max() > 0
    others = {name: grads for name, grads in seen.grads.items() if name != "prior"}
    jax.tree.map(lambda g: np.testing.assert_array_equal(g, 0), others)


def test_the_weight_is_the_likelihood_of_example_and_code(fresh, keys):
    """log p(x|c) + log p(c), and the same for every draw; q(c|x) is 1."""
    networks, x = fresh(METHOD, IMAGE), examples()
    weight = METHOD.log_weight(networks, x, keys(8))
    codes = METHOD.codes_of(networks, x)
    log_p = networks["prior"].log_probability(codes)
    np.testing.assert_allclose(weight, log_p + log_likelihood(networks, x, METHOD.encode(networks, x)), rtol=1e-5)
    np.testing.assert_array_equal(weight, METHOD.log_weight(networks, x, keys(8, 1)))


def test_samples_are_made_of_the_codebooks_vectors(fresh, keys):
    networks = fresh(METHOD, IMAGE)
    tokens = np.asarray(METHOD.draw_latents(networks, keys(6))).reshape(-1, 2)
    vectors = np.asarray(networks["codebook"].vectors)
    assert (abs(tokens[:, None] - vectors).max(-1).min(1) < 1e-6).all()


def test_devices_agree(evaluate, fresh, keys):
    for loss in (METHOD.loss, METHOD.prior_loss):
        one, two = (evaluate(loss, fresh(METHOD, IMAGE), examples(), keys(8), n) for n in (1, 2))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, two)


@pytest.mark.parametrize(
    ("field", "value"), [("tokens", 3), ("tokens", 0), ("codes", 0), ("decay", 1.0), ("commitment", -1.0)]
)
def test_bad_fields_are_named(field, value):
    with pytest.raises(Invalid, match=f"^{field}: {value} is not "):
        dataclasses.replace(METHOD, **{field: value})


def test_convolutions_are_quantised_too(fresh, keys):
    """A DCGAN's latent is cut into tokens like any other."""
    net = Net("dcgan", width=2)
    method = dataclasses.replace(METHOD, encoder=net, decoder=net)
    networks, x = fresh(method, (8, 8, 1)), jnp.zeros((3, 8, 8, 1))
    assert method.codes_of(networks, x).shape == (3, 2)
    assert method.reconstruct(networks, x).shape == method.sample(networks, keys(3)).shape == x.shape
