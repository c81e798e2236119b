"""What each source gives, and the one line it gives for bad input."""

import io
import json
import logging
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from genlab.data import Data, load, make_feed
from genlab.data.images import CHANNELS, READ_AT_ONCE, is_binary
from genlab.errors import Invalid
from genlab.kernels.random import example_keys


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


@pytest.mark.parametrize("last", CHANNELS)
def test_one_image_in_colour_makes_a_set_so(tmp_path, paint, last):
    for i, mode in enumerate(("L", "L", "LA")):
        paint(f"{i}.png", mode=mode, size=(8, 8))
    paint("3.png", mode=last, size=(8, 8))
    dataset = load(Data(f"folder:{tmp_path}", image_size=8, validation=0.0, test=0.0))
    assert _all(dataset.train).x.shape == (4, 8, 8, CHANNELS[last])


def test_palettes_and_transparency_are_read_as_colour(tmp_path, paint):
    paint("0.png", mode="RGBA", size=(8, 8))
    Image.new("P", (8, 8)).save(tmp_path / "1.gif", transparency=0)
    dataset = load(Data(f"folder:{tmp_path}", image_size=8, validation=0.0, test=0.0))
    assert _all(dataset.train).x.shape == (2, 8, 8, 3)


def test_resize_keeps_the_aspect_and_the_centre(tmp_path, paint):
    wide = paint("wide.png", size=(48, 16))
    expected = Image.fromarray(wide).resize((24, 8), Image.Resampling.LANCZOS).crop((8, 0, 16, 8))
    dataset = load(Data(f"folder:{tmp_path}", image_size=8, validation=0.0, test=0.0))
    assert (_all(dataset.train).x[0] == np.asarray(expected)).all()


def test_orientation_is_followed(tmp_path):
    pixels = np.repeat(np.arange(8, dtype=np.uint8)[:, None, None] * 30, 8, 1).repeat(3, 2)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    dataset = load(Data(f"folder:{tmp_path}", image_size=8, validation=0.0, test=0.0))
    assert (_all(dataset.train).x[0] == np.rot90(pixels, -1)).all()


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
        "nothing": ({}, "holds no array of images"),
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


BITS = np.random.default_rng(0).integers(0, 2, (12, 28, 28, 1), np.uint8)


@pytest.fixture
def binarized(tmp_path):
    """`binarized({"train": images, ...})`: tfds:binarized_mnist 1.0.0 as TFDS prepares it, of other images.

    Its only feature is a uint8 image of 28 x 28 x 1, which TFDS writes as PNG with the values 0 and 1.
    """
    array_record = pytest.importorskip("array_record.python.array_record_module", reason="writes TFDS's own files")
    from tensorflow_datasets.proto import tf_example_pb2

    def prepare(splits):
        place = tmp_path / "binarized_mnist" / "1.0.0"
        place.mkdir(parents=True)
        for split, images in splits.items():
            writer = array_record.ArrayRecordWriter(
                str(place / f"binarized_mnist-{split}.array_record-00000-of-00001"), "group_size:1"
            )
            for image in images:
                Image.fromarray(image[..., 0]).save(file := io.BytesIO(), "PNG")
                example = tf_example_pb2.Example()
                example.features.feature["image"].bytes_list.value.append(file.getvalue())
                writer.write(example.SerializeToString())
            writer.close()
        features = "tensorflow_datasets.core.features"
        shape = {"dtype": "uint8", "shape": {"dimensions": ["28", "28", "1"]}}
        image = {"image": shape, "pythonClassName": f"{features}.image_feature.Image"}
        spec = {"featuresDict": {"features": {"image": image}}}
        spec["pythonClassName"] = f"{features}.features_dict.FeaturesDict"
        (place / "features.json").write_text(json.dumps(spec))
        lengths = [{"name": name, "numBytes": "1", "shardLengths": [str(len(x))]} for name, x in splits.items()]
        template = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
        info = {
            "name": "binarized_mnist",
            "version": "1.0.0",
            "fileFormat": "array_record",
            "moduleName": "tensorflow_datasets.datasets.binarized_mnist.binarized_mnist_dataset_builder",
            "splits": [{"filepathTemplate": template} | split for split in lengths],
        }
        (place / "dataset_info.json").write_text(json.dumps(info))
        return Data("tfds:binarized_mnist", dir=str(tmp_path), batch_size=4)

    return prepare


def test_binarised_mnist_is_black_and_white(binarized):
    """As TFDS stores it, 0 and 1 in uint8: resident and streamed, all of its splits."""
    config = binarized({"train": BITS, "validation": BITS[:3], "test": BITS[3:5]})
    dataset = load(config)
    assert (dataset.shape, dataset.classes) == ((28, 28, 1), ())
    for split, images in (("train", BITS), ("validation", BITS[:3]), ("test", BITS[3:5])):
        np.testing.assert_array_equal(_all(getattr(dataset, split)).x, 255 * images)
    for memory in (1024, 0):
        feed = make_feed(Data(**vars(config) | {"resident_mb": memory}), dataset, 0, 1, 1)
        arrays = jax.tree.map(lambda a, f=feed: a if f.axis is None else jnp.asarray(a[0]), feed.arrays(0))
        keys = example_keys(jax.random.key(0), jnp.arange(4))
        seen = np.asarray(feed.draw(arrays, 0, jnp.int32(0), jnp.int32(0), jnp.arange(4), keys).x)
        feed.close()
        assert set(np.unique(seen)) == {-1, 1}
        assert {image.tobytes() for image in seen} <= {(2.0 * image - 1).astype(np.float32).tobytes() for image in BITS}


def test_a_set_of_few_bright_pixels_is_grey(binarized):
    """One value above 1 anywhere in the training split; and none may be where all of that are 0 and 1."""
    grey = BITS.copy()
    grey[-1, 3, 4] = 2
    dataset = load(binarized({"train": grey, "test": BITS}))
    np.testing.assert_array_equal(_all(dataset.train.whole).x, grey)
    np.testing.assert_array_equal(_all(dataset.test).x, BITS)


def test_a_set_of_bits_has_no_other_values(binarized):
    grey = BITS.copy()
    grey[5, 3, 4] = 7
    dataset = load(binarized({"train": BITS, "test": grey}))
    with pytest.raises(
        Invalid, match="record 5 of tfds:binarized_mnist has a value of 7; its training split has 0 and"
    ):
        _all(dataset.test)


@pytest.mark.parametrize("kind", [np.uint8, bool])
def test_npz_of_bits(tmp_path, kind):
    np.savez(tmp_path / "bits.npz", BITS.astype(kind))
    dataset = load(Data("npz:bits.npz", dir=str(tmp_path)))
    np.testing.assert_array_equal(_all(dataset.train.whole).x, 255 * BITS)
    small = load(Data("npz:bits.npz", dir=str(tmp_path), image_size=14))
    expected = Image.fromarray(255 * BITS[0, ..., 0]).resize((14, 14), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(_all(small.train.whole).x[0, ..., 0], expected)


def test_folder_of_bits(tmp_path):
    for i, image in enumerate(BITS):
        Image.fromarray(image[..., 0]).save(tmp_path / f"{i:02}.png")
    dataset = load(Data(f"folder:{tmp_path}", image_size=28))
    np.testing.assert_array_equal(_all(dataset.train.whole).x, 255 * BITS)
    small = load(Data(f"folder:{tmp_path}", image_size=14))
    expected = Image.fromarray(255 * BITS[0, ..., 0]).resize((14, 14), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(_all(small.train.whole).x[0, ..., 0], expected)


@pytest.mark.parametrize("bright", [None, 0, 1, 6, 4999])
def test_a_set_is_known_by_its_first_bright_image(bright):
    """No image is looked at twice, none after the first bright one's piece, and all where there is none."""
    seen = []

    def brightest(indices):
        seen.extend(indices.tolist())
        assert len(indices) <= READ_AT_ONCE
        return 255 if bright in indices else 1

    assert is_binary(5000, brightest) == (bright is None)
    last = 5000 if bright is None else min(2 * bright + 1, 5000)
    assert seen == list(range(len(seen))) and len(seen) <= last and (bright is not None or len(seen) == 5000)


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
