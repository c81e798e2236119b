"""What may be searched is what train.py may be told."""

import math

import pytest

from genlab import cli
from genlab.errors import Invalid
from genlab.lab.space import Choices, Range, check, configured, from_dict, grid, narrowed, read, size, to_dict, to_toml

NAME = "wgan_gp_points"


def test_a_file_is_read_as_it_is_written(tmp_path, space):
    path = tmp_path / "space.toml"
    path.write_text(to_toml(space))
    assert read(path) == space
    assert space["method.critic_optimizer.learning_rate"] == Range(1e-4, 1e-2, True, 3)
    assert space["method.critic.activation"] == Choices(("relu", "leaky_relu"))


def test_values_become_settings_by_the_flags_reader(settings):
    space = from_dict(
        {
            "method.augment": {"choices": [["color"], ["color", "translation"]]},
            "method.critic.spectral": {"choices": [True, False]},
            "method.critic-optimizer.weight-decay": {"low": 0.0, "high": 0.1},
            "method.n-critic": {"low": 1, "high": 9},
        }
    )
    values = {"method.augment": "color translation", "method.critic.spectral": True}
    values |= {"method.critic_optimizer.weight_decay": 0.07, "method.n_critic": 7}
    method = configured(NAME, settings, space, values).method
    assert method.augment == ("color", "translation") and method.critic.spectral and method.n_critic == 7
    assert method.critic_optimizer.weight_decay == 0.07
    assert method.generator == settings.method.generator  # what is common to all stays


def test_a_grid_takes_points_and_integers(space):
    assert size(space) == 3 * 3 * 2
    rates = grid(space)["method.critic_optimizer.learning_rate"]
    assert rates[0] == 1e-4 and rates[-1] == 1e-2 and math.isclose(rates[1], 1e-3)
    assert grid(from_dict({"a.b": {"low": 1, "high": 9, "points": 3}})) == {"a.b": [1, 5, 9]}
    with pytest.raises(Invalid, match="^space: a.b.points: None is not allowed in a grid"):
        size(from_dict({"a.b": {"low": 0.0, "high": 1.0}}))


def test_narrowed_is_what_the_values_span(space):
    rate, critic, activation = space
    best = [{rate: 2e-3, critic: 3, activation: "relu"}, {rate: 5e-4, critic: 2, activation: "relu"}]
    assert to_dict(narrowed(space, best)) == {
        rate: {"low": 5e-4, "high": 2e-3, "log": True, "points": 3},
        critic: {"low": 2, "high": 3},
        activation: {"choices": ["relu"]},
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('["train.steps"]\nlow = 5\nhigh = 4', "train.steps.low: 5 is not at most high, 4"),
        ('["train.ema"]\nlow = 0.0\nhigh = 0.5\nlog = true', "train.ema.low: 0.0 is not above 0, as a logarithmic"),
        ('["train.ema"]\nlow = "a"\nhigh = 0.5', "train.ema.low: 'a' is not a number"),
        ('["train.ema"]\nlow = nan\nhigh = 0.5', "train.ema.low: nan is not a number"),
        ('["train.ema"]\nlow = 0.1', "train.ema.high: None is not given"),
        (
            '["train.ema"]\nlow = 0.1\nhigh = 0.2\nstep = 1',
            "train.ema.step: 1 is not allowed; there are high, log, low",
        ),
        ('["train.ema"]\nchoices = []', "train.ema.choices: [] is not one or several"),
        ('["train.ema"]\nchoices = [1, 1]', "train.ema.choices: [1, 1] is not one or several, each once"),
        ('["train.ema"]\nchoices = 3', "train.ema.choices: 3 is not a list"),
        ("[train.ema]\nlow = 0.1\nhigh = 0.2", "train: {'ema': "),
        ('["train.seed"]\nlow = 0\nhigh = 2', "train.seed: {'low': 0, 'high': 2} is not what trials may differ in"),
        ('["train.ema"]\nchoices = [0.5]\n["train-ema"]\n', "train-ema: {} is not a setting"),
        ('["method.n_critic"]\nchoices = [1]\n["method.n-critic"]\nchoices = [2]', "is not given once"),
        ("", "settings: [] is not at least one"),
        ("low =", "cannot be read (Invalid value (at end of document)); it must be a file of TOML"),
    ],
)
def test_what_is_no_space_is_refused_in_one_line(tmp_path, text, said):
    path = tmp_path / "space.toml"
    path.write_text(text)
    with pytest.raises(Invalid) as refused:
        read(path)
    assert str(refused.value).startswith(f"space: {path}") and said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("setting", "entry", "said"),
    [
        ("method.critic_optimiser.eps", {"low": 0.1, "high": 1.0}, "--method.critic-optimiser.eps: no such flag"),
        ("method.n_critic", {"low": 0, "high": 3}, "n_critic: 0 is not at least 1"),
        ("train.ema", {"low": 0.5, "high": 1.0}, "ema: 1.0 is not in [0, 1)"),
        ("method.n_critic", {"low": 1.0, "high": 3.0}, "'1.0' is not an integer"),
        ("method.critic.activation", {"choices": ["relu", "rely"]}, "'rely'"),
    ],
)
def test_settings_are_checked_at_both_ends_before_anything_starts(settings, setting, entry, said):
    with pytest.raises(Invalid) as refused:
        check(NAME, settings, from_dict({setting: entry}))
    assert said in str(refused.value) and str(refused.value).startswith("space: ")


def test_flags_spell_any_settings():
    text = """--config wgan_gp --method.augment color translation --init.run-dir=-x --init.no-ema --data.flip
        --data.validation 0.30000000000000004 --method.critic-optimizer.milestones 5 6 --method.regularise.by"""
    settings = cli.parse(text.split()).settings
    assert cli.parse(cli.spell("wgan_gp", settings)).settings == settings
    assert cli.spell("wgan_gp", cli.preset("wgan_gp")) == ["--config", "wgan_gp"]
