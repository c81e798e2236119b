"""Attributes that are known because they were put in."""

import jax
import jax.numpy as jnp
import numpy as np

from genlab.latent.directions import along, analogy, attribute

Z = jax.random.normal(jax.random.key(0), (400, 3))
HAS = jnp.arange(400) % 4 == 0


def test_an_attribute_is_what_those_with_it_have_more():
    shift = jnp.array([2.0, 0.0, -1.0])
    centred = Z - jnp.where(HAS[:, None], Z[HAS].mean(0), Z[~HAS].mean(0))
    np.testing.assert_allclose(attribute(centred + HAS[:, None] * shift, HAS), shift, atol=1e-5)
    np.testing.assert_allclose(attribute(Z, ~HAS), -attribute(Z, HAS), atol=1e-6)
    with_it, without = np.asarray(Z)[np.asarray(HAS)], np.asarray(Z)[~np.asarray(HAS)]
    np.testing.assert_allclose(attribute(Z, HAS), with_it.mean(0) - without.mean(0), atol=1e-6)


def test_arithmetic():
    """King - man + woman, when royalty is a sum of two parts."""
    man, woman, royal = Z[:5], Z[5:9], Z[9]
    found = analogy(man, woman, man.mean(0)[None] + royal)
    np.testing.assert_allclose(found[0], woman.mean(0) + royal, atol=1e-5)
    np.testing.assert_allclose(along(Z[0], royal, jnp.array([0.0, -2.0])), [Z[0], Z[0] - 2 * royal], rtol=1e-6)
