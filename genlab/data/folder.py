"""Images from the user's own files: a folder of them."""

import os
from pathlib import Path

import numpy as np

from genlab.data.config import Data
from genlab.data.images import decode, is_binary, mode_of
from genlab.data.splits import Examples, Indices, OnDisk, Source, Split
from genlab.errors import Invalid

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
SPLITS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}  # by the folder's name


def folder(config: Data) -> Source:
    """A tree of image files; its first subfolders are the classes, or its splits, where train/ is among them.

    Each real folder is visited once, whatever links lead to it. Names are read here, and images only until it is known
    whether the set is in colour, as it is if one of its images is, and whether it is black and white, as it is if no
    value is above 1; the first image tells both of most sets.
    """
    root = location(config)
    if not os.path.isdir(root):  # of a name that no file system can hold pathlib raises
        raise Invalid(f"data.name: {config.name}; no folder at {root}, an existing one is needed")
    roots, visited = _roots(root), set[str]()
    files = {split: _images(place, visited) for split, place in roots.items()}
    classes = _classes(roots["train"], files["train"])
    paths = [roots["train"] / file for file in files["train"]]
    mode = "RGB" if any(mode_of(path, str(path)) == "RGB" for path in paths) else "L"
    shape = decode(paths[0], str(paths[0]), mode, config.image_size).shape

    def brightest(indices: Indices) -> int:
        return max(int(decode(paths[i], str(paths[i]), mode, None).max()) for i in indices)

    bits = is_binary(len(paths), brightest)
    splits = {split: _split(roots[split], files[split], classes, mode, config.image_size, bits) for split in roots}
    return shape, classes, splits


def location(config: Data) -> Path:
    """Where a folder: or npz: set lies."""
    return Path(config.dir or ".").expanduser() / Path(config.place).expanduser()


def _roots(root: Path) -> dict[str, Path]:
    """The folder of each split, however its name is written; the root itself is that of training where it has none."""
    found: dict[str, list[Path]] = {}
    for place in sorted(root.iterdir()):
        if place.name.lower() in SPLITS and place.is_dir():
            found.setdefault(SPLITS[place.name.lower()], []).append(place)
    for split, places in found.items():
        names = " and ".join(place.name for place in places)
        if len(places) > 1:
            raise Invalid(f"data.name: {root} has {names}; one folder of {split} images is allowed")
        if "train" not in found:
            raise Invalid(f"data.name: {root} has {names} without train; train is needed beside it")
    return {split: found[split][0] for split in dict.fromkeys(SPLITS.values()) if split in found} or {"train": root}


def _classes(root: Path, files: list[str]) -> tuple[str, ...]:
    """The names of the classes; none where no image lies in a folder of its own."""
    names = {_class(file) for file in files}
    if names == {"."}:
        return ()
    loose = [file for file in files if _class(file) == "."]
    if loose:
        others = ", ".join(sorted(names - {"."}))
        raise Invalid(f"data.name: {root / loose[0]} lies beside the classes {others}; every image must be of one")
    return tuple(sorted(names))


def _split(root: Path, files: list[str], classes: tuple[str, ...], mode: str, side: int | None, bits: bool) -> Split:
    known = {name: label for label, name in enumerate(classes or (".",))}
    for file in files:
        if _class(file) not in known:
            raise Invalid(f"data.name: {root / file} is of no class; train/ has {', '.join(classes) or 'none'}")
    label = np.array([known[_class(file)] for file in files], np.int32)

    def fetch(indices: Indices) -> Examples:
        paths = [root / files[i] for i in indices]
        return Examples(np.stack([decode(path, str(path), mode, side, bits) for path in paths]), label[indices])

    return OnDisk(len(files), fetch)


def _images(root: Path, visited: set[str]) -> list[str]:
    """The image files below `root`, hidden ones left out, as sorted relative paths; real folders are `visited` once."""
    found = []
    for place, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(place)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = [name for name in files if name.lower().endswith(SUFFIXES) and not name.startswith(".")]
        found += [os.path.relpath(os.path.join(place, name), root) for name in files]
    if not found:
        raise Invalid(f"data.name: {root} holds no images of its own; files ending in {' '.join(SUFFIXES)} are needed")
    return sorted(found)


def _class(file: str) -> str:
    return file.split(os.sep)[0] if os.sep in file else "."
