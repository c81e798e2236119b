"""The order of the training examples: one keyed permutation of the set per epoch, computed index by index.

Nothing is stored and nothing is drawn in sequence, so any example of any iteration is known at once, on the host and
inside a compiled step alike. All arithmetic is in uint32, which wraps in the same way in numpy and in jax.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Integer, UInt32

from genlab.errors import Invalid

LARGEST = 2**27  # `_locate` multiplies an offset by 31
ROUNDS = 24

Words = UInt32[Array | np.ndarray, "..."]
Integers = Integer[Array | np.ndarray, "..."]


def example_index(seed: int, step: int | Integers, within: Integers, size: int, n: int) -> Words:
    """Which of `n` examples is number `within` of iteration `step`, when every iteration takes `size` of them.

    Example p = step * size + within of the whole run is element p mod n of the permutation of epoch p // n. That
    product is never formed, so every `step` below 2**32 is exact. `within` holds integers from 0 to below 2**31, in any
    shape; the result has that shape. jax arrays (traced or not) give a jax array, numpy arrays the same bits in numpy.
    Raises `Invalid` unless 1 <= n <= 2**27.
    """
    if not 1 <= n <= LARGEST:
        raise Invalid(f"data.name: {n} training examples; 1 to {LARGEST} are allowed")
    xp = jnp if isinstance(step, jax.Array) or isinstance(within, jax.Array) else np
    epoch, offset = _locate(xp.asarray(step).astype(xp.uint32), size, n)
    offset = offset + xp.asarray(within).astype(xp.uint32)
    return permute(seed, epoch + offset // np.uint32(n), offset % np.uint32(n), n)


def permute(seed: int, epoch: Words, x: Words, n: int) -> Words:
    """Where the permutation of 0..n-1 keyed by (seed, epoch) takes x.

    The swap-or-not shuffle of Hoang, Morris and Rogaway, "An Enciphering Scheme Based on a Card Shuffle" (2012): a
    round pairs x with K - x mod n and swaps the two or not, as one hashed bit of the pair says. It is a bijection for
    every n, without the cycle walking of a Feistel network, whose data-dependent loop would stall an accelerator.
    """
    xp = jnp if isinstance(x, jax.Array) else np
    key = _mix(epoch + _mix(np.full(1, seed % 2**32, np.uint32)))
    for _ in range(ROUNDS):
        key = _mix(key + np.uint32(0x9E3779B9))
        partner = (key % np.uint32(n) + np.uint32(n) - x) % np.uint32(n)
        swap = _mix(xp.maximum(x, partner) + _mix(key)) >> np.uint32(31)
        x = xp.where(swap == 1, partner, x)
    return x


def _locate(step: Words, size: int, n: int) -> tuple[Words, Words]:
    """(epoch, offset) of example step * size: its quotient (mod 2**32) and remainder by n.

    Horner's rule over the hexadecimal digits of `step`; every intermediate is below 31 n, so nothing overflows.
    """
    whole, rest = (np.uint32(part) for part in divmod(size, n))
    epoch = offset = step & np.uint32(0)
    for shift in range(28, -1, -4):
        digit = step >> np.uint32(shift) & np.uint32(15)
        offset = offset * np.uint32(16) + digit * rest
        epoch = epoch * np.uint32(16) + digit * whole + offset // np.uint32(n)
        offset = offset % np.uint32(n)
    return epoch, offset


def _mix(x: Words) -> Words:
    """A bijective hash of 32 bits: Wellons' lowbias32."""
    x = (x ^ x >> np.uint32(16)) * np.uint32(0x7FEB352D)
    x = (x ^ x >> np.uint32(15)) * np.uint32(0x846CA68B)
    return x ^ x >> np.uint32(16)
