"""Samples to files, drawn while they are written: any number of them, in bounded memory."""

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from tqdm import tqdm

from genlab.data.feed import to_uint8
from genlab.errors import Invalid, require
from genlab.track import grids
from genlab.track.atomic import atomic_write

PIECE = 4096  # samples drawn and written at a time
MAX_PICTURED = 10_000  # samples in one picture
SUFFIXES = (".png", ".npz")


@dataclass(frozen=True)
class Samples:
    """Samples that are yet to be drawn."""

    n: int
    shape: tuple[int, ...]
    """(h, w, c) of images, (2,) of points."""
    draw: Callable[[int, int], Float[np.ndarray, "count *shape"]]
    """From which number on, and how many: images in [-1, 1], or points."""
    label: Int[np.ndarray, " n"] | None = None
    """The class of each, if it was asked for."""
    classes: tuple[str, ...] = ()
    """Names of the classes."""

    def __post_init__(self) -> None:
        require(self.n >= 1, "n", self.n, "at least 1")

    @property
    def images(self) -> bool:
        """Whether they are images."""
        return len(self.shape) == 3

    def pieces(self, start: int, stop: int, bar: tqdm) -> Iterator[np.ndarray]:
        """Samples from one number to before another: images as uint8, points as they are."""
        for first in range(start, stop, PIECE):
            x = self.draw(first, min(PIECE, stop - first))
            yield to_uint8(x) if self.images else x
            bar.update(len(x))


def write_samples(out: Path, samples: Samples, shard: int | None = None) -> None:
    """Write samples: one picture (.png), one array (.npz), a folder of images, or of .npz of `shard` samples each.

    A folder's name has no suffix, so that `samples.jpg` is an error, and not the name of a folder. Images
    are written as uint8, labels beside them in an .npz, and as one subfolder for each class in a folder. A picture of
    labelled samples has a column for each of their classes. Nothing is at `out` before all of it is.

    Raises:
        Invalid: another suffix, points into a folder of images, too many for a picture, and what `atomic_write` raises.
    """
    allowed = f"a {' or '.join(SUFFIXES)} file, or a folder, whose name has no suffix"
    require(out.suffix in ("", *SUFFIXES), "out", str(out), allowed)
    kind = "shards" if shard is not None else out.suffix or "folder"
    require(shard is None or shard >= 1, "shard", shard, "at least 1")
    if kind == "shards" and out.suffix:
        raise Invalid(f"out: {out}; shards go to a folder")
    if kind == "folder" and not samples.images:
        raise Invalid(f"out: {out}; points go to a .npz or a .png file, or to a folder of shards")
    if kind == ".png" and samples.n > MAX_PICTURED:
        raise Invalid(
            f"n: {samples.n} is not at most {MAX_PICTURED}, for a picture; .npz files and folders take any number"
        )
    with (
        atomic_write(out) as part,
        tqdm(total=samples.n, desc=out.name, unit="sample", disable=None, leave=False) as bar,
    ):
        if kind == ".png":
            _picture(part, samples, bar)
        elif kind == ".npz":
            _archive(part, samples, 0, samples.n, bar)
        elif kind == "shards":
            part.mkdir()
            for i, start in enumerate(range(0, samples.n, shard or 1)):
                _archive(part / f"{i:05d}.npz", samples, start, min(start + (shard or 1), samples.n), bar)
        else:
            _folder(part, samples, bar)


def _picture(part: Path, samples: Samples, bar: tqdm) -> None:
    x = np.concatenate(list(samples.pieces(0, samples.n, bar)))
    if not samples.images:
        grids.picture(grids.scatter(x, x)).save(part)
        return
    shown = len(np.unique(samples.label)) if samples.label is not None else 1
    grids.picture(grids.tile(x, shown if shown > 1 else None)).save(part)


def _archive(part: Path, samples: Samples, start: int, stop: int, bar: tqdm) -> None:
    """An .npz as NumPy writes it, but piece by piece."""
    name, dtype = ("images", np.uint8) if samples.images else ("points", np.float32)
    header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (stop - start, *samples.shape)}
    with zipfile.ZipFile(part, "w") as file:
        with file.open(f"{name}.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(member, header)
            for x in samples.pieces(start, stop, bar):
                member.write(np.ascontiguousarray(x, dtype).tobytes())
        if samples.label is not None:
            with file.open("labels.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, samples.label[start:stop])


def _folder(part: Path, samples: Samples, bar: tqdm) -> None:
    part.mkdir()
    for name in samples.classes if samples.label is not None else ():
        (part / name).mkdir()
    i = 0
    for x in samples.pieces(0, samples.n, bar):
        for image in x:
            place = part if samples.label is None else part / samples.classes[samples.label[i]]
            grids.picture(image).save(place / f"{i:06d}.png")
            i += 1
