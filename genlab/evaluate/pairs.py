"""All pairs of the rows of two matrices, in bounded memory: chunks of rows against all the others, on the device.

In float64: squared distances and kernel distances are small differences of large numbers.
"""

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Array, Float, PyTree
from tqdm import tqdm

CELLS = 2**22  # pairs whose values are held at a time, 32 MiB: with more, processors wait for their memory

Features = Float[np.ndarray, "_ d"]


def over_pairs(
    f: Callable, x: Features, y: Features, label: str, rows: PyTree = (), columns: PyTree = ()
) -> list[PyTree]:
    """`f(x, y, rows, columns)` of chunks of x and of `rows`, with all of y and `columns`, on the host, chunk by chunk.

    `f` must be compiled. A bar shows on a terminal.
    """
    size = max(1, CELLS // max(1, len(y)))
    found = []
    with jax.enable_x64(True), tqdm(total=len(x), desc=label, unit="row", disable=None, leave=False) as bar:
        y, columns = jax.device_put((y.astype(np.float64), columns))
        for start in range(0, len(x), size):
            chunk = slice(start, start + size)
            chunk_rows = jax.tree.map(lambda a, chunk=chunk: a[chunk], rows)
            found.append(jax.device_get(f(x[chunk].astype(np.float64), y, chunk_rows, columns)))
            bar.update(len(x[chunk]))
    return found


def products(x: Float[Array, "m d"], y: Float[Array, "n d"]) -> Float[Array, "m n"]:
    """The inner products of all pairs, traced."""
    return jax.lax.dot_general(x, y, (((1,), (1,)), ((), ())), precision="highest")
