"""Runs measured end to end: what they are compared with, the table, the record, and what is refused."""

import dataclasses
import json
import runpy
import sys

import numpy as np
import pytest

from genlab.data.config import Data
from genlab.errors import Invalid
from genlab.evaluate.report import Result, evaluate, record, table
from genlab.evaluate.yardstick import pixels, yardstick
from genlab.train.model import Model
from genlab.train.state import Game


@pytest.fixture
def untrained(tiny):
    """`untrained(preset, shape, data={...})`: a model of first weights."""

    def make(preset, shape, **sections):
        config = tiny(preset, **sections)
        game = Game(config.method, shape, config.train.seed, config.train.steps)
        return Model(config, shape, game, game.init(), True)

    return make


@pytest.fixture
def random_images(tmp_path):
    """An npz of 100 random images, which has no labels."""
    x = np.random.default_rng(0).integers(0, 256, (100, 8, 8), np.uint8)
    np.savez(tmp_path / "set.npz", images=x)
    return f"npz:{tmp_path / 'set.npz'}"


def test_digits_against_all_splits(untrained, tmp_path):
    real, run = evaluate({tmp_path: untrained("wgan_gp", (8, 8, 1))}, 300, 1)
    assert run.stamp == {
        "data": "digits",
        "against": "all splits together",
        "features": "pixels",
        "n_real": 1797,
        "n_neighbours": 1797,
        "n_generated": 300,
        "seed": 1,
        "step": 0,
        "ema": True,
    }
    assert list(run.scores) == list(real.scores) == ["frechet", "precision", "recall", "smallest_class"]
    assert real.run is None and real.stamp["n_generated"] == 300
    assert 5 * real.scores["frechet"] < run.scores["frechet"]
    assert real.scores["precision"] == 1 and real.scores["smallest_class"] > 0.05


def test_half_of_the_digits_scores_as_is_known():
    """900 of them against all: 0.02 / 1.00 / 0.94 to 0.96 by the draw."""
    rule = yardstick(Data(), 0)
    scores = rule.measure(rule.floor)
    assert len(rule.floor) == 898
    np.testing.assert_allclose(scores["frechet"], 0.019, atol=0.006)
    assert scores["precision"] == 1 and 0.93 < scores["recall"] < 0.98


def test_other_images_against_the_training_split_only(random_images):
    rule = yardstick(Data(name=random_images, test=0.3, validation=0.2), 0)
    assert rule.stamp["against"] == "the training split" and rule.stamp["n_real"] == 50 and len(rule.floor) == 30
    assert list(rule.measure(rule.floor)) == ["frechet", "precision", "recall"]


def test_without_a_test_split_there_is_no_floor(untrained, random_images, tmp_path):
    model = untrained("wgan_gp", (8, 8, 1), data={"name": random_images, "test": 0.0})
    assert [result.run for result in evaluate({tmp_path: model}, 8, 0)] == [tmp_path]


def test_precision_recall_and_classes_see_a_bounded_number(monkeypatch, tmp_path):
    monkeypatch.setattr("genlab.evaluate.yardstick.NEIGHBOURS", 500)
    stamp = yardstick(Data(), 7).stamp
    assert stamp["n_real"] == 1797 and stamp["n_neighbours"] == 500
    caption = table([Result(tmp_path, stamp | {"n_generated": 4, "step": 0}, {})]).splitlines()[0]
    assert caption == "digits, against all splits together (1797 real images; 500 for precision and recall), in pixels"


def test_points_against_their_modes(untrained, tmp_path):
    results = evaluate({tmp_path: untrained("wgan_gp_points", (2,))}, 100, 0)
    assert results[0].scores["modes"] == 8 and results[0].scores["good_share"] > 0.99
    assert results[1].scores["good_share"] < 0.5
    lines = table(results).splitlines()
    assert lines[0] == "points:8gaussians, against its 8 modes"
    assert lines[1].split() == ["run", "step", "n", "modes", "good", "share"]
    assert lines[2].split()[:3] == ["real", "100", "8"] and len(set(map(len, lines[1:]))) == 1


def test_pixels_are_flat_and_in_the_unit_interval():
    x = np.array([0, 255, 51], np.uint8).reshape(1, 1, 3, 1)
    np.testing.assert_allclose(pixels(x), [[0, 1, 0.2]])


def test_refusals(untrained, tmp_path):
    digits, points = untrained("wgan_gp", (8, 8, 1)), untrained("wgan_gp_points", (2,))
    with pytest.raises(Invalid, match="run_dirs: .*digits.*points.* is not one data set"):
        evaluate({tmp_path / "a": digits, tmp_path / "b": points}, 8, 0)
    with pytest.raises(Invalid, match="run_dirs: .* at least one"):
        evaluate({}, 8, 0)
    with pytest.raises(Invalid, match="n: 3 is not at least 4"):
        evaluate({tmp_path: digits}, 3, 0)
    with pytest.raises(Invalid, match="swissroll has no modes"):
        evaluate({tmp_path: untrained("wgan_gp_points", (2,), data={"name": "points:swissroll"})}, 8, 0)
    results = evaluate({tmp_path / "absent": points}, 8, 0)
    with pytest.raises(Invalid, match="run_dirs: .*absent; must be writable"):
        record(results)


def test_samples_that_are_not_finite_are_refused(untrained, tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Broken(Model):
        def sample(self, n, seed=0):
            return np.full((n, *self.shape), np.nan, np.float32)

    model = untrained("wgan_gp", (8, 8, 1))
    broken = Broken(**{field.name: getattr(model, field.name) for field in dataclasses.fields(Model)})
    with pytest.raises(Invalid, match="must be finite"):
        evaluate({tmp_path: broken}, 8, 0)


def script(root, monkeypatch, *arguments):
    """The exit code of `scripts/evaluate.py`."""
    monkeypatch.setattr(sys, "argv", ["evaluate.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(root / "scripts" / "evaluate.py"), run_name="__main__")
    return stop.value.code


def test_the_script_prints_a_table_and_records(root, untrained, tmp_path, monkeypatch, capsys):
    model = untrained("wgan_gp", (8, 8, 1))
    monkeypatch.setattr("genlab.train.model.load", lambda path, step, ema: model)
    (tmp_path / "run").mkdir()
    for seed in (0, 0, 1):
        assert script(root, monkeypatch, tmp_path / "run", "--n", 50, "--seed", seed) == 0
    printed = capsys.readouterr().out.splitlines()[:4]
    assert printed[0] == "digits, against all splits together (1797 real images), in pixels"
    assert printed[2].startswith("real ") and printed[3].startswith(f"{tmp_path / 'run'}")
    rows = [json.loads(line) for line in (tmp_path / "run" / "evaluation.jsonl").read_text().splitlines()]
    assert rows[0] == rows[1] != rows[2] and rows[0]["step"] == 0 and rows[0]["n_generated"] == 50


@pytest.mark.parametrize("arguments", [[], ["absent"], ["--n", "many"]])
def test_the_script_says_a_mistake_in_one_line(root, monkeypatch, capsys, arguments):
    assert script(root, monkeypatch, *arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1
