"""Mixtures of checkpoints from the command line: what is sampled, measured and recorded, and mistakes."""

import json
import runpy
import shutil
import sys

import numpy as np
import pytest

from genlab.data.config import Data
from genlab.data.feed import to_uint8
from genlab.evaluate.evaluator import Evaluator, Run, Settings
from genlab.evaluate.inference import likelihood
from genlab.evaluate.protocol import differences
from genlab.evaluate.report import recorded
from genlab.evaluate.samples import Sampler
from genlab.latent.sampling import lazy_samples
from genlab.model import Mixture, load


@pytest.fixture
def code(root, monkeypatch):
    """`code("sample", run, "--n", 5)`: the code that a script exits with."""

    def run_script(name, *arguments):
        path = root / "scripts" / f"{name}.py"
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(path), run_name="__main__")
        return stop.value.code

    return run_script


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained("vae", steps=4, checkpoint={"keep": 9}, data={"binarise": True}), tmp_path / "run")


def test_samples_are_those_of_the_mixture(code, run, tmp_path):
    assert code("sample", run, "--n", 9, "--seed", 7, "--steps", 2, 4, "--out", tmp_path / "x.npz") == 0
    with np.load(tmp_path / "x.npz") as file:
        np.testing.assert_array_equal(file["images"], to_uint8(load(run, steps=[2, 4]).sample(9, seed=7)))
    assert code("sample", run, "--n", 9, "--seed", 7, "--steps", 2, "--out", tmp_path / "y.npz") == 0
    with np.load(tmp_path / "y.npz") as file:
        np.testing.assert_array_equal(file["images"], to_uint8(load(run, 2).sample(9, seed=7)))


def test_a_mixture_is_measured_and_recorded_as_one(code, run, capsys):
    """In one table with a checkpoint, which it may be compared with and is not mistaken for."""
    asked = (run, "--metrics", "frechet", "neighbours", "likelihood", "--importance", 2, "--n", 40, "--seeds", 1)
    for steps in ((2, 4), (4,)):
        assert code("evaluate", *asked, "--steps", *steps) == 0
    printed = capsys.readouterr().out
    assert "mixture   2+4" in printed and "not to be compared" in printed  # samples, and likelihoods
    lines = [json.loads(line) for line in (run / "evaluation.jsonl").read_text().splitlines()]
    assert [(line.get("step"), line.get("steps"), line.get("which")) for line in lines] == [
        *[(None, [2, 4], "mixture")] * 2,
        *[(4, None, None)] * 2,
    ]
    mixture, _, one, _ = recorded(run)  # each with its likelihood behind it
    assert (mixture.step, mixture.steps, one.step, one.steps) == (None, (2, 4), 4, ())
    assert not differences(mixture.stamp, one.stamp) and mixture.scores["frechet"] != one.scores["frechet"]
    assert (run / "samples" / "mixture_neighbours_step_00000004.png").is_file()


@pytest.mark.parametrize("batch_norm", ["average", "batch"])
def test_the_measured_samples_are_the_mixtures(run, batch_norm):
    model = load(run, steps=[2, 4])
    sampler = Sampler(model.game, model.ema, batch_norm)
    found = Run(run, model).draw(sampler, 30, 5)
    np.testing.assert_allclose(found, model.sample(30, seed=5), atol=1e-6)  # a network without batch norm
    numbers = np.array([3, 4, 260])
    whole = sampler.draw(model.members[0].state, 261, 5, "a")
    np.testing.assert_array_equal(sampler.draw_at(model.members[0].state, numbers, 5, "a"), whole[numbers])


def test_the_likelihood_of_equal_members_is_theirs_and_of_unlike_ones_above_the_mean_of_logs(run):
    x = Evaluator(Data(), Settings()).test.x[:20]
    x = np.where(x > 127, 255, 0).astype(np.uint8)
    first, second = (load(run, step) for step in (2, 4))
    one, other = likelihood(first, x, 2), likelihood(second, x, 2)
    for name, value in likelihood(Mixture((first, first)), x, 2).items():
        np.testing.assert_allclose(value, one[name], rtol=1e-12)
    mixed = likelihood(Mixture((first, second)), x, 2)["log_likelihood"]
    both = one["log_likelihood"], other["log_likelihood"]
    assert sum(both) / 2 < mixed < np.logaddexp(*both) and both[0] != both[1]


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        ("sample", ("--steps", 2, 3), "step: 3 is not among the checkpoints of {run}: 2, 4"),
        ("sample", ("--steps", 2, 2), "steps: (2, 2) is not steps of which each is given once"),
        ("sample", ("--steps", 2, 4, "--step", 2), "step: 2 is not possible beside steps"),
        ("sample", ("--steps", 2, 4, "--truncation", 1), "truncation: 1.0 is not possible of a mixture of checkpoints"),
        ("evaluate", ("--steps", 2, 3), "step: 3 is not among the checkpoints of {run}: 2, 4"),
        ("evaluate", ("--steps", 2, 4, "--step", "last"), "step: 'last' is not possible beside steps"),
        (
            "evaluate",
            ("--steps", 2, 4, "--metrics", "frechet", "reconstruction"),
            "metrics: reconstruction; a mixture of checkpoints has none, leave it out",
        ),
    ],
)
def test_mistakes_are_named_in_one_line(code, run, tmp_path, capsys, command, arguments, said):
    arguments = (run, *arguments, *(("--out", tmp_path / "x.png") if command == "sample" else ()))
    assert code(command, *arguments) == 2
    assert capsys.readouterr().err == f"error: {said.format(run=run)}\n"
    assert not (run / "evaluation.jsonl").exists()


def test_more_samples_are_drawn_in_pieces(run):
    model = load(run, steps=[2, 4])
    samples = lazy_samples(model, 12)
    np.testing.assert_array_equal(np.concatenate([samples.draw(0, 5), samples.draw(5, 7)]), model.sample(12))
