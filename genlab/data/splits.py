"""A set of examples and its three disjoint splits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int32, Integer, UInt8

from genlab.data.order import permute
from genlab.errors import Invalid

HOLD_OUT = 2**32 - 1  # the epoch whose permutation deals out the splits; training never comes to it

Indices = Integer[np.ndarray, " n"]


class Examples(NamedTuple):
    """Examples on the host: images of 0..255 or points, and their labels."""

    x: UInt8[np.ndarray, "n h w c"] | Float32[np.ndarray, "n 2"]
    label: Int32[np.ndarray, " n"]


@runtime_checkable
class Split(Protocol):
    """One split of a set. Reading is thread-safe; it may decode files, so keep what is needed twice."""

    def __len__(self) -> int: ...

    def read(self, indices: Indices) -> Examples:
        """The examples at `indices`, each in 0..len-1. Raises `Invalid` where a file cannot be read."""
        ...


@dataclass(frozen=True)
class InMemory:
    """A split held as arrays."""

    examples: Examples

    def __len__(self) -> int:
        return len(self.examples.label)

    def read(self, indices: Indices) -> Examples:
        return Examples(self.examples.x[indices], self.examples.label[indices])


@dataclass(frozen=True)
class OnDisk:
    """A split of `size` examples, which `fetch` reads and decodes every time anew."""

    size: int
    fetch: Callable[[Indices], Examples]

    def __len__(self) -> int:
        return self.size

    def read(self, indices: Indices) -> Examples:
        return self.fetch(indices)


@dataclass(frozen=True)
class Subset:
    """Some rows of another split."""

    whole: Split
    rows: Indices

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, indices: Indices) -> Examples:
        return self.whole.read(self.rows[indices])


@dataclass(frozen=True)
class Dataset:
    """A set of examples of one `shape`, (h, w, c) for images and (2,) for points, in three disjoint splits."""

    name: str
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    """Names in the order of the labels; empty where the source has none, and then every label is 0."""
    train: Split
    validation: Split
    test: Split


Source = tuple[tuple[int, ...], tuple[str, ...], dict[str, Split]]
"""What a source gives: shape, classes, and the splits it has, "train" always among them."""


def hold_out(split: Split, shares: dict[str, float]) -> dict[str, Split]:
    """Deals a split out in an order that never changes: one part for each share, and "train", the rest.

    Raises `Invalid` where nothing is left to train on.
    """
    n = len(split)
    rows = np.arange(n, dtype=np.uint32)
    rows = np.asarray(permute(0, np.full_like(rows, HOLD_OUT), rows, n)) if n else rows
    parts: dict[str, Split] = {}
    for name, share in shares.items():
        taken = round(n * share)
        parts[name], rows = Subset(split, np.sort(rows[:taken])), rows[taken:]
    if not len(rows):
        held = ", ".join(f"data.{name} {share}" for name, share in shares.items())
        raise Invalid(f"data.name: {n} examples, of which {held or 'nothing'} is held out; one at least must remain")
    return parts | {"train": Subset(split, np.sort(rows))}
