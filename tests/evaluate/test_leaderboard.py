"""Presets by seeds in one table, made by the script."""

import dataclasses
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from genlab import cli
from genlab.errors import Invalid
from genlab.evaluate.evaluator import Result
from genlab.evaluate.leaderboard import Row, markdown, with_interval
from genlab.evaluate.protocol import Stamp, require_same

STAMP = Stamp("digits", "train", "b90e9f2f341f", 1437, 180, "classifier")


def test_intervals_are_those_of_students_t():
    """As scipy's, to the one figure that is shown; of one score there is none."""
    values = np.random.default_rng(0).normal(10, 3, 5)
    low, high = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    assert with_interval(values.tolist()) == f"{values.mean():.3g} ± {(high - low) / 2:.0f}"
    assert with_interval([0.25]) == "0.25"
    assert with_interval([0.0, 10.0]) == "5 ± 60"


def test_means_and_spreads_by_hand():
    def result(name, seed, score, step):
        return Result(
            f"{name}-{seed}", STAMP, {"frechet": score, "kid": 1.0, "kid_error": 9.0}, run=Path(name), step=step
        )

    rows = [
        Row("a", (result("a", 0, 1.0, 500), result("a", 1, 2.0, 600))),
        Row("b", (result("b", 0, 4.0, 1000), result("b", 1, 4.0, 1000))),
    ]
    real = Result("real", STAMP, {"frechet": 0.25, "kid": -0.5})
    said = markdown(real, rows).splitlines()
    assert said[0].startswith("digits, against 1437") and said[0].endswith(
        "95 % confidence interval of 2 training seeds:"
    )
    assert said[2:] == [
        "| preset | iterations | frechet | kid |",
        "| --- | --- | --- | --- |",
        "| 180 real test images |  | 0.25 | -0.5 |",
        "| `a` | 500 to 600 | 1.5 ± 6 | 1 ± 0 |",
        "| `b` | 1,000 | 4 ± 0 | 1 ± 0 |",
    ]


def test_unlike_runs_are_not_averaged():
    with pytest.raises(
        Invalid, match="protocol: b cannot be compared with a; it has reference: 'x', not 'b90e9f2f341f'"
    ):
        require_same({"a": STAMP, "b": dataclasses.replace(STAMP, reference="x")})


def test_the_script_trains_once_and_prints(root, tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    small = {"vae": tiny("vae")}
    monkeypatch.setattr(cli, "preset", small.__getitem__)
    flags = [
        "--presets",
        "vae",
        "--repeats",
        "2",
        "--runs",
        str(tmp_path),
        "--data.batch-size",
        "16",
        "--n",
        "20",
    ]
    for _ in range(2):
        monkeypatch.setattr(sys, "argv", ["leaderboard.py", *flags, "--seeds", "1", "--metrics", "frechet"])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(root / "scripts" / "leaderboard.py"), run_name="__main__")
        assert not stop.value.code
    first, again = capsys.readouterr().out.split("digits, against")[1:]
    assert first == again
    lines = first.strip().splitlines()
    assert lines[4].startswith("| 20 real test images |  |") and lines[5].startswith("| `vae` | 2 | ")
    assert sorted(path.name for path in tmp_path.glob("*-*")) == ["vae-0", "vae-1"]
