"""An average of several from the command line: what is sampled, measured, exported and compared, and mistakes."""

import shutil

import numpy as np
import pytest

from genlab.data.feed import to_uint8
from genlab.errors import Invalid
from genlab.evaluate.report import recorded
from genlab.lab.groups import find_runs, group_runs
from genlab.lab.scores import evaluated
from genlab.model import load


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained("ae", steps=4, train={"ema": (0.5, 0.1)}), tmp_path / "run")


def test_samples_are_those_of_the_decay(script, run, tmp_path):
    for words, options in ((("--decay", 0.1), {"decay": 0.1}), ((), {"decay": 0.5}), (("--no-ema",), {"ema": False})):
        script("sample")(run, "--n", 5, *words, "--out", tmp_path / "x.npz")
        with np.load(tmp_path / "x.npz") as file:
            np.testing.assert_array_equal(file["images"], to_uint8(load(run, **options).sample(5)))
        (tmp_path / "x.npz").unlink()


def test_an_average_that_was_chosen_is_recorded_as_such(script, run, tmp_path):
    """It stands beside the others, and comparison takes it for neither the last nor the best; a card tells which."""
    for words in (("--decay", 0.1), ()):
        script("evaluate")(run, "--metrics", "frechet", "--n", 40, "--seeds", 1, *words)
    names = [result.which for result in recorded(run)]
    assert [name.count("(ema 0.1)") for name in names] == [name.count(",") + 1 for name in names[:1]] + [0]
    [table] = evaluated(group_runs(find_runs([run])), "last")
    assert {m.name: m.values[0][0] for m in table.metrics}["frechet"] == recorded(run)[1].scores["frechet"]
    script("export")(run, "--decay", 0.1, "--out", tmp_path / "export")
    card = (tmp_path / "export" / "README.md").read_text()
    assert "EMA of decay 0.1" in card and "--step 4 --decay 0.1 --out" in card
    assert f"| {recorded(run)[0].scores['frechet']:.4g} |" in card
    assert f"| {recorded(run)[1].scores['frechet']:.4g} |" not in card


def test_there_must_be_such_an_average(script, run):
    for words, complaint in (
        (("sample", run, "--decay", 0.2), "decay: 0.2 is not among train.ema of"),
        (("evaluate", run, "--decay", 0.1, "--no-ema"), "decay: 0.1 is not possible without averaged weights"),
        (("evaluate", run, "--decay", 0.1, "--protocol", "lucic"), "decay: 0.1 is not possible without averaged"),
    ):
        with pytest.raises(Invalid, match=f"^{complaint}"):
            script(words[0])(*words[1:])
