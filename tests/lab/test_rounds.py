"""Diagnoses while training: told once, written down, and without a trace in what is trained."""

import dataclasses
import json
from functools import partial

import jax
import numpy as np
import pytest

from genlab.lab import rounds
from genlab.lab.population import train_population
from genlab.lab.rounds import Rounds
from genlab.model import load
from genlab.parts.optimizer import Optimizer
from genlab.train.loop import train

SICK = {"method": {"optimizer": Optimizer(learning_rate=1e-9)}}


def diagnosed(run):
    return [json.loads(line) for line in (run / "diagnosis.jsonl").read_text().splitlines()]


def weights(run):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(load(run).state)]


def without_speed(run):
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [{name: value for name, value in row.items() if not name.startswith("time/")} for row in lines]


def test_training_is_bitwise_the_same_and_a_finding_is_told_once(tiny, tmp_path, capfd):
    config = tiny("ae", steps=6, **SICK, track={"every": 2})
    watched = dataclasses.replace(config, track=dataclasses.replace(config.track, diagnose=3))
    train(config, tmp_path / "plain", make_diagnoser=Rounds)
    assert not (tmp_path / "plain" / "diagnosis.jsonl").exists()
    train(watched, tmp_path / "watched", make_diagnoser=Rounds)
    for ours, theirs in zip(weights(tmp_path / "watched"), weights(tmp_path / "plain"), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert without_speed(tmp_path / "watched") == without_speed(tmp_path / "plain")
    found = diagnosed(tmp_path / "watched")
    names = [row["finding"] for row in found]
    assert "updates too small" in names and len(names) == len(set(names)) and {row["step"] for row in found} <= {3, 6}
    assert capfd.readouterr().err.count("updates too small: One update of model") == 1


def test_what_was_told_before_a_run_is_resumed_is_not_told_again(tiny, tmp_path, capfd):
    steps = {"checkpoint": {"every": 2}, "track": {"diagnose": 2}}
    train(tiny("ae", steps=2, **SICK, **steps), tmp_path, make_diagnoser=Rounds)
    before = diagnosed(tmp_path)
    with (tmp_path / "diagnosis.jsonl").open("a") as file:  # of iterations that are made again
        file.write(json.dumps({"step": 3, "finding": "slowing down", "sentence": "", "remedy": ""}) + "\n")
    capfd.readouterr()
    train(tiny("ae", steps=4, **SICK, **steps), tmp_path, make_diagnoser=Rounds)
    after = diagnosed(tmp_path)
    assert after[: len(before)] == before and "slowing down" not in {row["finding"] for row in after}
    assert "updates too small" not in capfd.readouterr().err


def test_a_diagnosis_that_fails_ends_nothing(tiny, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(rounds, "report", lambda evidence: 1 / 0)
    assert train(tiny("ae", track={"diagnose": 2}), tmp_path, make_diagnoser=Rounds) is None
    assert "iteration 2 could not be diagnosed: division by zero" in capfd.readouterr().err
    assert int(load(tmp_path).state.step) == 2


def test_every_member_of_a_population_is_diagnosed(tiny, tmp_path, capfd):
    base = tiny("ae", track={"diagnose": 2}, **SICK)
    members = {
        f"seed_{seed}": dataclasses.replace(base, train=dataclasses.replace(base.train, seed=seed)) for seed in (0, 1)
    }
    train_population(members, tmp_path, make_diagnoser=Rounds)
    said = capfd.readouterr().err
    for name in members:
        assert "updates too small" in {row["finding"] for row in diagnosed(tmp_path / name)}
        assert f"{name}, iteration 2: updates too small" in said


@pytest.mark.parametrize("every", [-1])
def test_a_negative_interval_is_refused(tiny, every):
    with pytest.raises(ValueError, match="track.diagnose: -1; must be at least 0"):
        partial(tiny, "ae", track={"diagnose": every})()
