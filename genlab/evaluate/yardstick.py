"""What samples of a data set are measured against, and how."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from genlab.data.config import Data
from genlab.data.sources import load
from genlab.data.splits import Dataset, Split
from genlab.data.toys import DEVIATION, centres
from genlab.evaluate.classes import class_shares, classifier
from genlab.evaluate.frechet import frechet_between, moments
from genlab.evaluate.modes import good_share, modes_covered
from genlab.evaluate.neighbours import precision_recall

NEIGHBOURS = 10_000  # real images that precision, recall and the classifier see, at most

Scores = dict[str, float | int]  # by name; shares and distances, and counts


@dataclass(frozen=True)
class Yardstick:
    """The measure of one data set."""

    stamp: dict[str, Any]
    """What numbers must share to be compared: data, against, features, n_real, n_neighbours."""
    measure: Callable[[np.ndarray], Scores]
    """The scores of images (n, h, w, c) uint8 or of points (n, 2)."""
    floor: np.ndarray
    """Real examples, in random order, to measure in the place of samples; there may be none."""


@lru_cache(maxsize=1)
def yardstick(data: Data, seed: int) -> Yardstick:
    """The measure of a data set, which `seed` has split.

    Images are compared with all real ones together (`digits`, too few to hold some out) or with the training split, in
    pixels in [0, 1]; the floor is a random half of them, or the test split. Precision, recall and the classifier see
    at most `NEIGHBOURS` real images, drawn at random. Points are compared with their known modes.

    Raises:
        Invalid: a set that cannot be read, that is too small, or points that have no modes.
    """
    dataset = load(data, seed)
    return _points(dataset, data.place) if data.kind == "points" else _images(dataset, seed, data.kind == "digits")


def _points(dataset: Dataset, kind: str) -> Yardstick:
    modes, deviation = np.asarray(centres(kind)), DEVIATION[kind]

    def measure(x: np.ndarray) -> Scores:
        return {"modes": modes_covered(x, modes, deviation), "good_share": good_share(x, modes, deviation)}

    stamp = {"data": dataset.name, "against": f"its {len(modes)} modes", "features": "coordinates", "n_real": 0}
    return Yardstick(stamp, measure, everything(dataset.test)[0])


def _images(dataset: Dataset, seed: int, together: bool) -> Yardstick:
    x, label = everything(dataset.train, *([dataset.validation, dataset.test] if together else []))
    random = np.random.default_rng(seed)
    order = random.permutation(len(x))
    near, label = pixels(x[order[:NEIGHBOURS]]), label[order[:NEIGHBOURS]]
    fitted = classifier(near, label) if len(np.unique(label)) > 1 else None
    real = moments(pixels(x))

    def measure(images: np.ndarray) -> Scores:
        fake = pixels(images)
        precision, recall = precision_recall(near, fake)
        scores: Scores = {"frechet": frechet_between(*real, *moments(fake)), "precision": precision, "recall": recall}
        if fitted is not None:
            scores["smallest_class"] = float(class_shares(fitted, fake).min())
        return scores

    floor = x[order[: len(x) // 2]] if together else x[:0]
    if not together and len(dataset.test):
        floor = random.permutation(everything(dataset.test)[0])
    stamp = {"data": dataset.name, "against": "all splits together" if together else "the training split"}
    return Yardstick(stamp | {"features": "pixels", "n_real": len(x), "n_neighbours": len(near)}, measure, floor)


def everything(*splits: Split) -> tuple[np.ndarray, Int32[np.ndarray, " n"]]:
    """All examples of these splits and their labels."""
    x, label = zip(*(split.read(np.arange(len(split))) for split in splits), strict=True)
    return np.concatenate(x), np.concatenate(label)


def pixels(images: UInt8[np.ndarray, "n h w c"]) -> Float32[np.ndarray, "n d"]:
    """The plainest features: all channels of all pixels, in [0, 1]."""
    return images.reshape(len(images), -1).astype(np.float32) / 255
