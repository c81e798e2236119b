"""The examples that an opponent sees, and the keys of a generator's larger batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.errors import Invalid
from genlab.kernels.augment import augment
from genlab.kernels.random import example_keys, fold
from genlab.parts.adversarial import AUGMENT_FAKE, AUGMENT_REAL, MORE, generator_keys, make_examples
from genlab.parts.augment import augmented, check_augment

KINDS = ("color", "cutout")


def keys(n, seed=0):
    return example_keys(jax.random.key(seed), jnp.arange(n))


def images(seed=0):
    return jnp.asarray(np.random.default_rng(seed).uniform(-1, 1, (6, 4, 4, 3)), jnp.float32)


def test_real_and_fake_examples_are_augmented_apart():
    """Each kind by a stream of its own of the same keys; the examples as they were stay at hand."""
    real, fake, k = images(), images(1), keys(6)
    found = make_examples(real, fake, None, k, KINDS)
    np.testing.assert_array_equal(found.real, augment(real, fold(k, AUGMENT_REAL), KINDS))
    np.testing.assert_array_equal(found.fake, augment(fake, fold(k, AUGMENT_FAKE), KINDS))
    jax.tree.map(np.testing.assert_array_equal, found.original, (real, fake))
    alike = make_examples(real, real, None, k, KINDS)
    assert abs(alike.real - alike.fake).max() > 0.1


def test_fakes_are_constants():
    """Nothing is differentiated through them, as they are or augmented; real examples are not."""
    k = keys(6)

    def total(real, fake):
        found = make_examples(real, fake, None, k, ("color",))
        return sum(x.sum() for x in (found.real, found.fake, *found.original))

    real, fake = jax.grad(total, (0, 1))(images(), images(1))
    assert (fake == 0).all() and abs(real).min() > 0


def test_nothing_changes_without_a_kind():
    """Points neither, which no kind could change."""
    points = jnp.ones((3, 2))
    np.testing.assert_array_equal(augmented(points, keys(3), ()), points)
    check_augment((), (2,))
    check_augment(KINDS, (4, 4, 3))
    with pytest.raises(Invalid, match=r"^augment: \('color', 'cutout'\) is not possible for data of shape \(2,\)"):
        check_augment(KINDS, (2,))


def test_more_keys_are_those_of_streams_after_the_batches_own():
    k = keys(4)
    assert generator_keys(k, 1) is k
    expected = np.concatenate([jax.random.key_data(part) for part in (k, fold(k, MORE + 1), fold(k, MORE + 2))])
    np.testing.assert_array_equal(jax.random.key_data(generator_keys(k, 3)), expected)
    assert len(np.unique(expected, axis=0)) == 12
