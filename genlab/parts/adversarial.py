"""What the losses of a generator and of its opponent, a discriminator or critic, have in common."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Key

from genlab.kernels.augment import Kind
from genlab.kernels.random import Keys, fold
from genlab.parts.augment import augmented
from genlab.parts.labels import outputs
from genlab.parts.types import Data, Labels

FAKE, PENALTY, AUGMENT_REAL, AUGMENT_FAKE, REGULARISE, MORE = range(6)  # streams of an example's key


@dataclass(frozen=True)
class Examples:
    """What the opponent sees in one update: real examples and as many fake ones, each with its real one's label."""

    real: Data
    fake: Data
    original: tuple[Data, Data]  # real and fake ones, as they were before they were augmented
    labels: Labels
    keys: Keys
    augment: tuple[Kind, ...]


def make_examples(real: Data, fake: Data, labels: Labels, keys: Keys, augment: tuple[Kind, ...] = ()) -> Examples:
    """Real and fake examples, augmented by streams of the keys; the fake ones become constants."""
    fake = jax.lax.stop_gradient(fake)
    seen = augmented(real, fold(keys, AUGMENT_REAL), augment), augmented(fake, fold(keys, AUGMENT_FAKE), augment)
    return Examples(*seen, (real, fake), labels, keys, augment)


def values(network: nnx.Module, x: Data, labels: Labels = None) -> Float[Array, " b"]:
    """The opponent's value of each example."""
    return outputs(network, x, labels).value


def generator_keys(keys: Keys, times: int) -> Key[Array, " fakes"]:
    """The keys of so many fake examples for each one of a batch: those of the batch, then those of its streams."""
    if times == 1:
        return keys
    more = jax.vmap(fold, (None, 0))(keys, MORE + jnp.arange(1, times))
    return jnp.concatenate([keys, more.reshape(-1)])
