"""Methods that are given labels: which labels go with which examples, and what they cost."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.errors import Invalid
from genlab.kernels.penalty import Penalty, points
from genlab.kernels.random import fold
from genlab.losses.adversarial import LOSSES
from genlab.losses.classification import cross_entropy
from genlab.methods.gan import GAN
from genlab.methods.vae import VAE
from genlab.methods.wgan import WGAN
from genlab.methods.wgan_gp import WGANGP
from genlab.nn.net import Net
from genlab.parts.adversarial import values
from genlab.parts.labels import Conditioning
from genlab.parts.likelihood import Likelihood
from genlab.parts.objective import Objective

SMALL = Net(width=6, depth=1, activation="silu")
GANS = {
    use: GAN(latent=2, generator=SMALL, discriminator=SMALL, classes=3, labels=Conditioning(use))
    for use in ("concat", "projection", "auxiliary")
}
ACGAN = WGANGP(latent=2, generator=SMALL, critic=SMALL, classes=3, labels=Conditioning("auxiliary"))
CVAE = VAE(latent=2, encoder=SMALL, decoder=SMALL, likelihood=Likelihood("gaussian"), classes=3)
LABELS = np.array([2, 0, 1, 2, 2, 0, 1, 1], np.int32)
X = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)


@pytest.mark.parametrize("use", GANS)
@pytest.mark.parametrize("loss", ["non_saturating", "relativistic_pairing"])
def test_fakes_share_the_labels_of_their_real_examples(noisy, evaluate, compiled, fresh, keys, use, loss):
    method = dataclasses.replace(GANS[use], loss=loss, labels=Conditioning(use, weight=0.0))
    networks, k = noisy(fresh(method)), keys(8)

    def expected(labels):
        fake = method.sample(networks, fold(k, 0), labels)
        scores = (values(networks["discriminator"], x, jnp.asarray(LABELS)) for x in (jnp.asarray(X), fake))
        return LOSSES[loss].discriminator(*scores).mean()

    right, wrong = (compiled(expected)(labels) for labels in (LABELS, (LABELS + 1) % 3))
    seen = evaluate(method.discriminator_loss, networks, X, k, labels=LABELS).loss
    np.testing.assert_allclose(seen, right, rtol=1e-5)
    assert abs(seen - wrong) > 1e-4


@pytest.mark.parametrize(
    ("opponent", "method"),
    [
        ("discriminator", GANS["projection"]),
        ("critic", WGAN(latent=2, generator=SMALL, critic=SMALL, classes=3, labels=Conditioning("concat"))),
    ],
)
def test_the_generators_labels_are_drawn(noisy, evaluate, compiled, fresh, keys, opponent, method):
    """It sees no real examples, and so a label for each of its own; those it samples are those of its loss."""
    networks, k = noisy(fresh(method)), keys(8)
    labels = method.draw_labels(k)
    assert len(np.unique(labels)) > 1

    def expected():
        score = values(networks[opponent], method.sample(networks, k), labels)
        return (jax.nn.softplus(-score) if isinstance(method, GAN) else -score).mean()

    np.testing.assert_allclose(evaluate(method.generator_loss, networks, None, k).loss, compiled(expected)(), rtol=1e-5)


def test_drawn_labels_are_uniform(keys):
    """Chi squared with 9 degrees of freedom: below 27.9 with probability 0.999."""
    counts = np.bincount(dataclasses.replace(CVAE, classes=10).draw_labels(keys(5000)), minlength=10)
    assert len(counts) == 10
    assert ((counts - 500) ** 2 / 500).sum() < 27.9


def test_sampling_draws_labels_or_takes_them(noisy, compiled, fresh, keys):
    networks, k = noisy(fresh(CVAE)), keys(8)
    drawn, same, given = compiled(
        lambda: tuple(CVAE.sample(networks, k, y) for y in (None, CVAE.draw_labels(k), jnp.asarray(LABELS)))
    )()
    np.testing.assert_array_equal(drawn, same)
    changed = np.asarray(CVAE.draw_labels(k)) != LABELS
    assert (abs(drawn - given).max(1) > 1e-3).tolist() == changed.tolist()


def test_a_classifier_that_knows_nothing_pays_the_log_of_the_classes():
    np.testing.assert_allclose(cross_entropy(jnp.zeros((8, 3)), jnp.asarray(LABELS)), np.log(3), rtol=1e-6)


def test_the_cross_entropy():
    logits = 3 * np.random.default_rng(1).normal(size=(8, 3))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(
        cross_entropy(jnp.asarray(logits), jnp.asarray(LABELS)), -np.log(p[range(8), LABELS]), rtol=1e-5
    )


@pytest.mark.parametrize(("opponent", "method"), [("discriminator", GANS["auxiliary"]), ("critic", ACGAN)])
def test_acgan_classifies_real_examples_and_has_its_own_classified(
    noisy, evaluate, compiled, fresh, keys, opponent, method
):
    """As in the official WGAN-GP code: weight 1 in the opponent's loss, 0.1 in the generator's."""
    networks, k = noisy(fresh(method)), keys(8)
    without = dataclasses.replace(method, labels=Conditioning("auxiliary", weight=0.0, generator_weight=0.0))
    drawn = method.draw_labels(k)

    def entropies():
        fake = method.sample(networks, k, drawn)
        logits = [networks[opponent](x, None)[:, 1:] for x in (jnp.asarray(X), fake)]
        real, fake = (
            cross_entropy(each, y).mean() for each, y in zip(logits, (jnp.asarray(LABELS), drawn), strict=True)
        )
        return real, fake, logits[0]

    real, fake, logits = compiled(entropies)()
    seen, base = (evaluate(getattr(m, f"{opponent}_loss"), networks, X, k, labels=LABELS) for m in (method, without))
    np.testing.assert_allclose(seen.loss - base.loss, real, rtol=1e-4)
    np.testing.assert_allclose(seen.metrics["class_loss"], real, rtol=1e-5)
    np.testing.assert_allclose(seen.metrics["class_accuracy"], (np.asarray(logits).argmax(1) == LABELS).mean())
    own, plain = (evaluate(m.generator_loss, networks, None, k) for m in (method, without))
    np.testing.assert_allclose(own.loss - plain.loss, 0.1 * fake, rtol=1e-3)
    assert abs(real - fake) > 1e-2
    moved = jax.tree.map(lambda a, b: abs(a - b).max(), own.grads["generator"], plain.grads["generator"])
    assert max(jax.tree.leaves(moved)) > 1e-4  # it learns to be classified


@pytest.mark.parametrize("where", ["interpolated", "real", "fake", "both", "mixed"])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_penalty_is_at_points_with_their_labels(noisy, evaluate, compiled, fresh, keys, where, share):
    """Slopes of each point by itself, with the label of its place in the batch; of other labels they are others."""
    spec = Penalty(where=where, share=share, weight=2.0)
    method = WGANGP(latent=2, generator=SMALL, critic=SMALL, classes=3, labels=Conditioning("projection"), penalty=spec)
    networks, k = noisy(fresh(method)), keys(8)
    chosen = np.arange(8) if share == 1 else np.array([0, 2, 4, 6])

    def penalty(labels):
        fake = method.sample(networks, fold(k, 0), jnp.asarray(LABELS))
        at = points(jnp.asarray(X), fake, fold(k, 1), spec)
        paired = jnp.asarray(np.tile(labels[chosen], 2 if where == "both" else 1))
        slope = jax.vmap(jax.grad(lambda x, y: values(networks["critic"], x[None], y[None])[0]))(at, paired)
        cost = 2 * jnp.square(jnp.linalg.norm(slope, axis=1) - 1)
        return cost.mean() * (2 if where == "both" else 1)

    right, wrong = compiled(lambda: (penalty(LABELS), penalty((LABELS + 1) % 3)))()
    seen = evaluate(method.critic_loss, networks, X, k, labels=LABELS).metrics["penalty"]
    np.testing.assert_allclose(seen, right, rtol=1e-4)
    assert abs(seen - wrong) > 1e-3


def test_a_conditional_vae_is_one_vae_per_class(noisy, evaluate, compiled, fresh, keys):
    """With one class in a batch its one-hot label is a bias: the bound is that of a plain VAE with this bias.

    Sohn et al. (2015), eq. 5, with p(z|y) = N(0, I).
    """
    plain = dataclasses.replace(CVAE, classes=0)
    networks, bare, k = noisy(fresh(CVAE)), fresh(plain), keys(8)
    losses = []
    for c in range(3):
        for name, inputs in (("encoder", 2), ("decoder", 2)):
            given, own = networks[name].network.layers.layers, bare[name].layers.layers
            kernel = given[0].layers[0].kernel[...]
            own[0].layers[0].kernel[...] = kernel[:inputs]
            own[0].layers[0].bias[...] = given[0].layers[0].bias[...] + kernel[inputs + c]
            own[1].kernel[...], own[1].bias[...] = given[1].kernel[...], given[1].bias[...]
        labels = np.full(8, c, np.int32)
        losses.append(evaluate(CVAE.loss, networks, X, k, labels=labels).loss)
        np.testing.assert_allclose(losses[-1], evaluate(plain.loss, bare, X, k).loss, rtol=1e-5)
        weight = compiled(lambda k, y: CVAE.log_weight(networks, jnp.asarray(X), k, y))(k, labels)
        np.testing.assert_allclose(weight, compiled(lambda k: plain.log_weight(bare, jnp.asarray(X), k))(k), rtol=1e-4)
        again = compiled(lambda y: CVAE.reconstruct(networks, jnp.asarray(X), y))(labels)
        np.testing.assert_allclose(again, compiled(lambda: plain.reconstruct(bare, jnp.asarray(X)))(), atol=1e-5)
    assert np.ptp(losses) > 1e-2


def test_every_importance_weight_has_its_examples_label(noisy, evaluate, compiled, fresh, keys):
    iwae = dataclasses.replace(CVAE, objective=Objective("iwae", k=4))
    networks, k = noisy(fresh(iwae)), keys(8)

    def expected(labels):
        each = [iwae.log_weight(networks, jnp.asarray(X), fold(k, i), labels) for i in range(4)]
        return jnp.log(4) - jax.nn.logsumexp(jnp.stack(each), axis=0).mean()

    right, wrong = (compiled(expected)(labels) for labels in (LABELS, (LABELS + 1) % 3))
    loss = evaluate(iwae.loss, networks, X, k, labels=LABELS).loss
    np.testing.assert_allclose(loss, right, rtol=1e-4)
    assert abs(loss - wrong) > 1e-2


@pytest.mark.parametrize("kind", [GAN, WGAN, WGANGP])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": Conditioning("projection")}, "labels.use: 'projection' is not possible without classes"),
        ({"classes": 10}, "labels.use: 'none' is not concat, projection or auxiliary, which classes need"),
        ({"classes": -1}, "classes: -1 is not at least 0"),
    ],
)
def test_what_cannot_work_is_refused(kind, settings, message):
    with pytest.raises(Invalid, match=f"^{message}"):
        kind(**settings)
