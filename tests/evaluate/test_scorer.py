"""The cheap score while training: what it tells, and that a run with it is resumed as any other."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from genlab.data.config import Data
from genlab.data.sources import load
from genlab.errors import Invalid
from genlab.evaluate.scorer import make_scorer
from genlab.train.loop import train
from genlab.train.state import Game


def scored(tiny, preset, every=2, **sections):
    config = tiny(preset, **sections)
    return dataclasses.replace(config, evaluate=dataclasses.replace(config.evaluate, every=every))


def test_it_tells_real_from_untrained(tiny, monkeypatch):
    """Held-out images against training images in the place of samples, and against a generator's first ones."""
    config = scored(tiny, "gan")
    dataset = load(config.data)
    game = Game(config.method, dataset.shape, 0, 1)
    scorer, state = make_scorer(config, game, dataset), game.init()
    score, metrics = scorer(state)
    assert metrics.keys() == {"eval/kernel_distance", "eval/kernel_distance_error"}
    assert score == metrics["eval/kernel_distance"] > 20 * metrics["eval/kernel_distance_error"]
    assert scorer(state) == (score, metrics)  # of fixed latents
    real = dataset.train.read(np.arange(179)).x / 127.5 - 1
    monkeypatch.setattr("genlab.evaluate.samples.Sampler.draw", lambda self, state, n, *others: real[:n])
    value, metrics = scorer(state)
    assert abs(value) < 3 * metrics["eval/kernel_distance_error"]


def test_points_are_scored_by_transport(tiny):
    config = scored(tiny, "wgan_gp_points")
    dataset = load(config.data)
    game = Game(config.method, (2,), 0, 1)
    score, metrics = make_scorer(config, game, dataset)(game.init())
    assert metrics == {"eval/transport": score} and 0.3 < score < 3


def test_it_needs_a_validation_split(tiny):
    config = scored(tiny, "gan", data={"validation": 0.0})
    with pytest.raises(Invalid, match="evaluate.every: 2 is not possible without a validation split"):
        make_scorer(config, Game(config.method, (8, 8, 1), 0, 1), load(Data(validation=0.0)))


def test_a_scored_run_is_resumed_bitwise(tiny, tmp_path):
    """Its record too; and without being asked for, nothing is scored."""
    whole = scored(tiny, "vae", steps=4)
    train(whole, tmp_path / "whole", make_scorer)
    train(scored(tiny, "vae", steps=2), tmp_path / "parts", make_scorer)
    train(whole, tmp_path / "parts", make_scorer)

    def rows(name):
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        return [{k: v for k, v in json.loads(line).items() if not k.startswith("time/")} for line in lines]

    assert rows("whole") == rows("parts")
    assert [row["step"] for row in rows("whole") if "eval/kernel_distance" in row] == [2, 4]
    train(tiny("vae"), tmp_path / "none", make_scorer)
    assert not any("eval/kernel_distance" in row for row in rows("none"))
    assert jax.device_count() == 8
