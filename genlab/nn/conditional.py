"""Networks that are given labels: appended to their input, in their batch norms, in their output."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, DTypeLike, Float, Int

from genlab.errors import Invalid
from genlab.nn.layers import Linear
from genlab.nn.norms import BATCH

Labels = Int[Array, " b"] | None


class TakesLabels(nnx.Module):
    """What is called with the labels of its examples too: `module(x, labels)`."""


def call(layer: Callable, x: Float[Array, "b ..."], labels: Labels) -> Float[Array, "b ..."]:
    """What the layer makes of examples, with their labels if it takes any."""
    return layer(x, labels) if isinstance(layer, TakesLabels) else layer(x)


class Sequential(TakesLabels):
    """Layers one after the other, or those before the one at `until`."""

    def __init__(self, *layers: Callable):
        self.layers = nnx.List(layers)

    def __call__(
        self, x: Float[Array, "b ..."], labels: Labels = None, until: int | None = None
    ) -> Float[Array, "b ..."]:
        for layer in self.layers[:until]:
            x = call(layer, x, labels)
        return x


class Network(TakesLabels):
    """A whole network, computed in bfloat16 if that is asked for, with parameters and results in float32.

    Layers compute in the type of their input, and take means and variances in float32.
    """

    def __init__(self, compute: str):
        self.compute = compute

    def __call__(self, x: Float[Array, "b ..."], labels: Labels = None) -> Float[Array, "b ..."]:
        return self._computed(self.forward, x, labels)

    def before_output(self, x: Float[Array, "b ..."], labels: Labels = None) -> Float[Array, "b d"]:
        """What the output layer of an encoder sees."""
        return self._computed(self.features, x, labels)

    def forward(self, x: Float[Array, "b ..."], labels: Labels) -> Float[Array, "b ..."]:
        """What the network computes."""
        raise NotImplementedError

    def features(self, x: Float[Array, "b ..."], labels: Labels) -> Float[Array, "b d"]:
        """All of an encoder but its output layer."""
        raise NotImplementedError

    def _computed(self, f: Callable, x: Float[Array, "b ..."], labels: Labels) -> Float[Array, "b ..."]:
        if self.compute == "float32":
            return f(x, labels)
        return f(x.astype(self.compute), labels).astype(jnp.float32)


def one_hot(labels: Labels, classes: int, dtype: DTypeLike) -> Float[Array, "b classes"]:
    """Rows of the identity.

    Raises:
        Invalid: there are no labels.
    """
    if labels is None:
        raise Invalid(f"labels: None is not allowed for a network of {classes} classes: give each example its label")
    return jax.nn.one_hot(labels, classes, dtype=dtype)


def append_labels(x: Float[Array, "b *shape"], labels: Labels, classes: int) -> Float[Array, "b ..."]:
    """One-hot labels behind the numbers of a vector, or as constant planes behind the channels of an image."""
    planes = one_hot(labels, classes, x.dtype).reshape(len(x), *(1,) * (x.ndim - 2), classes)
    return jnp.concatenate([x, jnp.broadcast_to(planes, (*x.shape[:-1], classes))], axis=-1)


class ClassBatchNorm(nnx.BatchNorm, TakesLabels):
    """Batch norm with one scale and shift per class, de Vries et al. (2017), as in the official WGAN-GP code.

    The statistics are those of all classes together.
    """

    def __init__(self, features: int, classes: int, *, rngs: nnx.Rngs):
        super().__init__(features, **BATCH, rngs=rngs)  # draws as much as a plain one: what follows starts the same
        self.scale = self.bias = nnx.data(None)
        self.scales = nnx.Param(jnp.ones((classes, features)))
        self.shifts = nnx.Param(jnp.zeros((classes, features)))

    def __call__(  # type: ignore[override]  # Flax's second argument is another
        self, x: Float[Array, "b *shape"], labels: Labels = None
    ) -> Float[Array, "b *shape"]:
        wide = super().__call__(x.astype(jnp.promote_types(x.dtype, jnp.float32)))
        rows = one_hot(labels, len(self.scales[...]), wide.dtype)
        # as a product the gradient of a class's row adds up in one order
        scale, shift = (jnp.matmul(rows, t[...], precision="highest") for t in (self.scales, self.shifts))
        shape = (len(x), *(1,) * (x.ndim - 2), -1)
        return (scale.reshape(shape) * wide + shift.reshape(shape)).astype(x.dtype)


class Projection(TakesLabels):
    """V_y . phi + psi(phi), the output of Miyato and Koyama's (2018) discriminator, eq. 3; psi is linear.

    V is a linear map of one-hot labels, (b, classes) -> (b, features).
    """

    def __init__(self, psi: Linear, embedding: Linear):
        self.psi, self.embedding = psi, embedding

    def __call__(self, phi: Float[Array, "b features"], labels: Labels = None) -> Float[Array, "b 1"]:
        v = self.embedding(one_hot(labels, len(self.embedding.kernel[...]), phi.dtype))
        return (v * phi).sum(1, keepdims=True) + self.psi(phi)


class ConditionalNetwork(TakesLabels):
    """A network that needs labels; they are appended to its input too unless `appended`, their classes, is 0.

    A `flat` one reads vectors, to which labels are appended as numbers.
    """

    def __init__(self, network: Network, appended: int = 0, *, flat: bool = False):
        self.network, self.appended, self.flat = network, appended, flat

    def __call__(self, x: Float[Array, "b ..."], labels: Labels = None) -> Float[Array, "b ..."]:
        return self.network(self._input(x, labels), labels)

    def before_output(self, x: Float[Array, "b ..."], labels: Labels = None) -> Float[Array, "b d"]:
        """What the output layer of an encoder sees."""
        return self.network.before_output(self._input(x, labels), labels)

    def _input(self, x: Float[Array, "b ..."], labels: Labels) -> Float[Array, "b ..."]:
        x = x.reshape(len(x), -1) if self.flat else x
        return append_labels(x, labels, self.appended) if self.appended else x
