"""The record of a lazy penalty: means over the updates it was applied at, however a run is cut, stopped or spread."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest

from genlab import cli
from genlab.data.feed import make_feed
from genlab.data.sources import load as load_data
from genlab.kernels.penalty import Penalty
from genlab.model import load
from genlab.parts.tally import TALLY
from genlab.train import spmd
from genlab.train.loop import train
from genlab.train.state import Game
from genlab.train.step import indices, make_iteration, make_step
from genlab.train.validate import held_out, make_validation

LAZY = {"n_critic": 1, "penalty": Penalty(interval=2)}
NAMES = ("penalty", "slope_mean", "slope_std", "slopes")


def rows(run_dir):
    """Of training alone, without the timings."""
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [{n: v for n, v in row.items() if not n.startswith("time/")} for row in lines if "critic/loss" in row]


def penalised(row):
    return np.concatenate([np.ravel(row[f"critic/{name}"]) for name in NAMES])


def cut(tiny, every, steps=7):
    intervals = {"track": {"every": every}, "checkpoint": {"every": 2, "keep": 9}, "train": {"validate_every": 9}}
    return tiny("wgan_gp", method=LAZY, steps=steps, **intervals)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tmp_path_factory.mktemp("whole")


def test_a_row_is_the_mean_of_its_penalised_updates(tiny, whole):
    """Updates 1, 3, 5, 7 of 7 pay. With a row for each, the others repeat the last; rows of three are means of these.

    The logged penalty is 10 E (slope - 1)^2, as without laziness, and the histogram of slopes has no spike at 0.
    """
    train(cut(tiny, 1), whole / "each")
    train(cut(tiny, 3), whole / "run")
    each, three = (rows(whole / name) for name in ("each", "run"))
    seen = [penalised(row) for row in each]
    for i in (1, 3, 5):
        np.testing.assert_array_equal(seen[i], seen[i - 1])
        assert abs(seen[i + 1] - seen[i]).max() > 1e-4
    assert [row["step"] for row in three] == [3, 6, 7]
    expected = [(seen[0] + seen[2]) / 2, seen[4], seen[6]]
    np.testing.assert_allclose([penalised(row) for row in three], expected, rtol=1e-5, atol=1e-7)
    for row in (*each, *three):
        np.testing.assert_allclose(np.sum(row["critic/slopes"]), 1, rtol=1e-6)
        assert row["critic/slope_mean"] > 0 and row["critic/slopes"][0] < 1
    for row in each:
        cost = 10 * (row["critic/slope_std"] ** 2 + (row["critic/slope_mean"] - 1) ** 2)
        np.testing.assert_allclose(row["critic/penalty"], cost, rtol=1e-4)


def test_a_run_resumed_between_two_rows_has_the_same_rows(tiny, whole):
    """From step 4, between the rows 3 and 6; and one that ended at 5 and went on."""
    shutil.copytree(whole / "run", whole / "resumed")
    for step in (6, 7):
        shutil.rmtree(whole / "resumed" / "checkpoints" / str(step))
    train(cut(tiny, 3, steps=5), whole / "longer")
    for name in ("resumed", "longer"):
        train(cut(tiny, 3), whole / name)
        assert rows(whole / name) == rows(whole / "run")
        jax.tree.map(np.testing.assert_array_equal, load(whole / name).state, load(whole / "run").state)


def runner(config, row):
    """The state after so many iterations in such calls, and the last metrics."""
    devices = spmd.training_devices(config.parallel, config.data.batch_size)
    dataset = load_data(config.data)
    game = Game(config.method, dataset.shape, 0, 10)
    feed = make_feed(config.data, dataset, 0, game.reads, len(devices), lambda x: spmd.replicate(x, devices))
    call = spmd.spread(make_step(make_iteration(game, feed, [0.9], log_every=row)), devices, "pmap", feed.axis)
    index = spmd.scatter(indices(config.data.batch_size, len(devices)), devices)

    def run(*lengths):
        state, at = spmd.replicate(jax.jit(game.init)(), devices), 0
        for n in lengths:
            state, metrics = call(state, feed.arrays(at), index, np.int32(n))
            at += n
        return jax.device_get((state, metrics))

    return run


def test_neither_calls_nor_devices_change_it(tiny):
    """Three plays, an interval of 4, rows of 3: of the updates 10 to 12, in the fourth iteration, none pays but 12."""
    lazy = {"n_critic": 3, "penalty": Penalty(interval=4)}
    run = runner(tiny("wgan_gp", method=lazy), 3)
    expected = run(5)
    jax.tree.map(np.testing.assert_array_equal, expected, run(1, 2, 2))
    assert expected[0].stats[TALLY]["count"] == 1  # of the updates 9 to 14, counted from 0, that is 12
    two = runner(tiny("wgan_gp", method=lazy, parallel={"devices": 2}), 3)(5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), expected, two)


def test_a_penalty_at_every_update_is_not_tallied():
    """The state, and so the checkpoint, is what it was before there were tallies."""
    method = cli.preset("wgan_gp").method
    for interval, there in ((1, False), (2, True)):
        changed = dataclasses.replace(method, penalty=Penalty(interval=interval))
        state = jax.eval_shape(Game(changed, (2,), 0, 1).init)
        assert (TALLY in state.stats) == there
        assert {"critic", "generator"} <= set(state.stats) <= {"critic", "generator", TALLY}


def test_validation_charges_a_lazy_penalty_as_it_is_on_average(tiny):
    """The same as one at every update of the same networks."""
    seen = []
    for interval in (1, 2):
        config = tiny("wgan_gp", method={"penalty": Penalty(interval=interval)})
        dataset = load_data(config.data)
        game = Game(config.method, dataset.shape, 0, 1)
        state = jax.jit(game.init)()
        seen.append(make_validation(game, held_out(dataset, config.data, 0))(state))
    assert seen[0].keys() == seen[1].keys() and "validation/critic/penalty" in seen[0]
    jax.tree.map(np.testing.assert_array_equal, *seen)
