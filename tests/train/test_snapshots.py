"""The ends of a learning rate's cycles: where they are, and that their checkpoints are kept."""

import dataclasses
import shutil

import jax
import numpy as np
import pytest

from genlab import cli
from genlab.model import load
from genlab.parts.optimizer import Optimizer
from genlab.train.loop import train
from genlab.train.observer import Timetable
from genlab.train.optimizer import schedule
from genlab.train.snapshots import Snapshots

SPARSE = {"checkpoint": {"every": 100, "keep": 1}, "train": {"validate_every": 100}}


def restarting(warmup, period):
    return Optimizer(schedule="cosine_restarts", warmup=warmup, period=period)


def steps(run):
    return sorted(int(path.name) for path in (run / "checkpoints").iterdir())


@pytest.mark.parametrize(("warmup", "period", "name"), [(0, 4, "adam"), (3, 10, "adam"), (None, 9, "lars")])
def test_a_cycle_ends_where_the_rate_is_lowest(tiny, warmup, period, name):
    """Update t, counted from 0, has rate(t): the last before an end has the cycle's lowest, and the next the peak."""
    optimizer = dataclasses.replace(restarting(warmup, period), name=name)
    rate = np.array([schedule(optimizer, 90)(t) for t in range(40)])
    config = tiny("vae", steps=90, method={"optimizer": optimizer})
    ends = [step for step in range(1, 40) if step in Snapshots.of(config)]
    assert ends == list(range((5 if warmup is None else warmup) + period, 40, period))  # of lars an 18th of all
    for end in ends:
        assert rate[end - 1] == rate[end - period : end].min() and rate[end] == rate.max()


def test_they_are_those_of_all_players_that_play_to_the_end(tiny):
    gan = tiny("wgan_gp", method={"critic_optimizer": restarting(0, 4), "generator_optimizer": restarting(1, 3)})
    found = Snapshots.of(gan)
    assert [step for step in range(14) if step in found] == [4, 7, 8, 10, 12, 13]
    assert sorted(found.after(7)) == [8, 10]
    assert not Snapshots.of(tiny("wgan_gp")).ends
    deep = cli.preset("stacked_ae")  # its layers learn one after the other, then all of them
    method = dataclasses.replace(deep.method, optimizer=restarting(0, 10), phase=5)
    begin = max(player.start for player in method.players())
    (ends,) = Snapshots.of(dataclasses.replace(deep, method=method)).ends
    assert ends[0] == begin + 10 and begin > 0


def test_each_is_an_event(tiny):
    config = tiny("vae", steps=50, method={"optimizer": restarting(3, 10)}, track={"every": 100}, **SPARSE)
    config = dataclasses.replace(config, track=dataclasses.replace(config.track, samples_every=100))
    times = Timetable(config)
    assert [step for step in range(1, 51) if times.is_event(step)] == [13, 23, 33, 43, 50]
    assert [step for step in range(1, 51) if times.saving(step)] == [13, 23, 33, 43, 50]


def test_they_are_kept_whatever_else_is_and_the_run_goes_on_bitwise(tiny, tmp_path):
    config = tiny("vae", steps=8, method={"optimizer": restarting(1, 2)}, **SPARSE)
    train(config, tmp_path / "whole")
    assert steps(tmp_path / "whole") == [3, 5, 7, 8]
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    for step in (7, 8):
        shutil.rmtree(tmp_path / "parts" / "checkpoints" / str(step))
    train(config, tmp_path / "parts")
    assert steps(tmp_path / "parts") == [3, 5, 7, 8]
    for step in (3, 7, 8):
        a, b = (load(tmp_path / name, step).state for name in ("whole", "parts"))
        jax.tree.map(np.testing.assert_array_equal, a, b)


def test_the_record_of_a_run_that_goes_on_keeps_the_validation_at_an_end(tiny, tmp_path):
    """Trained on from the end of a cycle, which was its last step too: the same rows as of a run that never stopped."""
    for name, parts in (("whole", [5]), ("parts", [3, 5])):
        for last in parts:
            train(tiny("vae", steps=last, method={"optimizer": restarting(1, 2)}, **SPARSE), tmp_path / name)
    whole, parts = ((tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("whole", "parts"))
    assert [line for line in parts if "validation" in line] == [line for line in whole if "validation" in line]
    assert sum("validation" in line for line in whole) == 2
