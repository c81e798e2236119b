"""What a checkpoint says of itself, so that it is believed only as it was written: its step, its run, its arrays."""

import hashlib
import json
import zlib
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from genlab.config.plain import difference, to_dict
from genlab.config.sections import Config
from genlab.errors import Invalid

Arrays = dict[str, np.ndarray]
Record = dict[str, Any]  # plain JSON: "step", "config", "arrays" by path, and "digest" of these three


def make(step: int, config: Config, state: PyTree) -> Record:
    """The record of a state."""
    written = {"step": step, "config": to_dict(config), "arrays": _digests(named(state))}
    return written | {"digest": _digest(written)}


def verify(record: Record, step: int, config: Config, arrays: Arrays) -> None:
    """That these are the arrays of this step of this run, bit for bit.

    Raises:
        Invalid: it is not; the message says in what.
    """
    written = {name: entry for name, entry in record.items() if name != "digest"}
    if record.get("digest") != _digest(written):
        raise Invalid("its record is damaged")
    if written["step"] != step:
        raise Invalid(f"it was written at step {written['step']}")
    other = difference(written["config"], config)
    if other:
        raise Invalid(f"it is of a run with {other}")
    found = _digests(arrays)
    for path in sorted(found.keys() | written["arrays"].keys()):
        if found.get(path) != written["arrays"].get(path):
            raise Invalid(f"{path} is damaged")


def check_finite(arrays: Arrays) -> None:
    """That every number is finite.

    Raises:
        Invalid: one is not; the message names its array.
    """
    for path, array in arrays.items():
        if not np.isfinite(array).all():
            raise Invalid(f"{path} holds numbers that are not finite")


def named(state: PyTree) -> Arrays:
    """The arrays of a state, off the device, by path."""
    leaves = jax.tree_util.tree_leaves_with_path(jax.device_get(state))
    return {jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(x) for path, x in leaves}


def _digests(arrays: Arrays) -> dict[str, str]:
    """Type, shape and CRC-32 of each: against damage, not against forgery, and an order of magnitude below the cost
    of writing."""
    return {
        path: f"{x.dtype}{list(x.shape)} {zlib.crc32(np.ascontiguousarray(x).data):08x}" for path, x in arrays.items()
    }


def _digest(written: Record) -> str:
    return hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()
