"""Numbers that no computation can hold are refused, whatever flag or section they stand in."""

import importlib.util
import math
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Annotated

import pytest

from genlab import cli
from genlab.config.plain import from_dict, to_dict
from genlab.config.sections import Config
from genlab.errors import Invalid, Seed, Within, at_least, check_fields
from genlab.parts.optimizer import Optimizer


@dataclass(frozen=True)
class Part:
    rate: float = 0.0
    counts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Settings:
    n: int = 0
    mild: Annotated[float, Within(1, math.inf, "from 1 to inf")] = 2.0
    seed: Seed = 0
    flag: bool = True
    name: str | None = None
    part: Part = field(default_factory=Part)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(n=2**31 - 1),
        Settings(n=-(2**31)),
        Settings(mild=math.inf),
        Settings(seed=2**32 - 1),
        Settings(part=Part(-3.4e38, (1, 2))),
        Settings(part=Part(1.2e-38)),
    ],
)
def test_numbers_that_can_be_held_are_allowed(settings):
    check_fields(settings)


def test_the_first_setting_that_is_too_small_is_named():
    at_least(Settings(n=1, mild=2.0), 1, "n", "mild")
    with pytest.raises(Invalid, match="^mild: 0.5 is not at least 1$"):
        at_least(Settings(n=1, mild=0.5), 1, "n", "mild")
    with pytest.raises(Invalid, match="^rate: nan is not at least 0.5$"):
        at_least(Part(math.nan), 0.5, "rate")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(n=2**31), "n: 2147483648 is not an integer of 32 bits"),
        (Settings(n=-(2**70)), f"n: {-(2**70)} is not an integer of 32 bits"),
        (Settings(mild=math.nan), "mild: nan is not from 1 to inf"),
        (Settings(seed=-1), "seed: -1 is not in [0, 2^32)"),
        (Settings(seed=2**32), "seed: 4294967296 is not in [0, 2^32)"),
        (Settings(part=Part(math.inf)), "part.rate: inf is not finite in float32: 0, or of size 1.2e-38 to 3.4e+38"),
        (Settings(part=Part(-math.inf)), "part.rate: -inf is not finite in float32"),
        (Settings(part=Part(math.nan)), "part.rate: nan is not finite in float32"),
        (Settings(part=Part(1e39)), "part.rate: 1e+39 is not finite in float32"),
        (Settings(part=Part(1e-300)), "part.rate: 1e-300 is not finite in float32"),
        (Settings(part=Part(0.0, (1, 2**31))), "part.counts: 2147483648 is not an integer of 32 bits"),
    ],
)
def test_others_are_named_by_their_path(settings, said):
    with pytest.raises(Invalid) as refused:
        check_fields(settings)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--method.critic-optimizer.eps inf", "method.critic_optimizer.eps: inf"),
        ("--method.critic-optimizer.learning-rate inf", "method.critic_optimizer.learning_rate: inf"),
        ("--method.critic-optimizer.weight-decay inf", "method.critic_optimizer.weight_decay: inf"),
        ("--method.critic-optimizer.clip inf", "method.critic_optimizer.clip: inf"),
        ("--method.critic-optimizer.decay 1e39", "method.critic_optimizer.decay: 1e+39"),
        ("--method.critic-optimizer.milestones 5000 9999999999", "method.critic_optimizer.milestones: 9999999999"),
        ("--method.regularise.lecam inf", "method.regularise.lecam: inf"),
        ("--config vae --method.objective.beta nan", "method.objective.beta: nan"),
        ("--train.steps 3000000000", "train.steps: 3000000000"),
        ("--train.seed -1", "train.seed: -1"),
        ("--train.seed 99999999999999999999", "train.seed: 99999999999999999999"),
        (f"--train.steps {'9' * 5000}", "--train.steps: it has 5000 digits, which are too many"),
        ("--data.validation nan", "data.validation: nan"),
    ],
)
def test_flags_are_refused_by_their_names(arguments, said):
    with pytest.raises(Invalid) as refused:
        cli.parse(arguments.split())
    assert str(refused.value).startswith(said) and "\n" not in str(refused.value)


def test_the_order_of_a_norm_may_be_infinite():
    assert cli.parse(["--method.penalty.norm", "inf"]).settings.method.penalty.norm == math.inf


def test_a_configuration_holds_none_wherever_it_comes_from():
    vae = cli.preset("vae")
    said = r"^method.optimizer.eps: inf is not finite in float32"
    with pytest.raises(Invalid, match=said):
        Config(method=type(vae.method)(optimizer=Optimizer(eps=math.inf)))
    plain = to_dict(vae)
    plain["method"]["optimizer"]["eps"] = math.inf
    with pytest.raises(Invalid, match=said.replace("^", "config.json: ")):
        from_dict(plain)


@pytest.mark.parametrize(
    ("name", "arguments", "field"),
    [
        ("sample", ["run", "--seed", "-1"], "seed: -1"),
        ("sample", ["run", "--seed", "9" * 20], "seed: 9"),
        ("sample", ["run", "--n", "9" * 20], "n: 9"),
        ("sample", ["run", "--shard", "9" * 20], "shard: 9"),
        ("sample", ["run", "--step", "9" * 20], "step: 9"),
        ("sample", ["run", "--truncation", "inf"], "truncation: inf"),
        ("interpolate", ["run", "--steps", "9" * 20], "steps: 9"),
        ("explore", ["run", "--port", "9" * 20], "port: 9"),
        ("export", ["run", "--step", "9" * 20], "step: 9"),
        ("evaluate", ["run", "--n", "9" * 20], "n: 9"),
        ("evaluate", ["run", "--n-real", "9" * 20], "n_real: 9"),
        ("evaluate", ["run", "--seeds", "9" * 20], "seeds: 9"),
        ("evaluate", ["run", "--step", "9" * 20], "step: 9"),
        ("evaluate", ["run", "--importance", "9" * 20], "importance: 9"),
        ("evaluate", ["run", "--data.batch-size", "9" * 20], "data.batch_size: 9"),
        ("leaderboard", ["--repeats", "9" * 20], "repeats: 9"),
        ("leaderboard", ["--steps", "9" * 20], "steps: 9"),
        ("toys", ["--width", "9" * 20], "width: 9"),
        ("train_classifier", ["--out", "x.safetensors", "--seed", "-1"], "seed: -1"),
        ("train_classifier", ["--out", "x.safetensors", "--epochs", "9" * 20], "epochs: 9"),
        ("sample", ["a" * 256], "run_dir: 'aaaa"),
        ("sample", ["run", "--out", "a/" * 3000], "out: 'a/a/"),
        ("train", ["--run-dir", "a" * 256], "run_dir: 'aaaa"),
        ("evaluate", ["--npz", "a" * 256], "npz: 'aaaa"),
        ("compare", ["run", "--seed", "-1"], "seed: -1"),
        ("compare", ["run", "--resamples", "9" * 20], "resamples: 9"),
        ("benchmark", ["--rounds", "9" * 20], "rounds: 9"),
        ("benchmark", ["--workloads", "dcgan32:" + "9" * 20], "workloads: 'dcgan32:9"),
        ("benchmark", ["--workloads", "dcgan32:²"], "workloads: 'dcgan32:²"),
    ],
)
def test_every_script_refuses_such_numbers_before_it_does_anything(root, monkeypatch, name, arguments, field):
    """None of the runs and files that they name is there."""
    spec = importlib.util.spec_from_file_location(f"{name}_script", root / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    with pytest.raises(Invalid) as refused:
        module.command(arguments)
    assert str(refused.value).startswith(field) and "\n" not in str(refused.value)


def test_a_seed_that_none_is_ends_with_code_2_and_one_line(root):
    asked = [sys.executable, "scripts/sample.py", "run", "--seed", "-1"]
    done = subprocess.run(asked, cwd=root, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "error: seed: -1 is not in [0, 2^32)\n")
