"""Tiny image folders and the place of the real data sets."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def real_data() -> Path:
    """The folder of the real sets: $GENLAB_DATA, or ../shared/data beside the repository."""
    place = Path(os.environ.get("GENLAB_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not (place / "tfds" / "mnist").is_dir():
        pytest.skip(f"needs real MNIST in tfds/ below {place}; set GENLAB_DATA to the folder that has it")
    return place


@pytest.fixture
def paint(tmp_path):
    """Writes an image file of noise below tmp_path and gives its pixels."""

    def write(name: str, size: tuple[int, int] = (12, 10), mode: str = "RGB", seed: int = 0) -> np.ndarray:
        width, height = size
        shape = (height, width) if mode == "L" else (height, width, len(mode))
        pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels, mode=None).save(path)
        return pixels

    return write
