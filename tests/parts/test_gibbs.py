"""Chains of a small machine, against its states by enumeration."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.errors import Invalid
from genlab.kernels.annealing import log_mean
from genlab.kernels.boltzmann import Energy, free_energy, gibbs, hidden_logits
from genlab.kernels.random import example_keys
from genlab.nn.layers import AXIS
from genlab.parts.gibbs import Chains, Gibbs

RNG = np.random.default_rng(0)
ENERGY = Energy(*(jnp.asarray(RNG.normal(size=size), jnp.float32) for size in ((4, 3), 4, 3)))
STATES = jnp.asarray(list(itertools.product([0.0, 1.0], repeat=4)))


def keys(n, seed=0):
    return example_keys(jax.random.key(seed), jnp.arange(n))


def test_the_negative_phase_has_k_steps():
    np.testing.assert_array_equal(Gibbs(k=3).negative(ENERGY, STATES, keys(16)), gibbs(ENERGY, STATES, keys(16), 3))


def test_hidden_units_are_the_models():
    """Bits, whose means over 4,000 chains are those of the model within 5 standard errors."""
    h = np.asarray(jax.jit(lambda k: Gibbs().hidden(ENERGY, k))(keys(4000)))
    assert set(np.unique(h)) == {0, 1}
    p = np.exp(-np.asarray(free_energy(ENERGY, STATES), np.float64))
    expected = p / p.sum() @ jax.nn.sigmoid(hidden_logits(ENERGY, STATES))
    np.testing.assert_allclose(h.mean(0), expected, atol=5 * 0.5 / 4000**0.5)


def test_the_partition_function_by_enumeration():
    value, error = log_mean(jax.jit(lambda k: Gibbs().log_partition(ENERGY, k))(keys(200)))
    exact = np.logaddexp.reduce(-np.asarray(free_energy(ENERGY, STATES), np.float64))
    assert abs(value - exact) < min(0.1, 5 * error)


def test_its_error_falls_with_the_temperatures():
    few, many = (
        log_mean(jax.jit(lambda k, n=n: Gibbs(temperatures=n).log_partition(ENERGY, k))(keys(200)))[1] for n in (2, 200)
    )
    assert many < few / 3


@pytest.mark.parametrize("devices", [1, 2, 4])
def test_every_device_keeps_all_chains(devices):
    """Chain i belongs to example i of the whole batch; those without an example stay."""
    v = jnp.asarray(RNG.normal(size=(4, 2)), jnp.float32)

    def local(v):
        chains = Chains(6, 2)
        chains.write(v)
        return chains.visible[...], chains.read(len(v))

    kept, own = jax.vmap(local, axis_name=AXIS)(v.reshape(devices, -1, 2))
    for mine in kept:
        np.testing.assert_array_equal(mine, np.concatenate([v, np.zeros((2, 2))]))
    np.testing.assert_array_equal(own.reshape(4, 2), v)


def test_more_examples_than_chains_are_refused():
    with pytest.raises(Invalid, match=r"^method.chains: 3 is not at least data.batch_size(\n|$)"):
        jax.vmap(lambda v: Chains(3, 2).write(v), axis_name=AXIS)(jnp.zeros((1, 4, 2)))


@pytest.mark.parametrize("field", ["k", "steps", "temperatures"])
def test_bad_fields_are_named(field):
    with pytest.raises(Invalid, match=f"^{field}: 0 is not at least 1$"):
        Gibbs(**{field: 0})
