"""Files of named arrays: safetensors, and PyTorch's own where PyTorch is installed."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from genlab.errors import Invalid

Arrays = Mapping[str, np.ndarray]


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays of a .safetensors, .pth or .pt file, and the notes that a .safetensors file may carry.

    Raises:
        Invalid: there is no such file, it cannot be read, or reading it needs PyTorch.
    """
    if not path.is_file():
        raise Invalid(f"weights: {path}; must be an existing .safetensors, .pth or .pt file")
    try:
        if path.suffix != ".safetensors":
            return _torch(path), {}
        from safetensors import safe_open

        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except ImportError:
        raise Invalid(f"weights: {path}; needs PyTorch (pip install torch), a .safetensors file does not") from None
    except Exception as error:  # a damaged file: whatever its reader raises
        raise Invalid(f"weights: {path} cannot be read ({str(error).splitlines()[0]})") from None


def _torch(path: Path) -> dict[str, np.ndarray]:
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)
    return {name: tensor.numpy() for name, tensor in state.items()}


def write(path: Path, arrays: Arrays, notes: dict[str, str]) -> None:
    """Write a .safetensors file; the same arrays and notes give the same bytes."""
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}, path, metadata=notes)


def digest(arrays: Arrays) -> str:
    """12 hexadecimal digits that name these arrays: of their names, shapes, types and bytes, in the order of names."""
    hashed = hashlib.sha256()
    for name in sorted(arrays):
        a = np.ascontiguousarray(arrays[name])
        hashed.update(f"{name} {a.dtype} {a.shape} ".encode())
        hashed.update(a.tobytes())
    return hashed.hexdigest()[:12]
