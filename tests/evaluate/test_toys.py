"""Presets made for images on the toy points: what changes, and the table the script prints."""

import runpy
import sys

import pytest

from genlab import cli
from genlab.errors import Invalid
from genlab.evaluate.evaluator import Result
from genlab.evaluate.leaderboard import Row
from genlab.evaluate.protocol import Stamp
from genlab.evaluate.toys import markdown, toy_config
from genlab.nn.net import Net

STAMP = Stamp("points", "train", "b90e9f2f341f", 2000, 2000, "coordinates")


def test_a_preset_for_points_is_as_the_official_toy_code():
    """Its networks, latents and lambda; the loss, the number of updates and the update rule stay the preset's own."""
    preset, method = cli.preset("wgan_gp").method, toy_config(cli.preset("wgan_gp"), 512).method
    assert method.latent == 2 and method.n_critic == preset.n_critic
    assert method.generator == method.critic == Net(width=512, depth=3, activation="relu")
    assert method.penalty.weight == 0.1 and method.penalty.target == 1 and method.penalty.where == "interpolated"
    rate = method.critic_optimizer
    assert (rate.learning_rate, rate.schedule, rate.b2) == (1e-3, "linear", preset.critic_optimizer.b2)
    for name in ("r3gan", "dragan"):  # R1 and R2, and DRAGAN's: the official code has none of them
        assert toy_config(cli.preset(name)).method.penalty == cli.preset(name).method.penalty
    assert toy_config(cli.preset("r3gan")).method.loss == "relativistic_pairing"
    assert toy_config(cli.preset("gan")).method.discriminator == Net(width=128, depth=3, activation="relu")
    assert toy_config(cli.preset("wgan")).method.generator_optimizer.name == "rmsprop"


@pytest.mark.parametrize("name", ["ae", "vae_gan"])
def test_other_methods_are_refused(name):
    with pytest.raises(Invalid, match="^presets: .* is not an adversarial method$"):
        toy_config(cli.preset(name))


def test_the_table_by_hand():
    def result(modes, good):
        return Result("x", STAMP, {"modes": modes, "good_share": good}, step=6)

    found = {
        "8gaussians": (result(8.0, 0.9996), [Row("gan", (result(7.0, 0.5), result(8.0, 0.7)))]),
        "25gaussians": (result(25.0, 1.0), [Row("gan", (result(9.0, 0.25), result(9.0, 0.25)))]),
    }
    said = markdown(found, 6000).splitlines()
    assert said[0] == (
        "6,000 iterations, mean ± 95 % confidence interval of 2 training seeds, 2,000 samples; good: within 4 standard "
        "deviations of a mode:"
    )
    assert said[2:] == [
        "| preset | 8gaussians: modes | 8gaussians: good | 25gaussians: modes | 25gaussians: good |",
        "| --- | --- | --- | --- | --- |",
        "| real points | 8 | 1 | 25 | 1 |",
        "| `gan` | 7.5 ± 6 | 0.6 ± 1 | 9 ± 0 | 0.25 ± 0 |",
    ]


def test_the_script_trains_both_sets_and_prints(root, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    flags = ["--presets", "gan", "--steps", "2", "--width", "8", "--runs", str(tmp_path / "runs")]
    monkeypatch.setattr(sys, "argv", ["toys.py", *flags])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(root / "scripts" / "toys.py"), run_name="__main__")
    assert not stop.value.code
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[-2].startswith("| real points | 8 | 1 | 25 | ") and lines[-1].startswith("| `gan` | ")
    assert sorted(path.parent.name for path in (tmp_path / "runs").glob("*/gan-0")) == ["25gaussians", "8gaussians"]
