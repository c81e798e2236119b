"""From images to features: one interface, three extractors, on all devices at once."""

import abc
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Num, PyTree, UInt8

from genlab.errors import require
from genlab.evaluate.devices import ALL, over_rows
from genlab.train import spmd

Images = UInt8[np.ndarray, "n h w c"]


class Features(NamedTuple):
    """What an extractor sees in n images: features, and logits of its classes where it has classes."""

    x: Float32[np.ndarray, "n d"]
    logits: Float32[np.ndarray, "n classes"] | None

    def take(self, rows: slice | np.ndarray) -> "Features":
        """Those of some of the images."""
        return Features(self.x[rows], None if self.logits is None else self.logits[rows])


@dataclass(frozen=True, eq=False)
class Extractor(abc.ABC):
    """A fixed function of images, named so that numbers of different ones are never mixed up."""

    name: str
    """What the protocol stamp calls it."""
    digest: str
    """The first 12 hexadecimal digits of the SHA-256 of its weights; empty without weights."""
    resize: str
    """How it resizes images: "none", or the algorithm and the side."""
    grey: str
    """What it does with images of one channel: "as they are", "refused", or "repeated"."""
    weights: PyTree
    """Arrays that `apply` needs."""
    rows: int
    """Images a device sees at a time."""

    @abc.abstractmethod
    def apply(
        self, weights: PyTree, images: Num[Array, "b h w c"]
    ) -> tuple[Float[Array, "b d"], Float[Array, "b classes"] | None]:
        """Features and logits of a batch of 0..255, traced; also between whole numbers, so that it has derivatives."""

    @abc.abstractmethod
    def check(self, shape: tuple[int, ...]) -> None:
        """Raises `Invalid` unless it can read images (h, w, c) of `shape`."""


@dataclass(frozen=True, eq=False)
class Pixels(Extractor):
    """The plainest features: all channels of all pixels, in [0, 1]."""

    name: str = "pixels"
    digest: str = ""
    resize: str = "none"
    grey: str = "as they are"
    weights: PyTree = ()
    rows: int = 1024

    def apply(self, weights: PyTree, images: Num[Array, "b h w c"]) -> tuple[Float[Array, "b d"], None]:
        return images.reshape(len(images), -1).astype(jnp.float32) / 255, None

    def check(self, shape: tuple[int, ...]) -> None:
        pass


def extract(extractor: Extractor, images: Images, parallel: spmd.Parallel = ALL) -> Features:
    """Features of all images, computed in chunks on all devices of `parallel`.

    Raises:
        Invalid: no images, images the extractor cannot read, features that are not finite.
    """
    require(len(images) > 0, "images", len(images), "at least 1")
    extractor.check(images.shape[1:])
    size = min(extractor.rows, -(-len(images) // len(spmd.evaluation_devices(parallel))))
    x, logits = over_rows(extractor.apply, extractor.weights, images, size, f"{extractor.name} features", parallel)
    require(bool(np.isfinite(x).all()), "features", "NaN or infinity", "a finite number for every image")
    return Features(x, logits)
