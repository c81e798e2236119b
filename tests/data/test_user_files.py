"""What users' folders and arrays can hold that would be read as something else."""

import os

import numpy as np
import pytest
from PIL import Image

from genlab.data import Data, load
from genlab.data.images import decode
from genlab.errors import Invalid


def folder(path, **settings):
    return load(Data(f"folder:{path}", image_size=8, **({"validation": 0.0, "test": 0.0} | settings)))


def labels(split):
    return split.read(np.arange(len(split))).label.tolist()


def test_a_link_to_a_parent_brings_no_copies(tmp_path, paint):
    for i in range(12):
        paint(f"{'ab'[i % 2]}/{i}.png", seed=i)
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "b" / "again").symlink_to(tmp_path / "a")
    dataset = folder(tmp_path)
    assert len(dataset.train) == 12 and dataset.classes == ("a", "b")


def test_a_link_from_test_to_train_is_refused(tmp_path, paint):
    paint("train/0.png")
    (tmp_path / "test").symlink_to(tmp_path / "train")
    with pytest.raises(Invalid, match="test holds no images of its own"):
        folder(tmp_path)


def test_splits_are_known_however_they_are_written(tmp_path, paint):
    for name, count in (("Train", 5), ("TEST", 3), ("Val", 2)):
        for i in range(count):
            paint(f"{name}/{'ab'[i % 2]}/{i}.png", seed=i)
    dataset = folder(tmp_path)
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [5, 2, 3]
    assert dataset.classes == ("a", "b")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("train", "val", "validation"), "has val and validation; one folder of validation images is allowed"),
        (("train", "Train"), "has Train and train; one folder of train images is allowed"),
        (("test", "cats"), "has test without train; train is needed beside it"),
    ],
)
def test_splits_that_cannot_be_told_are_refused(tmp_path, paint, names, said):
    for name in names:
        paint(f"{name}/0.png")
    with pytest.raises(Invalid, match=said):
        folder(tmp_path)


def test_an_image_beside_the_classes_is_refused(tmp_path, paint):
    for name in ("a/0.png", "b/0.png", "stray.png"):
        paint(name)
    with pytest.raises(Invalid, match=r"stray\.png lies beside the classes a, b; every image must be of one"):
        folder(tmp_path)


def test_16_bits_are_refused_in_grey_and_in_colour(tmp_path):
    """Pillow drops the lower half of 16-bit colours without a word, so the file is written by hand."""
    import struct
    import zlib

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    for name, colour, channels in (("grey", 0, 1), ("colour", 2, 3), ("clear", 6, 4)):
        header = struct.pack(">IIBBBBB", 8, 8, 16, colour, 0, 0, 0)
        lines = zlib.compress(bytes(8 * (1 + 8 * channels * 2)))
        content = chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")
        path = tmp_path / f"{name}.png"
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
        Image.open(path).load()  # Pillow has no objection
        with pytest.raises(Invalid, match=rf"{name}\.png has pixels of mode .*16.*; 8 bits per channel are allowed"):
            decode(path, str(path), "RGB", 8)


def test_16_bits_a_pixel_are_not_16_a_channel(tmp_path):
    """A picture whose lines are 1,600 bytes long, for one."""
    Image.new("RGB", (16, 1600)).save(tmp_path / "wide.bmp")
    assert decode(tmp_path / "wide.bmp", "wide.bmp", "RGB", 8).shape == (8, 8, 3)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(Invalid, match=r"x\.png is no readable image \(it is no regular file\)"):
        folder(tmp_path)


IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8), np.uint8)


def npz(path, part="", **arrays):
    np.savez(path / "x.npz", **arrays)
    return load(Data(f"npz:{path / 'x.npz'}{part}", validation=0.0, test=0.0))


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_keras_layout_has_its_own_test_split(tmp_path, shape):
    y = np.arange(6, dtype=np.uint8).reshape(shape)
    dataset = npz(tmp_path, x_test=IMAGES[:2], x_train=IMAGES, y_train=y, y_test=y[:2])
    assert (len(dataset.train), len(dataset.test)) == (6, 2) and dataset.classes == tuple("012345")
    assert labels(dataset.train) == list(range(6)) and labels(dataset.test) == [0, 1]
    assert (dataset.train.read(np.arange(6)).x[..., 0] == IMAGES).all()


def test_of_several_arrays_of_images_one_must_be_named(tmp_path):
    arrays = {"first": IMAGES, "second": IMAGES[::-1], "ids": np.arange(6), "labels": np.arange(6) % 2}
    with pytest.raises(Invalid, match=r"holds images in first, second; name one, as in .*x\.npz#first"):
        npz(tmp_path, **arrays)
    dataset = npz(tmp_path, "#second", **arrays)
    assert (dataset.train.read(np.arange(6)).x[..., 0] == IMAGES[::-1]).all() and labels(dataset.train) == [0, 1] * 3
    with pytest.raises(Invalid, match=r"x\.npz holds no array third; it has first, second, ids, labels"):
        npz(tmp_path, "#third", **arrays)


def test_other_arrays_are_no_images(tmp_path):
    dataset = npz(tmp_path, ids=np.arange(6), images=IMAGES)
    assert (dataset.train.read(np.arange(6)).x[..., 0] == IMAGES).all() and dataset.classes == ()


def test_classes_are_the_labels_that_occur(tmp_path):
    """One of 4,294,967,295 would else take as many names."""
    dataset = npz(tmp_path, x=IMAGES, labels=np.array([7, 7, 3, 3, 2**32 - 1, 7]))
    assert dataset.classes == ("3", "7", "4294967295") and labels(dataset.train) == [1, 1, 0, 0, 2, 1]


def test_bad_arrays_are_named(tmp_path):
    with pytest.raises(Invalid, match="holds no array of images"):
        npz(tmp_path, labels=np.arange(3))
    many = np.zeros((2**16 + 1, 8, 8), np.uint8)
    with pytest.raises(Invalid, match="has 65537 different labels; at most 65536 are allowed"):
        npz(tmp_path, x=many, labels=np.arange(len(many)))
    with pytest.raises(Invalid, match="has the label 6 in test alone"):
        npz(tmp_path, x_train=IMAGES, y_train=np.arange(6), x_test=IMAGES, y_test=np.arange(6) + 4)


def test_a_member_that_is_no_array_is_passed_over(tmp_path):
    import zipfile

    np.savez(tmp_path / "x.npz", x=IMAGES)
    with zipfile.ZipFile(tmp_path / "x.npz", "a") as file:
        file.writestr("README.txt", "no array")
    assert len(load(Data(f"npz:{tmp_path / 'x.npz'}", validation=0.0, test=0.0)).train) == 6
    with zipfile.ZipFile(tmp_path / "y.npz", "w") as file:
        file.writestr("README.txt", "no array")
    with pytest.raises(Invalid, match="holds no array of images"):
        load(Data(f"npz:{tmp_path / 'y.npz'}"))
