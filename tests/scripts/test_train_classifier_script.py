"""The script that makes the shipped classifiers."""

import runpy
import sys

import pytest

from genlab.evaluate.classifier import load


def script(root, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["train_classifier.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(root / "scripts" / "train_classifier.py"), run_name="__main__")
    return stop.value.code


def test_it_writes_what_evaluate_reads_and_says_how_good_it_is(root, tmp_path, monkeypatch, capsys):
    assert not script(root, monkeypatch, "--out", tmp_path / "w.safetensors", "--epochs", 2)
    found = load(tmp_path / "w.safetensors")
    assert found.shape == (8, 8, 1) and found.accuracy > 0.3
    assert f"{found.accuracy:.2%} of 180 test images right" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [("--epochs", 0), ("--out", "w.pth"), ("--data.name", "points:8gaussians")])
def test_mistakes_are_said_in_one_line(root, tmp_path, monkeypatch, capsys, wrong):
    assert script(root, monkeypatch, "--out", tmp_path / "w.safetensors", *wrong) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1
