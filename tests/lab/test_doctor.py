"""The doctor on whole runs: sick on purpose, and healthy."""

import pytest

from genlab.lab.doctor import examine
from genlab.parts.optimizer import Optimizer
from genlab.train.loop import train
from genlab.train.observer import Diverged


def names(report):
    return {finding.name for finding in report.findings}


def test_a_learning_rate_far_too_high_shows_in_updates(tiny, tmp_path):
    train(tiny("ae", steps=2, method={"optimizer": Optimizer(learning_rate=0.5)}), tmp_path)
    report = examine(tmp_path)
    assert "updates too large" in names(report) and "updates too small" not in names(report)
    assert "One update of model" in str(report)


def test_a_learning_rate_of_nothing_shows_in_updates(tiny, tmp_path):
    train(tiny("ae", steps=2, method={"optimizer": Optimizer(learning_rate=1e-9)}), tmp_path)
    assert "updates too small" in names(examine(tmp_path))


def test_a_diverged_run_says_where_it_began(tiny, tmp_path):
    explosive = Optimizer("sgd", learning_rate=1e38, warmup=1, schedule="constant")
    with pytest.raises(Diverged):
        train(tiny("vae", steps=50, method={"optimizer": explosive}, checkpoint={"every": 1}), tmp_path)
    report = examine(tmp_path)
    assert "divergence" in names(report) and "was no finite number at iteration" in str(report)
