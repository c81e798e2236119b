"""Whole runs that are made sick on purpose: what the doctor says of each."""

import time

import pytest

from genlab.lab.diagnosis import curves
from genlab.lab.doctor import examine
from genlab.nn.net import Net
from genlab.parts.code_prior import CodePrior
from genlab.parts.objective import Objective
from genlab.parts.optimizer import Optimizer
from genlab.train.loop import train

STILL = Optimizer(learning_rate=1e-9)
FAST = Optimizer(learning_rate=1e-2)
FEW = {"validation": 0.97, "test": 0.01}  # shares; about thirty examples are left to train on
WIDE = Net(width=64)
# one part of the loss, which reaches the encoder's four layers and none of the decoder's seven, is far larger
OUT_OF_SCALE = {"method": {"objective": Objective(beta=1e6), "decoder": Net(width=8, depth=6)}}


def sick(tiny, folder, preset, steps, **sections):
    """The names of what is found in a run that looks at itself ten times."""
    often = {
        "train": {"validate_every": max(1, steps // 10)},
        "checkpoint": {"every": steps},
        "track": {"every": max(1, steps // 40), "samples_every": steps},
    }
    often = {name: values | sections.pop(name, {}) for name, values in often.items()}
    train(tiny(preset, steps=steps, **often, **sections), folder)
    return {finding.name for finding in examine(folder).findings}


@pytest.mark.parametrize(
    "name, preset, steps, sections",
    [
        (
            "dead units",
            "ae",
            60,
            {"data": {"name": "points:8gaussians"}, "method": {"optimizer": Optimizer(learning_rate=1.0)}},
        ),
        (
            "saturated units",
            "ae",
            60,
            {"method": {"encoder": Net(width=8, activation="tanh"), "optimizer": Optimizer(learning_rate=0.3)}},
        ),
        ("exploding gradients", "vae", 2, OUT_OF_SCALE),
        ("wrong loss at the start", "vae", 2, OUT_OF_SCALE),
        (
            "opponent too weak",
            "wgan_gp",
            60,
            {"method": {"critic_optimizer": STILL, "generator_optimizer": FAST}},
        ),
        (
            "opponent too strong",
            "gan",
            200,
            {"method": {"discriminator_optimizer": FAST, "generator_optimizer": STILL}},
        ),
        (
            "mode collapse",
            "gan",
            200,
            {"method": {"discriminator_optimizer": STILL, "generator_optimizer": FAST}},
        ),
        (
            "copied examples",
            "vq_vae",
            1500,
            {
                "data": FEW,
                "method": {
                    "encoder": WIDE,
                    "decoder": Net(width=128),
                    "optimizer": Optimizer(learning_rate=3e-3),
                    "prior": CodePrior(),
                },
            },
        ),
        ("unused codes", "vq_vae", 100, {"method": {"optimizer": Optimizer(learning_rate=0.1)}}),
        (
            "overfitting",
            "vae",
            1500,
            {
                "data": FEW,
                "method": {
                    "encoder": WIDE,
                    "decoder": WIDE,
                    "objective": Objective(beta=0.001),
                    "optimizer": Optimizer(learning_rate=2e-3),
                },
            },
        ),
        ("underfitting", "ae", 40, {"method": {"optimizer": Optimizer(learning_rate=1e-4)}}),
    ],
)
def test_a_sick_run_is_found_out(name, preset, steps, sections, tiny, tmp_path):
    assert name in sick(tiny, tmp_path, preset, steps, **sections)


class Slow:
    """A sink that takes ever longer, from the middle of the run on."""

    def scalars(self, step, values):
        time.sleep(0.2 * (step > 20))

    def image(self, step, name, pixels):
        pass

    def close(self):
        pass


def test_a_run_that_is_slowed_down_by_its_records(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(curves, "LONG", 0.1)  # else it would have to be slow for half a minute
    config = tiny("ae", steps=40, track={"samples_every": 40}, train={"validate_every": 40}, checkpoint={"every": 40})
    train(config, tmp_path, sinks=[Slow()])
    assert "slowing down" in {finding.name for finding in examine(tmp_path).findings}
