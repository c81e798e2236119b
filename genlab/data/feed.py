"""How batches reach the compiled step: from the device's memory, streamed from the host, or drawn from their keys."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int, Integer, UInt8

from genlab.data.config import Data
from genlab.data.order import example_index
from genlab.data.splits import Dataset, Examples, Split
from genlab.data.toys import points
from genlab.kernels import augment
from genlab.kernels.random import Keys, fold, uniform

STEPS = 2**31 - 1  # the length of a stream: all that an int32 step can number
THREADS = min(16, os.cpu_count() or 1)
MEAN_EXAMPLES, READ_AT_ONCE = 10_000, 1024  # examples that a mean is taken of, at most, and that are read at a time

Scalar = Int[Array, ""]
Seed = int | Integer[Array, ""]
Place = Callable[[Any], Any]  # arrays of the host to arrays on every device


class Batch(NamedTuple):
    """Examples as the step sees them: images in [-1, 1] or points, and their labels."""

    x: Float[Array, "batch *shape"]
    label: Int[Array, " batch"]


@runtime_checkable
class Feed(Protocol):
    """Gives every read of every iteration its batch, inside the compiled step of one device.

    Which examples, and which noise, follows from (seed, step, read, index) and the keys alone: every feed of a split
    gives the same bits, from any first step and on any number of devices.
    """

    axis: ClassVar[int | None]
    """How `arrays` maps over devices: None, the same for all; 0, by a leading axis."""
    single: ClassVar[bool]
    """Whether `arrays` serves exactly one iteration; otherwise it serves any number, from any step."""

    def arrays(self, step: int) -> Any:
        """What `draw` needs in a call that starts at iteration `step`; on the host, before that call."""

    def draw(
        self, arrays: Any, seed: Seed, step: Scalar, read: Scalar, index: Int[Array, " batch"], keys: Keys
    ) -> Batch:
        """Batch number `read` of iteration `step` of the run with this seed, traced: this device's examples.

        `arrays`: this device's part of `arrays(step)`. `index`, `keys`: each example's place in the batch, and key.
        """
        ...

    def close(self) -> None:
        """Ends what runs in the background; closing twice is closing once."""


def make_feed(
    config: Data, dataset: Dataset, seed: int, reads: int, devices: int, place: Place = jax.device_put
) -> Feed:
    """The feed of `dataset.train`, for iterations that read `reads` batches each, over `devices`.

    `place` puts what is to live on every device there. Raises `Invalid` where an image cannot be read.
    """
    if config.kind == "points":
        return Points(config.place)
    if len(dataset.train) * int(np.prod(dataset.shape)) <= config.resident_mb * 2**20:
        return Resident(config, dataset.train, dataset.shape, reads, place)
    return Stream(config, dataset.train, dataset.shape, seed, reads, devices)


def _flat(examples: Examples) -> Examples:
    """Images as rows of pixels, which XLA on CPU gathers five times faster than (h, w, 1)."""
    return Examples(examples.x.reshape(len(examples.x), -1), examples.label)


class Resident:
    """The whole split as uint8 on every device; a batch is a gather."""

    axis: ClassVar[int | None] = None
    single: ClassVar[bool] = False

    def __init__(self, config: Data, split: Split, shape: tuple[int, ...], reads: int, place: Place):
        self._config, self._shape, self._reads, self._n = config, shape, reads, len(split)
        self._examples = place(_flat(split.read(np.arange(len(split)))))

    def arrays(self, step: int) -> Examples:
        return self._examples

    def draw(
        self, arrays: Any, seed: Seed, step: Scalar, read: Scalar, index: Int[Array, " batch"], keys: Keys
    ) -> Batch:
        size = self._config.batch_size
        rows = example_index(seed, step, read * size + index, self._reads * size, self._n)
        return Batch(to_float(arrays.x[rows].reshape(-1, *self._shape), keys, self._config), arrays.label[rows])

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Iterations:
    """Grain's view of a split: item i is all that iteration i reads, (devices, reads, batch / devices, ...)."""

    config: Data
    split: Split
    seed: int
    reads: int
    devices: int

    def __len__(self) -> int:
        return STEPS

    def __getitem__(self, step: Any) -> Examples:
        size = self.reads * self.config.batch_size
        rows = example_index(self.seed, int(step), np.arange(size), size, len(self.split))
        examples = _flat(self.split.read(np.asarray(rows)))

        def by_device(x: np.ndarray) -> np.ndarray:
            return np.moveaxis(x.reshape(self.reads, self.devices, -1, *x.shape[1:]), 1, 0)

        return Examples(by_device(examples.x), by_device(examples.label))


class Stream:
    """The split read from the host by Grain's threads, one iteration ahead of another."""

    axis: ClassVar[int | None] = 0
    single: ClassVar[bool] = True

    def __init__(self, config: Data, split: Split, shape: tuple[int, ...], seed: int, reads: int, devices: int):
        self._config, self._shape = config, shape
        self._source = Iterations(config, split, seed, reads, devices)
        self._next = -1
        self._iterator: Any = None

    def arrays(self, step: int) -> Examples:
        if step != self._next:
            self._start(step)
        self._next = step + 1
        return next(self._iterator)

    def _start(self, step: int) -> None:
        import grain

        self.close()
        options = grain.ReadOptions(num_threads=THREADS, prefetch_buffer_size=2 * THREADS)
        steps = grain.MapDataset.source(self._source).slice(slice(step, None))
        self._iterator = iter(steps.to_iter_dataset(options))

    def draw(
        self, arrays: Any, seed: Seed, step: Scalar, read: Scalar, index: Int[Array, " batch"], keys: Keys
    ) -> Batch:
        images = arrays.x[read].reshape(-1, *self._shape)
        return Batch(to_float(images, keys, self._config), arrays.label[read])

    def close(self) -> None:
        if self._iterator is not None:
            self._iterator.close()  # else Grain's threads outlive the interpreter and complain
        self._iterator, self._next = None, -1


@dataclass(frozen=True)
class Points:
    """Toy points, drawn afresh from the examples' keys."""

    kind: str
    axis: ClassVar[int | None] = None
    single: ClassVar[bool] = False

    def arrays(self, step: int) -> tuple[()]:
        return ()

    def draw(
        self, arrays: Any, seed: Seed, step: Scalar, read: Scalar, index: Int[Array, " batch"], keys: Keys
    ) -> Batch:
        return Batch(*points(self.kind, keys))

    def close(self) -> None:
        pass


def to_float(images: UInt8[Array, "batch h w c"], keys: Keys, config: Data) -> Float[Array, "batch h w c"]:
    """Images of 0..255 in [-1, 1], dequantised, binarised, mirrored, cropped as `config` says, with one key each."""
    x = images.astype(jnp.float32)
    if config.dequantise:
        noise = uniform(fold(keys, 0), images.shape[1:])
        x = (x + noise) / 128 - 1  # 2 (v / 256 - 1/2) + U[0, 1/128), as in the official WGAN-GP code
    else:
        x = (2 * x - 255) / 255  # v / 127.5 - 1 with a single rounding, so that no fusion can change its bits
    if config.binarise:  # x is v / 127.5 - 1 here; dynamic binarisation, Burda et al. (2016), section 5
        x = jnp.where(uniform(fold(keys, 2), images.shape[1:]) < (x + 1) / 2, 1.0, -1.0)
    if config.flip:
        x = augment.mirror(x, uniform(fold(keys, 1)) < 0.5)
    if config.crop:
        x = augment.crop(x, fold(keys, 3), config.crop)
    return x


def mean_example(split: Split, config: Data) -> Float32[np.ndarray, "*shape"]:
    """The mean of a split as the step sees it, but for mirroring and cropping: of images in [-1, 1], or of points.

    Of all examples, or of `MEAN_EXAMPLES` that lie evenly in a larger split: its files may be in the order of classes.
    """
    count = min(len(split), MEAN_EXAMPLES)
    rows = np.arange(count) * len(split) // count
    pieces = (split.read(rows[start : start + READ_AT_ONCE]).x for start in range(0, count, READ_AT_ONCE))
    mean = sum(x.sum(0, dtype=np.float64) for x in pieces) / count  # of whole numbers exact, in any order
    if config.kind != "points":
        mean = (mean + 0.5) / 128 - 1 if config.dequantise else mean / 127.5 - 1
    return mean.astype(np.float32)


def to_uint8(x: Float[Array | np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Images in [-1, 1] as 0..255 on the host, rounded; what lies outside is clipped."""
    return np.clip(np.round((np.asarray(x) + 1) * 127.5), 0, 255).astype(np.uint8)
