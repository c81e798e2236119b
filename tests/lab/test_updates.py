"""Single updates beside training's own, what watches them, and where a divergence began."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.data.feed import make_feed
from genlab.lab import start
from genlab.lab.units import Pass, summary, watch
from genlab.lab.updates import Updates, as_trained, plays
from genlab.nn.net import Net
from genlab.nn.network import encoder
from genlab.train import spmd
from genlab.train.setup import load_data
from genlab.train.state import Game
from genlab.train.step import indices, make_iteration, make_step


@pytest.fixture
def opened(tiny):
    """`opened("wgan_gp")`: configuration, data, game and first state of a shrunken preset."""

    def open_(name, **sections):
        config = tiny(name, **sections)
        dataset = load_data(config)
        game = Game.of(config, dataset.shape)
        return config, dataset, game, start.fresh(game, dataset, config)

    return open_


def network(activation, bias):
    """One hidden layer of four units with these biases, of weights 1."""
    made = encoder(Net(width=4, depth=1, activation=activation), (2,), 1, nnx.Rngs(0))
    hidden = made.layers.layers[0].layers[0]
    hidden.kernel[...], hidden.bias[...] = jnp.ones((2, 4)), jnp.asarray(bias)
    return made


@pytest.mark.parametrize(
    "activation, bias, dead, saturated",
    [
        ("relu", [-3.0, -3.0, 0.0, 3.0], 0.5, 0.0),  # of x in [-2, 2]
        ("tanh", [-9.0, 9.0, 0.0, 9.0], 0.0, 0.75),
        ("leaky_relu", [-9.0, 9.0, 0.0, 9.0], 0.0, 0.0),
        ("elu", [-12.0, 9.0, 0.0, 9.0], 0.0, 0.25),
    ],
)
def test_units_are_counted_that_no_example_moves(activation, bias, dead, saturated):
    made, seen = network(activation, bias), []
    x = jnp.array([[1.0, 1.0], [-1.0, -1.0]])
    plain = made(x)
    watch({"critic": made}, seen.append)
    np.testing.assert_array_equal(made(x), plain)
    jax.effects_barrier()
    [units] = summary(seen)
    assert (units.name, units.dead, units.saturated, units.finite) == ("critic/layers/layers/0", dead, saturated, True)


def test_a_unit_is_dead_only_if_it_is_in_every_pass_and_example_also_within_derivatives():
    made, seen = network("relu", [-3.0, -3.0, 0.0, 3.0]), []
    watch({"critic": made}, seen.append)

    def slope(x):
        return jax.grad(lambda x: made(x[None]).sum())(x)

    x = jnp.array([[1.0, 1.0], [2.0, 2.0], [-1.0, -1.0]])  # the second reaches the first two units
    jax.jit(jax.grad(lambda x: jax.vmap(slope)(x).sum()))(x)
    jax.effects_barrier()
    assert len(seen) == 3 and summary(seen)[0].dead == 0.0
    assert summary([p for p in seen if p.zero[0]])[0].dead == 0.5


def test_units_that_are_not_finite_are_told_in_the_order_of_computing():
    made, seen = network("relu", [np.inf, 0.0, 0.0, 0.0]), []
    watch({"critic": made}, seen.append)
    made(jnp.ones((1, 2)))
    jax.effects_barrier()
    assert [units.finite for units in summary(seen)] == [False]
    flags = np.zeros(2, bool)
    assert [u.name for u in summary([Pass("b", flags, flags, True), Pass("a", flags, flags, True)])] == ["b", "a"]


@pytest.mark.parametrize("name", ["wgan_gp", "vae"])
def test_updates_one_by_one_are_those_of_training(name, opened):
    config, dataset, game, state = opened(name)

    one_by_one = state = jax.device_get(state)
    with Updates(config, dataset, game, partial(as_trained, game)) as updates:
        for due in plays(game, 0):
            one_by_one = updates(one_by_one, due).state
    devices = jax.devices()[:1]
    feed = make_feed(config.data, dataset, config.train.seed, game.reads, 1)
    step = spmd.spread(make_step(make_iteration(game, feed, [0.0])), devices, "pmap", feed.axis)
    index = spmd.scatter(indices(config.data.batch_size, 1), devices)
    whole, _ = step(spmd.replicate(state, devices), feed.arrays(0), index, np.int32(1))
    for ours, theirs in zip(jax.tree.leaves(one_by_one.params), jax.tree.leaves(whole.params), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)  # rounding: another program


def test_weights_that_are_too_large_at_the_start_show_in_the_first_loss(opened, monkeypatch):
    config, dataset, game, state = opened("ae")
    healthy = start.starts(config, dataset, game)
    large = dataclasses.replace(state, params=jax.tree.map(lambda p: 30 * p, state.params))
    monkeypatch.setattr(start, "fresh", lambda *_: large)
    with_large = start.starts(config, dataset, game)
    assert [s.player for s in healthy] == ["model"]
    assert with_large[0].ignorant == pytest.approx(healthy[0].ignorant)
    assert with_large[0].loss > healthy[0].loss


def test_networks_that_know_nothing_have_the_losses_of_theory(opened):
    found = {s.player: s.ignorant for s in start.starts(*opened("aae")[:3])}
    assert found["discriminator"] == pytest.approx(2 * np.log(2), rel=1e-5)
    assert found["generator"] == pytest.approx(np.log(2), rel=1e-5)
    [critic, _] = start.starts(*opened("acgan")[:3])  # slopes of 0 where they should be 1, and guesses among 10 classes
    assert critic.ignorant == pytest.approx(10 + np.log(10), rel=1e-5)
