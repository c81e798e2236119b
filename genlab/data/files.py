"""Images from the user's own files: a folder of image files, or an .npz of arrays."""

import os
from pathlib import Path

import numpy as np

from genlab.data.config import Data
from genlab.data.images import CHANNELS, decode, fit, levels, mode_of, one_line, two_valued
from genlab.data.splits import Examples, Indices, InMemory, OnDisk, Source, Split
from genlab.errors import Invalid

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
SPLITS = {"train": "train", "test": "test", "validation": "validation", "val": "validation"}  # by the folder's name


def folder(config: Data) -> Source:
    """A tree of image files; its first subfolders are the classes, or its splits, where train/ is among them.

    Only names are read here, and one image: the first, whose kind (grey or colour) all others are converted to. More
    are read only as long as none has a value above 1: those of a set that has no other values are black and white.
    """
    root = _path(config)
    if not root.is_dir():
        raise Invalid(f"data.name: {config.name}; no folder at {root}, an existing one is needed")
    roots = {split: root / name for name, split in SPLITS.items() if (root / name).is_dir()}
    if "train" not in roots:
        roots = {"train": root}
    files = {split: _images(place) for split, place in roots.items()}
    classes = tuple(sorted({_class(file) for file in files["train"]}))
    first = roots["train"] / files["train"][0]
    mode = mode_of(first, str(first))
    shape = decode(first, str(first), mode, config.image_size).shape

    def brightest(indices: Indices) -> int:
        paths = (roots["train"] / files["train"][i] for i in indices)
        return max(int(decode(path, str(path), mode, None).max()) for path in paths)

    bits = two_valued(len(files["train"]), brightest)
    splits = {split: _split(roots[split], files[split], classes, mode, config.image_size, bits) for split in roots}
    return shape, classes if classes != (".",) else (), splits


def _split(root: Path, files: list[str], classes: tuple[str, ...], mode: str, side: int | None, bits: bool) -> Split:
    known = {name: label for label, name in enumerate(classes)}
    for file in files:
        if _class(file) not in known:
            raise Invalid(f"data.name: {root / file} is of no class; train/ has {', '.join(classes)}")
    label = np.array([known[_class(file)] for file in files], np.int32)

    def fetch(indices: Indices) -> Examples:
        paths = [root / files[i] for i in indices]
        return Examples(np.stack([decode(path, str(path), mode, side, bits) for path in paths]), label[indices])

    return OnDisk(len(files), fetch)


def _images(root: Path) -> list[str]:
    """The image files below `root`, hidden ones left out, as sorted relative paths."""
    found = []
    for place, folders, files in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files = [name for name in files if name.lower().endswith(SUFFIXES) and not name.startswith(".")]
        found += [os.path.relpath(os.path.join(place, name), root) for name in files]
    if not found:
        raise Invalid(f"data.name: {root} holds no images; files ending in {' '.join(SUFFIXES)} are needed")
    return sorted(found)


def _class(file: str) -> str:
    return file.split(os.sep)[0] if os.sep in file else "."


def npz(config: Data) -> Source:
    """An .npz of images, (n, h, w) or (n, h, w, c): its first array but for "labels", which may hold theirs.

    uint8, or black and white: bool, or uint8 of which all are 0 and 1.
    """
    path = _path(config)
    if not path.is_file():
        raise Invalid(f"data.name: {config.name}; no file at {path}, an existing one is needed")
    try:
        with np.load(path) as arrays:
            x = next(arrays[name] for name in arrays.files if name != "labels")
            label = arrays["labels"] if "labels" in arrays.files else None
    except Exception as error:  # not a zip, cut short, empty, or of pickled objects: each has its own exception
        raise Invalid(f"data.name: {path} is no readable .npz of arrays ({one_line(error)})") from error
    channels = x.shape[3] if x.ndim == 4 else 1
    if x.dtype not in (np.uint8, bool) or x.ndim not in (3, 4) or channels not in CHANNELS.values() or 0 in x.shape:
        raise Invalid(
            f"data.name: {path} holds {x.dtype} {x.shape}; uint8 or bool images (n, h, w[, 1 or 3]) are allowed"
        )
    x = fit(levels(x).reshape(*x.shape[:3], channels), config.image_size)
    if label is None:
        return x.shape[1:], (), {"train": InMemory(Examples(x, np.zeros(len(x), np.int32)))}
    if label.shape != (len(x),) or not np.issubdtype(label.dtype, np.integer) or label.min() < 0:
        raise Invalid(f"data.name: {path} has labels {label.dtype} {label.shape}; {len(x)} integers >= 0 are allowed")
    classes = tuple(str(i) for i in range(label.max() + 1))
    return x.shape[1:], classes, {"train": InMemory(Examples(x, label.astype(np.int32)))}


def _path(config: Data) -> Path:
    return Path(config.dir or ".").expanduser() / Path(config.place).expanduser()
