"""The order of the training examples: one keyed permutation of the set per epoch, computed index by index.

Nothing is stored and nothing is drawn in sequence, so any example of any iteration is known at once, on the host and
inside a compiled step alike. All arithmetic is in uint32, which wraps in the same way in numpy and in jax.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Integer, UInt32

from genlab.errors import Invalid

LARGEST = 2**24  # `_locate` needs 120 n + 2**31 < 2**32
ROUNDS = 24

Words = UInt32[Array | np.ndarray, "..."]


def example_index(
    seed: int | Integer[Array, ""],
    step: int | Int[Array, ""],
    within: Integer[Array | np.ndarray, "..."],
    size: int,
    n: int,
) -> Words:
    """Which of `n` examples is number `within` of iteration `step`, when every iteration takes `size` of them.

    Example p = step * size + within of the whole run is element p mod n of the permutation of epoch p // n, exactly for
    every `step` below 2**31, however large p. `within` holds integers from 0 to below 2**31, in any shape, which is the
    result's; a jax array (traced or not) gives a jax array, a numpy array with an int `step` the same bits in numpy.
    Raises `Invalid` unless 1 <= n <= 2**24.
    """
    if not 1 <= n <= LARGEST:
        raise Invalid(f"data.name: {n} training examples; 1 to {LARGEST} are allowed")
    xp = jnp if isinstance(within, jax.Array) else np
    epoch, offset = divmod(step * size, n) if isinstance(step, int) else _locate(step, size, n)
    epoch = xp.uint32(epoch % 2**32) if isinstance(step, int) else epoch
    offset = xp.asarray(offset, xp.uint32) + within.astype(xp.uint32)
    return permute(seed, epoch + offset // np.uint32(n), offset % np.uint32(n), n)


def permute(seed: int | Integer[Array, ""], epoch: Words, x: Words, n: int) -> Words:
    """Where the permutation of 0..n-1 keyed by (seed, epoch) takes x; n is at most 2**31.

    The swap-or-not shuffle of Hoang, Morris and Rogaway, "An Enciphering Scheme Based on a Card Shuffle" (2012): a
    round pairs x with K - x mod n and swaps the two or not, as one hashed bit of the pair says. It is a bijection for
    every n, without the cycle walking of a Feistel network, whose data-dependent loop would stall an accelerator.
    """
    if n == 1:  # XLA on CPU fails to compile the rounds where it knows that every x is 0
        return x
    xp = jnp if isinstance(x, jax.Array) else np
    epoch_key = _mix(epoch + _mix(xp.full_like(epoch, np.uint32(seed) if isinstance(seed, int) else seed)))
    keys = _mix(epoch_key[..., None] + np.arange(ROUNDS, dtype=np.uint32) * np.uint32(0x9E3779B9))
    sums = keys % np.uint32(n)
    for i in range(ROUNDS):
        partner = sums[..., i] + np.uint32(n) - x
        partner = xp.where(partner < n, partner, partner - np.uint32(n))
        swap = _mix(xp.maximum(x, partner) ^ keys[..., i]) >> np.uint32(31)
        x = xp.where(swap == 1, partner, x)
    return x


def _locate(step: Int[Array, ""], size: int, n: int) -> tuple[UInt32[Array, ""], UInt32[Array, ""]]:
    """(epoch, offset) of example step * size, so that it is epoch * n + offset; offset is below 120 n, epoch mod 2**32.

    The products are those of the hexadecimal digits of `step`, each divided by n ahead of time, in Python's integers.
    """
    epoch = offset = jnp.uint32(0)
    for shift in range(0, 32, 4):
        whole, rest = divmod(size << shift, n)
        digit = step.astype(jnp.uint32) >> shift & 15
        epoch = epoch + digit * np.uint32(whole % 2**32)
        offset = offset + digit * np.uint32(rest)
    return epoch, offset


def _mix(x: Words) -> Words:
    """A bijective hash of 32 bits: Wellons' lowbias32."""
    x = (x ^ x >> np.uint32(16)) * np.uint32(0x7FEB352D)
    x = (x ^ x >> np.uint32(15)) * np.uint32(0x846CA68B)
    return x ^ x >> np.uint32(16)
