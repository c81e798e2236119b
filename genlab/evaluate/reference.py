"""Real examples to measure against, and their features, kept by content in the user's cache folder."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int

from genlab.config.sections import Parallel
from genlab.data.splits import Dataset
from genlab.errors import require
from genlab.evaluate.devices import ALL
from genlab.evaluate.extractors import Extractor, Features, extract
from genlab.evaluate.frechet import Covariance, Mean, moments

SPLITS = {"train": ("train",), "train+validation": ("train", "validation"), "test": ("test",)}


@dataclass(frozen=True)
class Reference:
    """Real examples of one data set."""

    split: str
    """A name in `SPLITS`."""
    x: np.ndarray
    """Images of 0..255, or points, in an order that is random but always the same."""
    label: Int[np.ndarray, " n"]

    @cached_property
    def digest(self) -> str:
        """12 hexadecimal digits of the SHA-256 of the examples."""
        return content_digest(self.x)[:12]


def examples(dataset: Dataset, split: str, n: int | None = None) -> Reference:
    """`n` examples of a split of `SPLITS`; all of them for None.

    Raises:
        Invalid: the split is empty or has fewer.
    """
    parts = [part for name in SPLITS[split] if len(part := getattr(dataset, name))]
    total = sum(map(len, parts))
    require(total > 0, "split", split, f"a split that {dataset.name} has examples in")
    require(n is None or n <= total, "n_real", n, f"at most {total}, the size of {dataset.name}'s {split} split")
    found = [part.read(np.arange(len(part))) for part in parts]
    order = np.random.default_rng(0).permutation(total)[:n]
    return Reference(split, *(np.concatenate(each)[order] for each in zip(*found, strict=True)))


class ReferenceFeatures:
    """Features of real examples, computed when first needed."""

    def __init__(self, reference: Reference, extractor: Extractor, parallel: Parallel = ALL):
        self.reference, self.extractor, self.parallel = reference, extractor, parallel

    @cached_property
    def features(self) -> Features:
        return features(self.reference.x, self.extractor, self.parallel)

    @cached_property
    def moments(self) -> tuple[Mean, Covariance]:
        return moments(self.features.x)


def features(images: np.ndarray, extractor: Extractor, parallel: Parallel = ALL) -> Features:
    """Features of real images, from the cache if the same extractor has seen the same images before."""
    if extractor.name == "pixels":
        return extract(extractor, images, parallel)
    key = "-".join((extractor.name, extractor.digest, extractor.resize, extractor.grey, content_digest(images)))
    path = cache_folder() / f"{hashlib.sha256(key.encode()).hexdigest()}.npz"
    found = _load(path)
    if found is None:
        found = extract(extractor, images, parallel)
        _store(path, found)
    return found


def content_digest(x: np.ndarray) -> str:
    """The SHA-256 of an array's shape, type and bytes."""
    return hashlib.sha256(f"{x.shape} {x.dtype} ".encode() + np.ascontiguousarray(x).tobytes()).hexdigest()


def cache_folder() -> Path:
    """Where features are kept: `genlab/features` in $XDG_CACHE_HOME, or in ~/.cache; deleting it costs only time."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "genlab" / "features"


def _load(path: Path) -> Features | None:
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return Features(arrays["x"], arrays["logits"] if "logits" in arrays.files else None)
    except Exception:  # absent, or cut short: then they are computed again
        return None


def _store(path: Path, found: Features) -> None:
    """Whole or not at all; a cache that cannot be written to is no reason to stop."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
            np.savez(part, x=found.x) if found.logits is None else np.savez(part, x=found.x, logits=found.logits)
        Path(part.name).replace(path)
    except OSError:
        return
