"""Sampling from the command line: the three kinds of output, and mistakes."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genlab.errors import Invalid
from genlab.train.loop import train

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "sample.py"


@pytest.fixture(scope="module")
def sample():
    spec = importlib.util.spec_from_file_location("sample_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda *arguments: module.command([str(argument) for argument in arguments])


@pytest.fixture
def run(tiny, tmp_path):
    train(tiny("wgan_gp"), tmp_path / "run")
    return tmp_path / "run"


def test_a_grid_an_array_and_a_folder_hold_the_same_samples(sample, run, tmp_path):
    sample(run, "--n", 5, "--seed", 7, "--out", tmp_path / "new" / "x.npz")
    sample(run, "--n", 3, "--seed", 7, "--out", tmp_path / "images")
    sample(run, "--n", 5, "--seed", 7, "--out", tmp_path / "x.png")
    with np.load(tmp_path / "new" / "x.npz") as file:
        images = file[file.files[0]]
    assert (images.shape, images.dtype) == ((5, 8, 8, 1), np.uint8)
    files = sorted((tmp_path / "images").iterdir())
    assert [path.name for path in files] == ["000000.png", "000001.png", "000002.png"]
    for path, image in zip(files, images, strict=False):
        with Image.open(path) as picture:
            np.testing.assert_array_equal(np.asarray(picture), image[..., 0])
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.mode == "RGB"


def test_points_are_an_array(sample, tiny, tmp_path):
    train(tiny("wgan_gp_points"), tmp_path / "run")
    sample(tmp_path / "run", "--n", 9, "--out", tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz") as file:
        assert file[file.files[0]].shape == (9, 2)
    with pytest.raises(Invalid, match="points go to a .npz or a .png file"):
        sample(tmp_path / "run", "--out", tmp_path / "folder")


def test_mistakes_are_named(sample, run, tmp_path):
    with pytest.raises(Invalid, match="must be the folder of a run"):
        sample(tmp_path, "--out", tmp_path / "x.png")
    with pytest.raises(Invalid, match="step: 99 is not among the checkpoints of .*: 2"):
        sample(run, "--step", 99, "--out", tmp_path / "x.png")
    with pytest.raises(Invalid, match="n: 0 is not at least 1"):
        sample(run, "--n", 0, "--out", tmp_path / "x.png")
    with pytest.raises(Invalid, match="the folder must be empty"):
        sample(run, "--out", run)
    with pytest.raises(Invalid, match="cannot be written"):
        sample(run, "--out", run / "config.json" / "x.png")


def test_a_run_needs_nothing_but_its_folder(sample, run, tmp_path, monkeypatch):
    """Moved elsewhere, with no data set in reach."""
    moved = run.rename(tmp_path / "elsewhere")
    monkeypatch.setattr("genlab.data.sources.load", None)
    sample(moved, "--out", tmp_path / "x.png")
    assert (tmp_path / "x.png").exists()


def test_a_spoiled_config_is_named(sample, run, tmp_path):
    (run / "config.json").write_text("{")
    with pytest.raises(Invalid, match="config.json cannot be read"):
        sample(run, "--out", tmp_path / "x.png")
