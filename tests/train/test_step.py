"""The compiled step: what it may change, on what its result may depend, and that it compiles once."""

import contextlib
import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab import cli
from genlab.data.feed import make_feed
from genlab.data.sources import load
from genlab.kernels.random import example_keys, fold
from genlab.methods.wgan_gp import WGANGP
from genlab.model import load as load_model
from genlab.nn.layers import Dropout
from genlab.nn.net import Net
from genlab.parts.optimizer import Optimizer
from genlab.train import spmd
from genlab.train.loop import train
from genlab.train.state import Game
from genlab.train.step import indices, make_iteration, make_step


def bitwise(a, b) -> None:
    """Equal trees, bit for bit."""
    jax.tree.map(np.testing.assert_array_equal, a, b)


def same_everywhere(tree) -> None:
    """Every device's copy of a replicated tree equal, bit for bit."""
    for leaf in jax.tree.leaves(tree):
        first, *others = (np.asarray(shard.data) for shard in leaf.addressable_shards)
        for other in others:
            np.testing.assert_array_equal(other, first)


class Runner:
    """A game and its compiled step, outside the loop."""

    def __init__(self, config):
        dataset = load(config.data)
        self.devices = spmd.training_devices(config.parallel, config.data.batch_size)
        self.game = Game(config.method, dataset.shape, config.train.seed, config.train.steps)
        place = functools.partial(spmd.replicate, devices=self.devices)
        self.feed = make_feed(config.data, dataset, config.train.seed, self.game.reads, len(self.devices), place)
        self.index = spmd.scatter(indices(config.data.batch_size, len(self.devices)), self.devices)
        step = make_step(make_iteration(self.game, self.feed, config.train.decays))
        self.step = spmd.spread(step, self.devices, config.parallel.mapper, self.feed.axis)

    def init(self):
        return spmd.replicate(jax.jit(self.game.init)(), self.devices)

    def run(self, state, *lengths):
        at = int(state.step)
        for n in lengths:
            state, metrics = self.step(state, self.feed.arrays(at), self.index, np.int32(n))
            metrics = jax.device_get(metrics)
            same_everywhere(state)
            at += n
        return jax.device_get(state), metrics


@pytest.mark.parametrize(
    "name", ["wgan_gp", "ae", "sparse_ae", "wae", "vq_vae", "rbm", "dbn", "acgan", "cgan", "began"]
)
def test_devices_and_mappers_agree(tiny, name):
    """1e-5 after 3 iterations: only the order of sums over the batch differs. Batch norm in the generator included.

    All devices hold the same state, bit for bit.
    """
    norm = {"generator": Net(width=8, norm="batch")} if name == "wgan_gp" else {}
    one = Runner(tiny(name, method=norm))
    expected = one.run(one.init(), 3)
    for mapper, devices in (("pmap", 2), ("pmap", 8), ("shard_map", 4)):
        many = Runner(tiny(name, method=norm, parallel={"devices": devices, "mapper": mapper}))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), expected, many.run(many.init(), 3))


@pytest.mark.parametrize("mapper", ["pmap", "shard_map"])
def test_states_that_differ_between_devices_would_be_seen(mapper):
    """JAX takes the step's word for it that they are the same."""
    devices = jax.devices()[:2]
    index = spmd.scatter(jnp.arange(2).reshape(2, 1), devices)
    for gap in (0, 1):
        step = spmd.spread(lambda state, _, index, n, gap=gap: state + gap * index[0] + n, devices, mapper, None)
        state = step(spmd.replicate(jnp.zeros((), jnp.int32), devices), (), index, 1)
        with pytest.raises(AssertionError) if gap else contextlib.nullcontext():
            same_everywhere(state)


@pytest.mark.parametrize("mapper", ["pmap", "shard_map"])
def test_devices_agree_on_spectral_norm_and_dropout(tiny, mapper):
    """1e-5 after 3 iterations on 1 and 2 devices: units are dropped by example, singular vectors equal everywhere."""
    net = Net(width=8, depth=2, spectral=True, dropout=0.4, activation="silu")
    method = {"generator": net, "critic": net, "n_critic": 2}
    one, two = (Runner(tiny("wgan_gp", method=method, parallel={"devices": n, "mapper": mapper})) for n in (1, 2))
    one.game.check(one.init())
    (expected, metrics), (seen, others) = one.run(one.init(), 3), two.run(two.init(), 3)
    assert expected.stats["critic"] and expected.stats["generator"]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), expected, seen)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), metrics, others)


def test_power_iteration_moves_once_an_update(tiny):
    """Of weights that stand still: 3 iterations of 2 updates are 6; the generator's plays leave the critic's be."""
    sgd = Optimizer(name="sgd", learning_rate=1e-30)
    critic = Net(width=8, depth=1, spectral=True, dropout=0.5)
    runner = Runner(tiny("wgan_gp", method={"critic": critic, "critic_optimizer": sgd, "n_critic": 2}))
    start, after = jax.device_get(runner.init()), runner.run(runner.init(), 3)[0]
    for path in (["layers", "layers", 0, "layers", 0], ["layers", "layers", 1]):
        layer, u, seen = (
            functools.reduce(lambda tree, name: tree[name], path, tree["critic"])
            for tree in (start.params, start.stats, after.stats)
        )
        matrix, u = layer["kernel"].T, u["u"]
        for _ in range(6):
            u = matrix @ (matrix.T @ u)
            u /= np.linalg.norm(u)
        np.testing.assert_allclose(seen["u"], u, atol=1e-5)


def test_dropout_acts_in_updates_only(tiny):
    """Other units in every play, so that a still network's loss differs; none in evaluation."""
    sgd = Optimizer(name="sgd", learning_rate=1e-30)
    config = tiny(
        "ae", method={name: Net(width=8, dropout=0.5) for name in ("encoder", "decoder")} | {"optimizer": sgd}
    )
    game = Runner(config).game
    state, keys = game.init(), example_keys(jax.random.key(0), jnp.arange(4))
    x = jax.random.normal(jax.random.key(1), (4, *game.shape))

    def rebuilt(**options):
        return game.method.reconstruct(game.merge(state.params, state.stats, **options), x)

    first, again, other = (rebuilt(train=True, keys=k) for k in (keys, keys, fold(keys, 1)))
    bitwise(first, again)
    assert (first != other).any()
    bitwise(rebuilt(train=False, keys=keys), rebuilt(train=True))
    networks = game.merge(state.params, state.stats, train=True, keys=keys)
    masks = [d(jnp.ones((4, 8))) for n in networks.values() for _, d in nnx.iter_modules(n) if isinstance(d, Dropout)]
    assert len(masks) == 6 and len(np.unique(masks, axis=0)) == 6  # no two layers of either network share theirs


def test_the_default_preset_agrees_on_more_devices():
    """At full size, parameters within 1e-5 after 3 iterations on 1, 2 and 4 devices.

    With smooth activations: a ReLU within rounding of its kink falls to either side, which nothing can decide.
    """
    config = cli.preset("wgan_gp")
    smooth = {name: Net(activation="silu") for name in ("generator", "critic")}
    config = dataclasses.replace(config, method=dataclasses.replace(config.method, **smooth))
    expected, *others = (
        Runner(dataclasses.replace(config, parallel=spmd.Parallel(mapper, devices)))
        for mapper, devices in (("pmap", 1), ("pmap", 4), ("shard_map", 2))
    )
    params = expected.run(expected.init(), 3)[0].params
    for runner in others:
        seen = runner.run(runner.init(), 3)[0].params
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5, rtol=0), params, seen)


def test_cutting_a_run_into_calls_changes_nothing(tiny, preset):
    runner = Runner(tiny(preset, steps=4))  # the program that whole runs of the tests have compiled
    bitwise(runner.run(runner.init(), 5), runner.run(runner.init(), 1, 2, 2))


def test_the_seed_decides_everything(tiny):
    first, again, other = (Runner(tiny("wgan_gp", train={"seed": seed})) for seed in (0, 0, 1))
    state = first.run(first.init(), 2)[0]
    bitwise(state, again.run(again.init(), 2)[0])
    differs = jax.tree.map(
        lambda a, b: (np.asarray(a) != np.asarray(b)).any(), state.params, other.run(other.init(), 2)[0].params
    )
    assert any(jax.tree.leaves(differs))


def test_it_compiles_once(tiny):
    runner = Runner(tiny("wgan_gp"))
    traces = []
    counted = make_step(make_iteration(runner.game, runner.feed, [0.9]))

    def step(*arguments):
        traces.append(1)
        return counted(*arguments)

    runner.step = spmd.spread(step, runner.devices, "pmap", runner.feed.axis)
    runner.run(runner.init(), 1, 2, 3, 1)
    assert len(traces) == 1


def test_the_average_follows_its_formula(tiny):
    """ema_t = d ema + (1 - d) params with d = min(0.5, (1 + t) / (10 + t)) for t = 0, 1."""
    runner = Runner(tiny("wgan_gp", train={"ema": 0.5}))
    start = jax.device_get(runner.init())
    after = [runner.run(runner.init(), n)[0] for n in (1, 2)]
    first = jax.tree.map(lambda e, p: 0.1 * e + 0.9 * p, start.params["generator"], after[0].params["generator"])
    second = jax.tree.map(lambda e, p: 2 / 11 * e + 9 / 11 * p, first, after[1].params["generator"])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), second, after[1].ema["params"]["generator"])


def test_the_average_of_a_half_life_follows_its_formula(tiny, tmp_path):
    """Of whole runs, too: d = min(1/2, (1 + t) / (1 + 4 log 2 + t)), the half-life being one batch."""
    config = tiny("wgan_gp", train={"ema_halflife": 16.0})
    runner = Runner(config)
    start = jax.device_get(runner.init())
    after = [runner.run(runner.init(), n)[0] for n in (1, 2)]
    expected = start.params["generator"]
    for t, state in enumerate(after):
        d = min(0.5, (1 + t) / (1 + 4 * np.log(2) + t))
        expected = jax.tree.map(lambda e, p, d=d: d * e + (1 - d) * p, expected, state.params["generator"])
    train(config, tmp_path)
    seen = load_model(tmp_path).state.ema["params"]["generator"]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), expected, seen)


def test_a_player_moves_only_its_own_networks(tiny):
    """With the generator's learning rate next to nothing the critic still learns, and nothing else changes."""
    config = tiny("wgan_gp")
    still = {"generator_optimizer": type(config.method.generator_optimizer)(name="sgd", learning_rate=1e-30)}
    runner = Runner(tiny("wgan_gp", method=still))
    start, after = jax.device_get(runner.init()), runner.run(runner.init(), 2)[0]
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-20), start.params["generator"], after.params["generator"]
    )
    moved = jax.tree.map(lambda a, b: (a != b).any(), start.params["critic"], after.params["critic"])
    assert any(jax.tree.leaves(moved))


def test_it_stops_at_the_first_metric_that_is_not_finite(tiny):
    """An infinite learning rate spoils the parameters in iteration 1; iteration 2 shows it, and is the last."""
    config = tiny("vae", method={"optimizer": type(tiny("vae").method.optimizer)(name="sgd", learning_rate=1e38)})
    runner = Runner(config)
    state, metrics = runner.run(runner.init(), 50)
    assert int(state.step) == metrics["step"] < 5
    assert not np.isfinite([value for value in metrics.values()]).all()


def test_every_play_sees_fresh_examples_and_noise(tiny):
    """Peers reuse one batch, or one key, for all critic updates of an iteration (GANs-JAX); here no two plays share."""
    config = tiny("wgan_gp", method={"n_critic": 3})
    seen = []

    def loss(networks, batch, keys, turn):
        jax.debug.callback(lambda x, k: seen.append((x, k)), batch.x, jax.random.key_data(keys))
        return jnp.zeros(()) + networks["critic"](batch.x).mean(), {}

    object.__setattr__(config.method, "critic_loss", loss)
    runner = Runner(config)
    runner.run(runner.init(), 2)
    jax.effects_barrier()
    assert len(seen) == 6
    assert len(np.unique(np.concatenate([k for _, k in seen]), axis=0)) == 6 * 16  # a key per play and example
    pixels = np.concatenate([x for x, _ in seen]).reshape(6 * 16, -1)
    assert len(np.unique(pixels, axis=0)) == 6 * 16  # no example twice within an epoch


def test_a_player_that_rests_changes_nothing(tiny):
    """The critic plays in iterations 1 and 2 of 4 only: its networks, its optimiser and its metrics show it."""

    @dataclasses.dataclass(frozen=True)
    class Resting(WGANGP):
        def players(self):
            critic, generator = super().players()
            return dataclasses.replace(critic, start=1, stop=3), generator

    config = tiny("wgan_gp")
    runner = Runner(dataclasses.replace(config, method=Resting(**vars(config.method))))
    states = [jax.device_get(runner.init())]
    norms = []
    for _ in range(4):
        state, metrics = runner.run(jax.device_put(states[-1]), 1)
        states.append(state)
        norms.append(metrics["critic/grad_norm"])
    for before, after, plays in zip(states[:-1], states[1:], (False, True, True, False), strict=True):
        same = jax.tree.map(np.array_equal, before.params["critic"], after.params["critic"])
        assert all(jax.tree.leaves(same)) != plays
        if not plays:
            bitwise(before.optimizers["critic"], after.optimizers["critic"])
    assert [norm > 0 for norm in norms] == [False, True, True, False]
