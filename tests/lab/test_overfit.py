"""Whether networks learn a few examples by heart: healthy ones, and some made sick on purpose."""

import dataclasses

import pytest

from genlab.lab import overfit as module
from genlab.lab.overfit import overfit
from genlab.nn.net import Net
from genlab.parts.objective import Objective
from genlab.parts.optimizer import Optimizer
from genlab.train.loop import train

WIDE = Net(width=64)
STILL = Optimizer(learning_rate=1e-9)


@pytest.fixture
def attempt(tiny, tmp_path, monkeypatch):
    """`attempt("ae", width=1)`: of a run that has made no more than one iteration."""
    monkeypatch.setattr(module, "ITERATIONS", 800)

    def make(preset, **method):
        config = tiny(preset, steps=1, track={"samples_every": 9})
        config = dataclasses.replace(config, method=dataclasses.replace(config.method, **method))
        train(config, tmp_path)
        return overfit(tmp_path)

    return make


@pytest.mark.parametrize(
    "preset, method",
    [
        ("ae", {"encoder": WIDE, "decoder": WIDE}),
        ("vae", {"encoder": Net(width=128), "decoder": Net(width=128)}),
        ("wgan_gp", {}),
        ("stacked_ae", {"encoder": WIDE, "decoder": WIDE}),
    ],
)
def test_healthy_networks_learn_a_few_examples_by_heart(preset, method, attempt):
    found = attempt(preset, **method)
    assert found.finding is None and "can learn a few examples by heart" in str(found)
    assert found.value <= 0.25 or (preset == "wgan_gp" and found.value >= 0.9)


@pytest.mark.parametrize(
    "preset, method",
    [
        ("ae", {"optimizer": STILL}),
        ("ae", {"encoder": WIDE, "decoder": Net(width=1)}),  # a bottleneck
        ("vae", {"encoder": WIDE, "decoder": WIDE, "objective": Objective(beta=1000.0)}),
    ],
)
def test_sick_networks_do_not(preset, method, attempt):
    found = attempt(preset, **method)
    assert found.finding.name == "cannot overfit" and "Trained on 16 examples alone" in found.finding.sentence


def test_an_opponent_that_does_not_learn_tells_no_example_from_a_fake(attempt):
    found = attempt("hinge_gan", discriminator_optimizer=STILL, discriminator=Net(width=1, depth=1))
    assert found.finding.name == "cannot overfit" and "discriminator puts" in found.finding.sentence


def test_methods_of_several_phases_go_through_all_of_them(attempt, monkeypatch):
    monkeypatch.setattr(module, "ITERATIONS", 25)
    assert attempt("stacked_ae").iterations == 5 * 25  # four layers, then all together
