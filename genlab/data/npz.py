"""Images from the user's own arrays: an .npz of them."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from genlab.data.config import Data
from genlab.data.folder import location
from genlab.data.images import CHANNELS, fit, one_line, to_grey_levels
from genlab.data.splits import Examples, InMemory, Source, Split
from genlab.errors import Invalid

KERAS = {"train": ("x_train", "y_train"), "test": ("x_test", "y_test")}  # as Keras stores MNIST and CIFAR-10
LABELS = "labels"
MOST_CLASSES = 2**16

Arrays = Mapping[str, np.ndarray]


def npz(config: Data) -> Source:
    """An .npz of images, (n, h, w) or (n, h, w, c): its only array of them, or the one that `npz:PATH#NAME` names.

    uint8, or black and white: bool, or uint8 of which all are 0 and 1. "labels" may hold their labels, integers from 0
    on; each that occurs is a class. A file in Keras' layout, x_train, y_train, x_test, y_test, brings its own test
    split.
    """
    path, name = split_name(location(config))
    if not os.path.isfile(path):
        raise Invalid(f"data.name: {config.name}; no file at {path}, an existing one is needed")
    arrays = read(path, "data.name")
    keras = name is None and all(part in arrays for pair in KERAS.values() for part in pair)
    pairs = KERAS if keras else {"train": (choose_images(arrays, name, path, "data.name"), LABELS)}
    x = {
        split: fit(as_images(arrays[image], path, "data.name"), config.image_size)
        for split, (image, _) in pairs.items()
    }
    label_arrays = {split: arrays[label] for split, (_, label) in pairs.items() if label in arrays}
    classes, labels = _labels(label_arrays, {split: len(part) for split, part in x.items()}, path)
    splits: dict[str, Split] = {split: InMemory(Examples(x[split], labels[split])) for split in pairs}
    return x["train"].shape[1:], classes, splits


def split_name(path: Path) -> tuple[Path, str | None]:
    """`PATH#NAME` as the file and the name of an array in it, if one is given."""
    if "#" not in path.name or os.path.isfile(path):
        return path, None
    file, _, name = path.name.rpartition("#")
    return path.with_name(file), name


def read(path: Path, field: str) -> Arrays:
    """All arrays of an .npz by name. Raises `Invalid`, blaming `field`, where it cannot be read."""
    try:
        with path.open("rb") as opened, np.load(opened) as file:  # given a path, NumPy leaves a damaged file open
            members = {name: file[name] for name in file.files}
    except Exception as error:  # not a zip, cut short, or of pickled objects: each has its own exception
        raise Invalid(f"{field}: {path} is no readable .npz of arrays ({one_line(error)})") from None
    return {name: array for name, array in members.items() if isinstance(array, np.ndarray)}


def choose_images(arrays: Arrays, name: str | None, path: Path, field: str) -> str:
    """The array of this name, or the only one that holds images.

    Raises:
        Invalid: there is none, or more than one to choose from; the message, which blames `field`, says how.
    """
    others = [other for other in arrays if other != LABELS]
    if name is not None and name not in arrays:
        raise Invalid(f"{field}: {path} holds no array {name}; it has {', '.join(arrays) or 'none'}")
    if not others:
        raise Invalid(f"{field}: {path} holds no array of images")
    images = [other for other in others if _fits(arrays[other])]
    if name is None and len(images) > 1:
        raise Invalid(f"{field}: {path} holds images in {', '.join(images)}; name one, as in {path}#{images[0]}")
    return name or (images or others)[0]


def as_images(x: np.ndarray, path: Path, field: str) -> UInt8[np.ndarray, "n h w c"]:
    """Images as they are fed. Raises `Invalid`, blaming `field`, where they are none."""
    if not _fits(x) or 0 in x.shape:
        raise Invalid(
            f"{field}: {path} holds {x.dtype} {x.shape}; uint8 or bool images (n, h, w[, 1 or 3]) are allowed"
        )
    return to_grey_levels(x).reshape(*x.shape[:3], -1)


def _fits(x: np.ndarray) -> bool:
    channels = x.shape[3] if x.ndim == 4 else 1
    return x.dtype in (np.uint8, bool) and x.ndim in (3, 4) and channels in CHANNELS.values()


def _labels(
    label_arrays: Mapping[str, np.ndarray], counts: Mapping[str, int], path: Path
) -> tuple[tuple[str, ...], dict[str, Int[np.ndarray, " n"]]]:
    """The classes, each label that occurs in training, and the place of every example's label among them."""
    if not label_arrays:
        return (), {split: np.zeros(n, np.int32) for split, n in counts.items()}
    flat = {}
    for split, label in label_arrays.items():
        n = counts[split]
        flat[split] = label[:, 0] if label.shape == (n, 1) else label
        if flat[split].shape != (n,) or not np.issubdtype(label.dtype, np.integer) or label.min() < 0:
            raise Invalid(f"data.name: {path} has labels {label.dtype} {label.shape}; {n} integers >= 0 are allowed")
    known = np.unique(flat["train"])
    if len(known) > MOST_CLASSES:
        raise Invalid(f"data.name: {path} has {len(known)} different labels; at most {MOST_CLASSES} are allowed")
    for split, label in flat.items():
        unknown = np.setdiff1d(label, known)
        if len(unknown):
            raise Invalid(f"data.name: {path} has the label {unknown[0]} in {split} alone; train must have it too")
    places = {split: np.searchsorted(known, label).astype(np.int32) for split, label in flat.items()}
    return tuple(map(str, known)), places
