"""What an opponent does with labels, alone: its outputs, what guessing costs, and what goes with classes."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.errors import Invalid
from genlab.nn.net import Net
from genlab.parts.labels import Conditioning, outputs

LABELS = jnp.array([2, 0, 1, 2, 1], jnp.int32)
LOGITS = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
X = jnp.asarray(np.random.default_rng(1).normal(size=(5, 2)), jnp.float32)


@pytest.mark.parametrize(("use", "classes", "logits"), [("none", 0, 0), ("concat", 3, 0), ("auxiliary", 3, 3)])
def test_outputs_are_a_value_and_logits_if_labels_are_guessed(use, classes, logits):
    network = Conditioning(use).network(Net(width=4, depth=1), (2,), nnx.Rngs(0), classes)
    found = outputs(network, X, LABELS if classes else None)
    assert found.value.shape == (5,) and found.logits.shape == (5, logits)
    np.testing.assert_array_equal(jnp.column_stack(found), network(X, LABELS))


@pytest.mark.parametrize(("use", "sees"), [("concat", True), ("projection", True), ("auxiliary", False)])
def test_what_sees_the_labels_values_examples_by_them(noisy, use, sees):
    network = noisy(Conditioning(use).network(Net(width=4, depth=1), (2,), nnx.Rngs(0), 3))
    one, other = (outputs(network, X, labels).value for labels in (LABELS, (LABELS + 1) % 3))
    assert (abs(one - other) > 1e-4).all() if sees else (one == other).all()


def test_guessing_costs_the_weighted_cross_entropy():
    """-log p of the right class on average, by the weight of either player; the metrics are not weighted."""
    spec = Conditioning("auxiliary", weight=2.0, generator_weight=0.3)
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    expected = -np.log(p[range(5), LABELS]).mean()
    for loss, weight in ((spec.loss, 2.0), (spec.generator_loss, 0.3)):
        cost, metrics = loss(jnp.asarray(LOGITS), LABELS)
        np.testing.assert_allclose(cost, weight * expected, rtol=1e-5)
        np.testing.assert_allclose(metrics["class_loss"], expected, rtol=1e-5)
        np.testing.assert_allclose(metrics["class_accuracy"], (LOGITS.argmax(1) == LABELS).mean())


@pytest.mark.parametrize("use", ["none", "concat", "projection"])
def test_what_does_not_guess_pays_nothing(use):
    spec = Conditioning(use)
    for loss in (spec.loss, spec.generator_loss):
        assert loss(jnp.zeros((5, 0)), LABELS) == (0, {})
    assert Conditioning("auxiliary").loss(jnp.zeros((5, 3)), None) == (0, {})


def test_classes_need_a_use_and_a_use_needs_classes():
    for use in ("concat", "projection", "auxiliary"):
        Conditioning(use).check(3)
        with pytest.raises(Invalid, match=f"^labels.use: '{use}' is not possible without classes"):
            Conditioning(use).check(0)
    Conditioning().check(0)
    with pytest.raises(Invalid, match="^labels.use: 'none' is not concat, projection or auxiliary, which classes need"):
        Conditioning().check(3)


@pytest.mark.parametrize("name", ["weight", "generator_weight"])
def test_negative_weights_are_refused(name):
    with pytest.raises(Invalid, match=f"^{name}: -1.0 is not at least 0$"):
        Conditioning("auxiliary", **{name: -1.0})
