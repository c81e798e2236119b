"""What is measured: samples of a model, drawn on all devices, or images that another program made."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8
from tqdm import tqdm

from genlab.config.sections import Parallel
from genlab.data import npz
from genlab.data.feed import to_uint8
from genlab.data.folder import SUFFIXES
from genlab.data.images import CHANNELS, decode, mode_of, to_grey_levels
from genlab.errors import Invalid, require
from genlab.evaluate.devices import ALL, over_rows
from genlab.evaluate.protocol import BatchNorm
from genlab.kernels.random import example_keys
from genlab.model import CHUNK
from genlab.parts.types import Networks
from genlab.train.spmd import evaluation_devices
from genlab.train.state import Game, TrainState, select, stream

BATCH = 100  # samples whose statistics batch norm takes, where it takes those of the batch


@dataclass(frozen=True)
class ExternalImages:
    """Images that another program made."""

    place: Path
    images: UInt8[np.ndarray, "n h w c"]

    def draw(self, n: int, seed: int) -> UInt8[np.ndarray, "n h w c"]:
        """`n` of them, at random where there are more. Raises `Invalid` where there are fewer."""
        require(n <= len(self.images), "n", n, f"at most {len(self.images)}, all that {self.place} holds")
        return self.images[np.random.default_rng(seed).permutation(len(self.images))[:n]]


@dataclass(frozen=True)
class Sampler:
    """Samples of a game's weights, one per index; equal ones share one compiled program."""

    game: Game
    ema: bool
    batch_norm: BatchNorm

    def __call__(self, constants: Any, index: Int[Array, " b"]) -> Float[Array, "b *shape"]:
        """The samples of these indices, from (state, root key), traced."""
        state, key = constants
        return self.game.method.sample(self._networks(state), example_keys(key, index))

    def _networks(self, state: TrainState) -> Networks:
        if self.batch_norm == "average":
            return self.game.sampling_networks(state, ema=self.ema)
        params, stats = (state.ema["params"], state.ema["stats"]) if self.ema else (state.params, state.stats)
        sampling = self.game.method.sampling
        return self.game.merge(select(params, sampling), select(stats, sampling), train=True)

    def labels(self, n: int, seed: int) -> Int[np.ndarray, " n"] | None:
        """The classes of the `n` samples that `draw` gives, of a conditional method."""
        drawn = self.game.method.draw_labels(example_keys(stream(seed, "sample"), jnp.arange(n)))
        return None if drawn is None else np.asarray(drawn)

    def draw(self, state: TrainState, n: int, seed: int, label: str, parallel: Parallel = ALL) -> np.ndarray:
        """The first `n` samples, see `draw_at`."""
        return self.draw_at(state, np.arange(n), seed, label, parallel)

    def draw_at(
        self, state: TrainState, index: Int[np.ndarray, " n"], seed: int, label: str, parallel: Parallel = ALL
    ) -> np.ndarray:
        """The samples of these rising numbers: images in [-1, 1], or points; with running averages those of
        `Model.sample`. Those that follow fill up the last batch, at which batch norm may look.

        Raises:
            Invalid: samples that are not finite.
        """
        devices = len(evaluation_devices(parallel))
        together = BATCH if self.batch_norm == "batch" else CHUNK * devices
        devices = 1 if together % devices else devices
        n, constants, size = len(index), (state, stream(seed, "sample")), together // devices
        whole = np.concatenate([index, index[-1] + 1 + np.arange(-n % together)])
        x = over_rows(self, constants, whole, size, f"{label} samples", replace(parallel, devices=devices))[:n]
        if not np.isfinite(x).all():
            raise Invalid(f"run_dirs: {label}; its samples must be finite numbers")
        return x


def truncate(x: Float[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """Images in [-1, 1] as 0..255, cut off and not rounded, as in the official WGAN-GP code."""
    return ((np.clip(x, -1, 1) + 1) * (255.99 / 2)).astype(np.uint8)


QUANTISED: dict[str, Callable] = {"round": to_uint8, "truncate": truncate}


def read_npz(path: Path) -> ExternalImages:
    """The images of an .npz file, uint8 (n, h, w) or (n, h, w, 1 or 3), or bool: its only ones, or PATH#NAME's.

    Bool, and uint8 of which all are 0 and 1, is black and white, as in data sets.

    Raises:
        Invalid: it is absent, cannot be read, or holds no such images, or several arrays of them.
    """
    file, name = npz.split_name(path)
    if not file.is_file():
        raise Invalid(f"npz: {file}; must be an existing .npz file")
    arrays = npz.read(file, "npz")
    return ExternalImages(path, npz.as_images(arrays[npz.choose_images(arrays, name, file, "npz")], file, "npz"))


def read_folder(path: Path, shape: tuple[int, ...]) -> ExternalImages:
    """The image files of a folder and the folders in it, in the order of their names; all as large as the first.

    Grey and colour are read as they are, and must be what the real images of `shape` are. Where no image has a value
    above 1, these values are black and white, as in data sets.

    Raises:
        Invalid: no folder, no images, images of several sizes, or one that cannot be read.
    """
    if not path.is_dir():
        raise Invalid(f"folder: {path}; must be an existing folder")
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise Invalid(f"folder: {path} holds no images; files ending in {' '.join(SUFFIXES)} are needed")
    mode = next(mode for mode, channels in CHANNELS.items() if channels == shape[-1])
    images = []
    for file in tqdm(files, desc="reading", unit="image", disable=None, leave=False):
        try:
            if mode_of(file, str(file)) != mode:
                raise Invalid(f"data.name: {file} is {'grey' if mode == 'RGB' else 'in colour'}, the real ones are not")
            images.append(decode(file, str(file), mode, None))
        except Invalid as error:
            raise Invalid(str(error).replace("data.name", "folder", 1)) from None
        if images[-1].shape != images[0].shape:
            sizes = " and ".join(f"{image.shape[1]} x {image.shape[0]}" for image in (images[0], images[-1]))
            raise Invalid(f"folder: {file} makes sizes {sizes}; images of one size are needed")
    return ExternalImages(path, to_grey_levels(np.stack(images)))
