"""Sampling from the command line: the three kinds of output, and mistakes."""

import errno
import os

import numpy as np
import pytest
from PIL import Image

from genlab.data.feed import to_uint8
from genlab.errors import Invalid
from genlab.evaluate.samples import read_npz
from genlab.model import load
from genlab.track.grids import tile
from genlab.train import samples


@pytest.fixture
def sample(script):
    return script("sample")


@pytest.fixture
def run(saved):
    return saved("wgan_gp")


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


def test_points_are_an_array(sample, saved, tmp_path):
    run = saved("wgan_gp_points", (2,))
    sample(run, "--n", 9, "--out", tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz") as file:
        np.testing.assert_array_equal(file["points"], load(run).sample(9))
    with pytest.raises(Invalid, match="points go to a .npz or a .png file"):
        sample(run, "--out", tmp_path / "folder")


def test_mistakes_are_named(sample, run, tmp_path):
    with pytest.raises(Invalid, match="must be the folder of a run"):
        sample(tmp_path, "--out", tmp_path / "x.png")
    with pytest.raises(Invalid, match="step: 99 is not among the checkpoints of .*: 2"):
        sample(run, "--step", 99, "--out", tmp_path / "x.png")
    with pytest.raises(Invalid, match="n: 0 is not at least 1"):
        sample(run, "--n", 0, "--out", tmp_path / "x.png")
    with pytest.raises(Invalid, match="the folder must be empty"):
        sample(run, "--out", run)
    with pytest.raises(Invalid, match="shards go to a folder"):
        sample(run, "--shard", 5, "--out", tmp_path / "x.npz")
    for name in ("x.xyz", "x.PNG", "x.v2"):
        for shard in ((), ("--shard", 5)):
            with pytest.raises(Invalid, match=f"out: '.*{name}' is not a .png or .npz file, or a folder, whose name"):
                sample(run, "--out", tmp_path / name, *shard)
    assert [path.name for path in tmp_path.iterdir()] == [run.name]
    with pytest.raises(Invalid, match="shard: 0 is not at least 1"):
        sample(run, "--shard", 0, "--out", tmp_path / "x")
    with pytest.raises(Invalid, match="n: 10001 is not at most 10000, for a picture"):
        sample(run, "--n", 10001, "--out", tmp_path / "x.png")
    with pytest.raises(Invalid, match="labels: '3' is not possible: WGANGP was not trained with labels"):
        sample(run, "--labels", 3, "--out", tmp_path / "x.png")
    with pytest.raises(Invalid, match="cannot be written"):
        sample(run, "--out", run / "config.json" / "x.png")


def test_many_samples_are_written_piece_by_piece(sample, run, tmp_path, monkeypatch):
    """The same bytes; NumPy and the evaluator read them; what is held at a time does not grow with their number."""
    sample(run, "--n", 300, "--out", tmp_path / "whole.npz")
    whole = read_npz(tmp_path / "whole.npz").images
    drawn = []
    draw = samples.Samples.pieces
    monkeypatch.setattr(samples, "PIECE", 64)
    monkeypatch.setattr(
        samples.Samples, "pieces", lambda *arguments: (drawn.append(len(x)) or x for x in draw(*arguments))
    )
    sample(run, "--n", 300, "--out", tmp_path / "pieces.npz")
    assert drawn == [64] * 4 + [44]
    np.testing.assert_array_equal(read_npz(tmp_path / "pieces.npz").images, whole)
    sample(run, "--n", 300, "--shard", 130, "--out", tmp_path / "shards")
    shards = sorted((tmp_path / "shards").iterdir())
    assert [path.name for path in shards] == ["00000.npz", "00001.npz", "00002.npz"]
    np.testing.assert_array_equal(np.concatenate([read_npz(path).images for path in shards]), whole)
    sample(run, "--n", 70, "--out", tmp_path / "images")
    with Image.open(tmp_path / "images" / "000069.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), whole[69, ..., 0])


def test_truncated_samples_are_those_of_truncated_latents(sample, run, saved, tmp_path):
    for threshold in (0.3, 50):
        sample(run, "--n", 9, "--truncation", threshold, "--out", tmp_path / f"{threshold}.npz")
    sample(run, "--n", 9, "--out", tmp_path / "plain.npz")
    small, wide, plain = (read_npz(tmp_path / f"{name}.npz").images.astype(int) for name in (0.3, 50, "plain"))
    assert abs(wide - plain).max() <= 1 < abs(small - plain).max()
    with pytest.raises(Invalid, match="truncation: 0.0 is not above 0"):
        sample(run, "--truncation", 0, "--out", tmp_path / "x.npz")
    with pytest.raises(Invalid, match=r"truncation: 1.0 is not possible: AE draws its latents from no N\(0, I\)"):
        sample(saved("ae"), "--truncation", 1, "--out", tmp_path / "x.npz")


@pytest.mark.parametrize("out", ["x.png", "x.npz", "images", "shards"])
def test_a_full_disk_leaves_everything_as_it_was(sample, run, tmp_path, monkeypatch, out):
    """The disk fills up half-way; what lay there before still does, and nothing else."""
    place = tmp_path / "out"
    place.mkdir()
    for name in ("x.png", "x.npz"):
        (place / name).write_text("mine")

    def full(self, start, stop, bar):
        yield np.zeros((1, *self.shape), np.uint8)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(samples.Samples, "pieces", full)
    shard = ("--shard", 4) if out == "shards" else ()
    with pytest.raises(Invalid, match=r"out: .* cannot be written \(No space left on device\)"):
        sample(run, "--n", 9, "--out", place / out, *shard)
    assert sorted(path.name for path in place.iterdir()) == ["x.npz", "x.png"]
    assert {path.read_text() for path in place.iterdir()} == {"mine"}


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


def test_classes_are_sampled_in_turn(sample, saved, tmp_path):
    """A column for each in a picture, a folder for each among files, their numbers in an array."""
    run = saved("cgan")
    sample(run, "--n", 20, "--labels", "all", "--out", tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz") as file:
        np.testing.assert_array_equal(file["labels"], np.arange(20) % 10)
        images, model = file["images"], load(run)
    np.testing.assert_array_equal(images, to_uint8(model.sample(20, labels=np.arange(20) % 10)))
    sample(run, "--n", 20, "--labels", "all", "--out", tmp_path / "x.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "x.png")), tile(images, 10))
    sample(run, "--n", 3, "--labels", "7", "2", "--truncation", 1, "--out", tmp_path / "images")
    files = sorted(str(path.relative_to(tmp_path / "images")) for path in (tmp_path / "images").rglob("*.png"))
    assert files == ["2/000001.png", "7/000000.png", "7/000002.png"]
    with pytest.raises(Invalid, match="labels: 'ten' is not one of 0, 1, 2"):
        sample(run, "--labels", "3", "ten", "--out", tmp_path / "y.png")
    with pytest.raises(Invalid, match="labels: None is not enough for .*; it has 10 classes"):
        sample(run, "--truncation", 1, "--out", tmp_path / "y.png")
    sample(run, "--n", 5, "--out", tmp_path / "drawn.npz")
