"""Folders of images and npz files of all kinds, and damaged ones."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from genlab.data import Data, load


def everything(name):
    """All examples of all splits."""
    dataset = load(Data(name, image_size=8, validation=0.2, test=0.2))
    splits = [split.read(np.arange(len(split))) for split in (dataset.train, dataset.validation, dataset.test)]
    x = np.concatenate([split.x for split in splits])
    label = np.concatenate([split.label for split in splits])
    assert x.dtype == np.uint8 and x.shape[1:] == dataset.shape and len(x) == len(label)
    assert label.min() >= 0 and label.max() < max(1, len(dataset.classes))
    return x


def encoded(mode, kind, size=(9, 8), seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, kind)
    return file.getvalue()


GOOD = [encoded("RGB", "PNG", seed=seed) for seed in range(6)]
STRANGE = {
    "empty": b"",
    "text": b"no image",
    "header": GOOD[0][:8],
    "cut": GOOD[0][:-40],
    "half": GOOD[0][:100],
    "bomb": GOOD[0][:16]
    + (chunk := (40_000).to_bytes(4) * 2 + GOOD[0][24:29])
    + zlib.crc32(b"IHDR" + chunk).to_bytes(4)
    + GOOD[0][33:],
    "wide": encoded("RGB", "PNG", (4000, 1)),
    "dot": encoded("L", "PNG", (1, 1)),
    "palette": encoded("P", "GIF"),
    "bits": encoded("1", "PNG"),
    "clear": encoded("RGBA", "PNG"),
    "print": encoded("CMYK", "JPEG"),
    "deep": encoded("I;16", "PNG") if "I;16" in Image.MODES else encoded("I", "PNG"),
    "float": encoded("F", "TIFF"),
    "jpeg": encoded("RGB", "JPEG")[:300],
}


@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_strange_image_is_refused_by_its_path_or_read(kind, suffix, answer, tmp_path):
    for i, content in enumerate(GOOD):
        (tmp_path / f"{i}.png").write_bytes(content)
    (tmp_path / f"s.{suffix}").write_bytes(STRANGE[kind])
    message, x = answer(lambda: everything(f"folder:{tmp_path}"), f"s.{suffix}")
    assert message or len(x) == 7


TREES = [
    [],
    [""],
    ["train"],
    ["train/a", "test"],
    ["train/a", "test/b"],
    ["a", ""],
    ["TRAIN", "val", "test"],
    ["train/.hidden"],
    ["a/b/c", "a/d", "e"],
    ["train/a/b", "val/a"],
    [" ", "\u00e9", "\n"],
    ["x.png"],
]


@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_a_strange_folder_is_refused_by_its_name_or_read(tree, answer, tmp_path):
    root = tmp_path / "set"
    root.mkdir()
    for place in tree:
        (root / place).mkdir(parents=True, exist_ok=True)
        for i, content in enumerate(GOOD):
            (root / place / f"{i}.png").write_bytes(content)
    _, x = answer(lambda: everything(f"folder:{root}"), "set")
    assert x is None or len(x) == len(GOOD) * len(tree)


IMAGES = np.random.default_rng(0).integers(0, 256, (10, 8, 8), np.uint8)
ARRAYS = {
    "float": IMAGES / 255,
    "int": IMAGES.astype(np.int64),
    "bool": IMAGES > 99,
    "text": np.array(["a", "b"]),
    "objects": np.array([{}, []], object),
    "dates": np.zeros((10, 8, 8), "M8[s]"),
    "record": np.zeros((10, 8, 8), [("a", "u1")]),
    "scalar": np.uint8(3),
    "flat": IMAGES.reshape(10, 64),
    "one": IMAGES[:1],
    "none": IMAGES[:0],
    "thin": IMAGES[:, :, :0],
    "small": IMAGES[:, :2, :2],
    "four": np.repeat(IMAGES[..., None], 4, -1),
    "three": np.repeat(IMAGES[..., None], 3, -1),
    "deep": IMAGES[..., None, None],
    "oblong": IMAGES[:, :5],
    "fortran": np.asfortranarray(IMAGES),
}
LABELS = {
    "float": np.arange(10.0),
    "negative": np.arange(10) - 1,
    "short": np.arange(9),
    "flat": np.arange(20).reshape(10, 2),
    "column": np.arange(10)[:, None],
    "bool": np.arange(10) > 4,
    "text": np.array(list("abcdefghij")),
    "huge": np.arange(10, dtype=np.uint64) + 2**63,
    "objects": np.array([None] * 10),
    "scalar": np.int64(1),
    "none": np.arange(0),
    "wide": np.arange(10) * 10**9,
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_strange_arrays_are_refused_by_their_file_or_read(kind, answer, tmp_path):
    np.savez(tmp_path / "set.npz", x=ARRAYS[kind])
    message, x = answer(lambda: everything(f"npz:{tmp_path / 'set.npz'}"), "set.npz", "data.")
    assert message or len(x) == len(ARRAYS[kind])


@pytest.mark.parametrize("kind", LABELS)
def test_strange_labels_are_refused_by_their_file_or_read(kind, answer, tmp_path):
    np.savez(tmp_path / "set.npz", x=IMAGES, labels=LABELS[kind])
    message, x = answer(lambda: everything(f"npz:{tmp_path / 'set.npz'}"), "set.npz")
    assert message or len(x) == 10


@pytest.mark.parametrize("case", range(24))
def test_a_damaged_npz_is_refused_by_its_name_or_reads_the_same(case, draw, answer, tmp_path):
    path = tmp_path / "set.npz"
    np.savez(path, x=IMAGES, labels=np.arange(10))
    whole, content = everything(f"npz:{path}"), bytearray(path.read_bytes())
    for _ in range(draw.choice([1, 1, 8])):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content[: draw.choice([len(content), len(content), draw.randrange(len(content))])])
    message, x = answer(lambda: everything(f"npz:{path}"), "set.npz")
    assert message or (x == whole).all()


@pytest.mark.parametrize("case", range(24))
def test_a_damaged_image_is_refused_by_its_name_or_read(case, draw, answer, tmp_path):
    for i, content in enumerate(GOOD):
        (tmp_path / f"{i}.png").write_bytes(content)
    content = bytearray(GOOD[2])
    for _ in range(draw.choice([1, 1, 8])):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    (tmp_path / "2.png").write_bytes(content)
    message, x = answer(lambda: everything(f"folder:{tmp_path}"), "2.png")
    assert message or len(x) == len(GOOD)
