"""The masked autoencoder: a distribution, of which each code sees only those before it."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.kernels.random import example_keys
from genlab.nn.made import Made

TOKENS, CODES = 3, 4


@pytest.fixture
def made():
    """One whose biases are drawn at random too, so that no code is as likely as another."""
    network = Made(TOKENS, CODES, 5, rngs=nnx.Rngs(0))
    rng = np.random.default_rng(0)
    for bias in (network.bias, network.output_bias):
        bias[...] = jnp.asarray(rng.normal(size=bias.shape), jnp.float32)
    return network


def everything():
    return jnp.array(list(itertools.product(range(CODES), repeat=TOKENS)), jnp.int32)


def test_all_probabilities_add_up_to_one(made):
    np.testing.assert_allclose(jnp.exp(made.log_probability(everything())).sum(), 1, rtol=1e-5)


def test_a_position_sees_those_before_it_and_no_other(made):
    """Changing code s changes the logits of the positions after it, all of them, and not one bit of the others."""
    c = jnp.array([[1, 2, 3]], jnp.int32)
    for s in range(TOKENS):
        changed = np.asarray(made(c) != made(c.at[0, s].set(0))).all(2)[0]
        np.testing.assert_array_equal(changed, np.arange(TOKENS) > s)
        np.testing.assert_array_equal(made(c)[:, : s + 1], made(c.at[0, s].set(0))[:, : s + 1])


def test_samples_follow_the_probabilities(made):
    """The shares of all 64 sequences in 20,000 draws, within 5 standard errors each."""
    drawn = np.asarray(jax.jit(made.sample)(example_keys(jax.random.key(0), jnp.arange(20_000))))
    counts = np.bincount(drawn @ [16, 4, 1], minlength=64)
    p = np.exp(np.asarray(made.log_probability(everything()), float))
    assert (abs(counts / 20_000 - p) < 5 * np.sqrt(p * (1 - p) / 20_000) + 1e-9).all()


def test_a_sample_is_of_its_own_key(made):
    keys = example_keys(jax.random.key(1), jnp.arange(9))
    np.testing.assert_array_equal(made.sample(keys)[:4], made.sample(keys[:4]))
