"""How networks are told the label of each example: beside their input, in their batch norms, in their output."""

import contextlib
from collections.abc import Callable, Collection, Iterator
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from genlab.nn.initialisers import glorot
from genlab.nn.layers import Linear
from genlab.nn.norms import BatchNorm

Labels = Int[Array, " b"]
_labels: ContextVar[Labels] = ContextVar("labels")  # of the examples that are passing through a network


@contextlib.contextmanager
def labelled(labels: Labels) -> Iterator[None]:
    """Within it, layers that look for labels find these."""
    token = _labels.set(labels)
    try:
        yield
    finally:
        _labels.reset(token)


def rows(table: Float[Array, "classes n"]) -> Float[Array, "b n"]:
    """The row of each example's class; a product with one-hot labels, whose gradient adds up in one order."""
    return jnp.matmul(jax.nn.one_hot(_labels.get(), len(table)), table, precision="highest")


def beside(x: Float[Array, "b *shape"], labels: Labels, classes: int) -> Float[Array, "b ..."]:
    """One-hot labels behind the numbers of a vector, or as constant planes behind the channels of an image."""
    one_hot = jax.nn.one_hot(labels, classes, dtype=x.dtype).reshape(len(x), *(1,) * (x.ndim - 2), classes)
    return jnp.concatenate([x, jnp.broadcast_to(one_hot, (*x.shape[:-1], classes))], axis=-1)


class ClassBatchNorm(BatchNorm):
    """Batch norm with one scale and shift per class, de Vries et al. (2017), as in the official WGAN-GP code.

    The statistics are those of all classes together.
    """

    def __init__(self, features: int, classes: int, *, rngs: nnx.Rngs):
        super().__init__(features, rngs=rngs)
        self.scale = self.bias = nnx.data(None)
        self.scales = nnx.Param(jnp.ones((classes, features)))
        self.shifts = nnx.Param(jnp.zeros((classes, features)))

    def __call__(self, x: Float[Array, "b *shape"], *args, **options) -> Float[Array, "b *shape"]:
        wide = super().__call__(x.astype(jnp.promote_types(x.dtype, jnp.float32)), *args, **options)
        scale, shift = (rows(t[...]).reshape(len(x), *(1,) * (x.ndim - 2), -1) for t in (self.scales, self.shifts))
        return (scale * wide + shift).astype(x.dtype)


class Projection(nnx.Module):
    """V_y . phi + psi(phi), the output of Miyato and Koyama's (2018) discriminator, eq. 3; psi is linear."""

    def __init__(self, features: int, classes: int, *, rngs: nnx.Rngs):
        self.psi = Linear(features, 1, init=glorot, rngs=rngs)
        self.embedding = Linear(classes, features, init=glorot, bias=False, rngs=rngs)  # of one-hot labels

    def __call__(self, phi: Float[Array, "b features"]) -> Float[Array, "b 1"]:
        one_hot = jax.nn.one_hot(_labels.get(), len(self.embedding.kernel[...]), dtype=phi.dtype)
        return (self.embedding(one_hot) * phi).sum(1, keepdims=True) + self.psi(phi)


class Informed(nnx.Module):
    """A network to which labels are given, and which has them beside its input unless `classes` is 0."""

    def __init__(self, network: nnx.Module, classes: int = 0, flat: bool = False):
        self.network, self.classes, self.flat = network, classes, flat

    def __call__(self, x: Float[Array, "b ..."], labels: Labels) -> Float[Array, "b ..."]:
        x = x.reshape(len(x), -1) if self.flat else x
        with labelled(labels):
            return self.network(beside(x, labels, self.classes) if self.classes else x)


def is_batch_norm(part: nnx.Module) -> bool:
    """Whether this is a batch norm that is the same for all classes."""
    return type(part) is BatchNorm


def is_output(part: nnx.Module, sizes: Collection[int] = (1,)) -> bool:
    """Whether this may be the output of a discriminator: a projection, or a linear layer of such a size."""
    return isinstance(part, Projection) or (isinstance(part, Linear) and part.kernel[...].shape[1] in sizes)


ALL, LAST, ALL_BUT_LAST = slice(None), slice(-1, None), slice(-1)


def exchange(
    network: nnx.Module, fits: Callable[[nnx.Module], bool], make: Callable[[Any], Any], which: slice = ALL
) -> bool:
    """Put `make(part)` in the place of the parts that fit, of which ones `which` says; whether there was one."""
    found = [(path, part) for path, part in nnx.iter_modules(network) if fits(part)]
    for (*path, name), part in found[which]:
        parent: Any = network
        for step in path:
            parent = parent[step] if isinstance(step, int) else getattr(parent, str(step))
        if isinstance(name, int):
            parent[name] = make(part)
        else:
            setattr(parent, str(name), make(part))
    return bool(found)
