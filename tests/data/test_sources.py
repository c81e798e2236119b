"""What each source gives, and the one line it gives for bad input."""

import logging
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from genlab.data import Data, load
from genlab.data.images import CHANNELS
from genlab.errors import Invalid


def _all(split):
    return split.read(np.arange(len(split)))


def test_digits_are_the_real_ones():
    from sklearn.datasets import load_digits

    dataset = load(Data())
    assert dataset.shape == (8, 8, 1) and dataset.classes == tuple("0123456789")
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [1437, 180, 180]
    x, label = _all(dataset.train.whole)
    assert x.dtype == np.uint8 and label.dtype == np.int32 and x.max() == 255
    assert (np.round(x[..., 0] / 255 * 16) == load_digits().images).all() and (label == load_digits().target).all()


def test_digits_resized():
    dataset = load(Data(image_size=16))
    assert dataset.shape == (16, 16, 1) and dataset.test.read(np.arange(3)).x.shape == (3, 16, 16, 1)


def test_folder_of_classes(tmp_path, paint):
    for i in range(10):
        paint(f"{'cat' if i < 4 else 'dog/young'}/{i}.png", seed=i)
    pixels = paint("ant/0.png", size=(8, 8))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "ant" / "._0.png").write_text("a stray file of another system")
    dataset = load(Data(f"folder:{tmp_path.name}", dir=str(tmp_path.parent), image_size=8))
    assert dataset.shape == (8, 8, 3) and dataset.classes == ("ant", "cat", "dog")
    x, label = _all(dataset.train.whole)
    assert (label == [0] + [1] * 4 + [2] * 6).all() and (x[0] == pixels).all()


@pytest.mark.parametrize("name, split", [("val", "validation"), ("validation", "validation"), ("test", "test")])
def test_folder_with_splits(tmp_path, paint, name, split):
    for i in range(10):
        paint(f"train/{'ab'[i % 2]}/{i}.png", seed=i)
    for i in range(3):
        paint(f"{name}/b/{i}.png", seed=100 + i)
    dataset = load(Data(f"folder:{tmp_path}", image_size=8))
    assert dataset.classes == ("a", "b") and len(dataset.train) == 9
    assert len(getattr(dataset, split)) == 3 and (_all(getattr(dataset, split)).label == 1).all()


def test_folder_without_classes(tmp_path, paint):
    for i in range(3):
        paint(f"{i}.png", mode="L", seed=i)
    dataset = load(Data(f"folder:{tmp_path}", image_size=8, validation=0.0, test=0.0))
    assert dataset.shape == (8, 8, 1) and dataset.classes == () and (_all(dataset.train).label == 0).all()
    assert len(dataset.validation) == 0 == len(dataset.test)


@pytest.mark.parametrize("first", CHANNELS)
def test_first_image_decides_grey_or_colour(tmp_path, paint, first):
    paint("0.png", mode=first, size=(8, 8))
    for i, mode in enumerate(("L", "RGB", "RGBA", "LA"), start=1):
        paint(f"{i}.png", mode=mode, size=(8, 8))
    Image.new("P", (8, 8)).save(tmp_path / "5.gif", transparency=0)
    dataset = load(Data(f"folder:{tmp_path}", image_size=8, validation=0.0, test=0.0))
    assert _all(dataset.train).x.shape == (6, 8, 8, CHANNELS[first])


def test_resize_keeps_the_aspect_and_the_centre(tmp_path, paint):
    wide = paint("wide.png", size=(48, 16))
    expected = Image.fromarray(wide).resize((24, 8), Image.Resampling.LANCZOS).crop((8, 0, 16, 8))
    dataset = load(Data(f"folder:{tmp_path}", image_size=8, validation=0.0, test=0.0))
    assert (_all(dataset.train).x[0] == np.asarray(expected)).all()


def test_orientation_is_not_followed(tmp_path):
    pixels = np.repeat(np.arange(8, dtype=np.uint8)[:, None, None] * 30, 8, 1).repeat(3, 2)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    dataset = load(Data(f"folder:{tmp_path}", image_size=8, validation=0.0, test=0.0))
    assert (_all(dataset.train).x[0] == pixels).all()


def test_folder_reads_no_image_but_the_first(tmp_path, paint):
    paint("0.png")
    (tmp_path / "1.png").write_bytes(b"broken")
    dataset = load(Data(f"folder:{tmp_path}", image_size=8, validation=0.0, test=0.0))
    with pytest.raises(Invalid, match=r"data.name: .*1\.png is no readable image"):
        _all(dataset.train)


def _refused(config: Data, *parts: str):
    with pytest.raises(Invalid) as caught:
        load(config)
    message = str(caught.value)
    assert message.startswith("data.") and "\n" not in message
    for part in parts:
        assert part in message


def test_bad_folders(tmp_path, paint):
    _refused(Data("folder:nowhere", dir=str(tmp_path), image_size=8), str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    _refused(Data("folder:empty", dir=str(tmp_path), image_size=8), "holds no images", ".png")
    (tmp_path / "cut").mkdir()
    paint("whole.png", size=(40, 40))
    (tmp_path / "cut" / "0.png").write_bytes((tmp_path / "whole.png").read_bytes()[:2000])
    _refused(Data("folder:cut", dir=str(tmp_path), image_size=8), "0.png is no readable image")
    paint("strange/train/a/0.png")
    paint("strange/test/b/0.png")
    _refused(Data("folder:strange", dir=str(tmp_path), image_size=8), "b/0.png is of no class", "train/ has a")
    paint("one/0.png")
    _refused(
        Data("folder:one", dir=str(tmp_path), image_size=8, test=0.9, validation=0.0), "1 examples", "data.test 0.9"
    )
    (tmp_path / "deep").mkdir()
    Image.fromarray(np.full((8, 8), 3000, np.uint16)).save(tmp_path / "deep" / "0.png")
    _refused(Data("folder:deep", dir=str(tmp_path), image_size=8), "0.png has pixels of mode", "8 bits")


def test_npz(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (20, 6, 5, 3), np.uint8)
    np.savez(tmp_path / "colour.npz", images=x, labels=np.arange(20) % 3)
    dataset = load(Data("npz:colour.npz", dir=str(tmp_path)))
    assert dataset.shape == (6, 5, 3) and dataset.classes == ("0", "1", "2") and len(dataset.train) == 16
    assert (_all(dataset.train.whole).x == x).all() and (_all(dataset.train.whole).label == np.arange(20) % 3).all()
    np.savez(tmp_path / "grey.npz", x[..., 0])
    dataset = load(Data(f"npz:{tmp_path / 'grey.npz'}", image_size=8))
    assert (
        dataset.shape == (8, 8, 1)
        and dataset.classes == ()
        and dataset.train.read(np.arange(2)).x.shape == (2, 8, 8, 1)
    )


def test_bad_npz(tmp_path):
    images = np.zeros((4, 8, 8), np.uint8)
    mixed = np.empty(2, object)
    mixed[:] = [np.zeros((8, 8), np.uint8), np.zeros((9, 9), np.uint8)]
    bad = {
        "float": ({"x": images / 1.0}, "float64 (4, 8, 8)"),
        "flat": ({"x": images.reshape(4, 64)}, "uint8 (4, 64)"),
        "two": ({"x": images.reshape(4, 8, 4, 2)}, "uint8 (4, 8, 4, 2)"),
        "none": ({"x": images[:0]}, "uint8 (0, 8, 8)"),
        "mixed": ({"x": mixed}, "Object arrays"),
        "short": ({"x": images, "labels": np.arange(3)}, "labels int64 (3,)"),
        "real": ({"x": images, "labels": np.zeros(4)}, "labels float64 (4,)"),
        "minus": ({"x": images, "labels": np.arange(4) - 1}, "integers >= 0"),
        "nothing": ({}, "no readable .npz"),
    }
    for name, (arrays, part) in bad.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
        _refused(Data(f"npz:{name}.npz", dir=str(tmp_path)), f"{name}.npz", part)
    (tmp_path / "text.npz").write_text("no zip")
    _refused(Data("npz:text.npz", dir=str(tmp_path)), "text.npz is no readable .npz")
    np.save(tmp_path / "one.npy", images)
    _refused(Data("npz:one.npy", dir=str(tmp_path)), "one.npy is no readable .npz")
    _refused(Data("npz:absent.npz", dir=str(tmp_path)), str(tmp_path / "absent.npz"))


def test_tfds_unknown_and_absent(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    _refused(Data("tfds:mnis", dir=str(tmp_path)), "data.name: tfds:mnis; ", "mnist")
    _refused(Data("tfds:mnist:0.0.1", dir=str(tmp_path)), "0.0.1")
    _refused(Data("tfds:mnist", dir=str(tmp_path)), 'pip install -e ".[prepare]"', str(tmp_path))
    assert logging.getLogger("absl").level != logging.ERROR


def test_mnist(real_data):
    dataset = load(Data("tfds:mnist", dir=str(real_data / "tfds")))
    assert dataset.shape == (28, 28, 1) and dataset.classes == tuple("0123456789")
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [54_000, 6_000, 10_000]
    import tensorflow_datasets as tfds

    source = tfds.data_source("mnist", data_dir=real_data / "tfds", split="test")
    x, label = dataset.test.read(np.array([3, 9_999]))
    for i, expected in enumerate((source[3], source[9_999])):
        assert (x[i] == expected["image"]).all() and label[i] == expected["label"]


def test_mnist_resized(real_data):
    dataset = load(Data("tfds:mnist", dir=str(real_data / "tfds"), image_size=32))
    assert dataset.shape == (32, 32, 1) and dataset.train.read(np.arange(5)).x.shape == (5, 32, 32, 1)


def test_quiet_light_and_without_tensorflow(real_data):
    """A whole start-up and a stream left open print nothing, and the import alone loads no heavy library."""
    script = f"""
import sys
from genlab.data import Data, load, make_feed
heavy = {{"tensorflow_datasets", "grain", "sklearn", "matplotlib", "tensorflow"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
config = Data("tfds:mnist", dir={str(real_data / "tfds")!r}, batch_size=8, resident_mb=0)
feed = make_feed(config, load(config), 0, 2, 1)
feed.arrays(0), feed.arrays(1)
assert "tensorflow" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
