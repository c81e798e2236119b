"""The doctor on whole runs: sick on purpose, and healthy."""

import dataclasses
import re

import pytest

from genlab.errors import Invalid
from genlab.kernels.penalty import Penalty
from genlab.lab.doctor import examine
from genlab.parts.objective import Objective
from genlab.parts.optimizer import Optimizer
from genlab.train.loop import train
from genlab.train.observer import Diverged


def names(report):
    return {finding.name for finding in report.findings}


def test_a_healthy_run_has_nothing(tiny, tmp_path):
    config = tiny(
        "ae",
        steps=400,
        train={"ema": 0.9, "validate_every": 100},
        checkpoint={"every": 400},
        track={"samples_every": 400},
    )
    wide = {name: dataclasses.replace(getattr(config.method, name), width=32) for name in ("encoder", "decoder")}
    config = dataclasses.replace(config, method=dataclasses.replace(config.method, **wide))
    train(config, tmp_path)
    report = examine(tmp_path)
    assert not report.findings and "nothing found" in str(report)
    assert {"gradients by layer", "updates by layer", "units", "copies", "fit"} <= set(report.examined)


def test_an_output_that_is_driven_to_its_ends_and_what_follows(tiny, tmp_path):
    train(tiny("ae", steps=40, method={"optimizer": Optimizer("sgd", learning_rate=1.0)}), tmp_path)
    assert {"saturated output", "vanishing gradients", "mode collapse", "missing classes"} <= names(examine(tmp_path))


def test_a_posterior_that_is_pressed_onto_its_prior(tiny, tmp_path):
    seldom = {
        "train": {"validate_every": 300},
        "checkpoint": {"every": 300},
        "track": {"every": 100, "samples_every": 300},
    }
    train(tiny("vae", steps=300, method={"objective": Objective(beta=1000.0)}, **seldom), tmp_path)
    assert "posterior collapse" in names(examine(tmp_path))


def test_what_cannot_be_examined_is_one_line(tmp_path):
    with pytest.raises(Invalid, match="must be the folder of a run"):
        examine(tmp_path)


def test_a_learning_rate_far_too_high_shows_in_updates(tiny, tmp_path):
    train(tiny("ae", steps=2, method={"optimizer": Optimizer(learning_rate=0.5)}), tmp_path)
    report = examine(tmp_path)
    assert "updates too large" in names(report) and "updates too small" not in names(report)
    assert "One update of model" in str(report)


def test_a_learning_rate_of_nothing_shows_in_updates(tiny, tmp_path):
    train(tiny("ae", steps=2, method={"optimizer": Optimizer(learning_rate=1e-9)}), tmp_path)
    assert "updates too small" in names(examine(tmp_path))


@pytest.mark.parametrize("every", [1, 50])
def test_a_diverged_run_says_where_it_began(every, tiny, tmp_path):
    """From its last checkpoint, or from its start if it came to none."""
    explosive = Optimizer("sgd", learning_rate=1e38, warmup=1, schedule="constant")
    with pytest.raises(Diverged):
        train(tiny("vae", steps=50, method={"optimizer": explosive}, checkpoint={"every": every}), tmp_path)
    report = examine(tmp_path)
    [found] = [finding for finding in report.findings if finding.name == "divergence"]
    assert "was no finite number at iteration" in found.sentence
    assert re.search(r"iteration \d is the first .* in update 1 of 1 of model the \w+ of \w+/layers", found.sentence)


def test_gradients_that_overflow_are_named_by_their_layer(tiny, tmp_path):
    """Activations and losses are finite; the slopes of a penalty of such a weight are not."""
    config = tiny("wgan_gp", steps=4, method={"penalty": Penalty(weight=1e38)})
    with pytest.raises(Diverged):
        train(config, tmp_path)
    [found] = [finding for finding in examine(tmp_path).findings if finding.name == "divergence"]
    assert "of critic" in found.sentence and "is the first with such numbers" in found.sentence
