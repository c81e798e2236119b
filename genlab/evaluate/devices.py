"""A function of many rows, on all devices, in chunks of one size."""

from collections.abc import Callable
from functools import lru_cache

import jax
import numpy as np
from jaxtyping import PyTree
from tqdm import tqdm

from genlab.train import spmd

ALL = spmd.Parallel()


def over_rows(
    f: Callable, constants: PyTree, rows: PyTree, size: int, label: str, parallel: spmd.Parallel = ALL
) -> PyTree:
    """`f(constants, rows)` of all rows, on the host, `size` of them to a device at a time, with a bar on a terminal.

    Devices and mapper are those of `parallel`, as far as there are so many devices.

    The last chunk is filled up with copies of its rows, which are then dropped. Collectives of `f` run over the axis
    of devices, as in training. An equal `f` is compiled once.
    """
    devices = spmd.evaluation_devices(parallel)
    compute, constants = _compiled(f, tuple(devices), parallel.mapper), spmd.replicate(constants, devices)
    n, chunk = len(jax.tree.leaves(rows)[0]), size * len(devices)
    found = []
    with tqdm(total=n, desc=label, unit="image", disable=None, leave=False) as bar:
        for start in range(0, n, chunk):
            count = min(chunk, n - start)
            place = start + np.arange(chunk) % count
            parts = jax.tree.map(lambda a, place=place: a[place].reshape(len(devices), size, *a.shape[1:]), rows)
            values = jax.device_get(compute(constants, parts))
            found.append(jax.tree.map(lambda a, count=count: a.reshape(-1, *a.shape[2:])[:count], values))
            bar.update(count)
    return jax.tree.map(lambda *pieces: np.concatenate(pieces), *found)


@lru_cache(maxsize=64)
def _compiled(f: Callable, devices: tuple[jax.Device, ...], mapper: str) -> Callable:
    return spmd.spread_rows(f, devices, mapper)
