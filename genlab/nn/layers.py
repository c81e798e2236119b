"""Layers: linear maps on genlab's kernels, with or without spectral norm; activations; dropout."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from genlab.errors import Invalid
from genlab.kernels import convolution
from genlab.kernels.random import Keys, fold, uniform
from genlab.kernels.spectral import power_iteration, spectral_norm
from genlab.nn.initialisers import Fans, initialiser, scaled_uniform

AXIS = "data"  # the mapped axis of devices; batch statistics are means over it

ACTIVATIONS: dict[str, Callable] = {
    "relu": jax.nn.relu,
    "leaky_relu": lambda x: jax.nn.leaky_relu(x, 0.2),
    "elu": jax.nn.elu,
    "silu": jax.nn.silu,
    "gelu": jax.nn.gelu,
    "tanh": jnp.tanh,
}


class Network(nnx.Module):
    """A whole network: `forward`, computed in bfloat16 if that is asked for, with parameters and results in float32.

    Layers compute in the type of their input, and take means and variances in float32.
    """

    def __init__(self, compute: str):
        self.compute = compute

    def __call__(self, x: Float[Array, "b ..."], labels: Int[Array, " b"] | None = None) -> Float[Array, "b ..."]:
        """Labels are of no concern here: see `conditional.Informed`."""
        if self.compute == "float32":
            return self.forward(x)
        return self.forward(x.astype(self.compute)).astype(jnp.float32)

    def forward(self, x: Float[Array, "b ..."]) -> Float[Array, "b ..."]:
        """What the network computes."""
        raise NotImplementedError


class Affine(nnx.Module):
    """A linear map with its kernel, and a bias for each of its outputs unless a normalisation takes it out again."""

    outputs_axis = -1  # of the kernel

    def __init__(self, kernel: Float[Array, "..."], fans: Fans, bias: bool):
        self.kernel = nnx.Param(kernel)
        self.bias = nnx.Param(jnp.zeros(kernel.shape[self.outputs_axis])) if bias else None
        self.fans = fans
        # under spectral norm the left singular vector that power iteration has come to
        self.u: nnx.BatchStat | None = nnx.data(None)
        self.use_running_average = False  # as it is called in batch norm: whether u stays as it is

    def __call__(self, x: Float[Array, "b ..."]) -> Float[Array, "b ..."]:
        y = self.linear(x, self.weight().astype(x.dtype))
        return y if self.bias is None else y + self.bias[...].astype(y.dtype)

    def linear(self, x: Float[Array, "b ..."], kernel: Float[Array, "..."]) -> Float[Array, "b ..."]:
        """The map without its bias."""
        raise NotImplementedError

    def weight(self) -> Float[Array, "..."]:
        """The kernel as it is used."""
        kernel = self.kernel[...]
        return kernel if self.u is None else kernel / spectral_norm(self._matrix(), self.u[...])

    def initialise(self, name: str, rngs: nnx.Rngs) -> None:
        """Another kernel, by this initialiser."""
        init = initialiser(name, self.fans, self.outputs_axis)
        self.kernel[...] = init(rngs.params(), self.kernel.shape, self.kernel.dtype)

    def normalise(self, rngs: nnx.Rngs) -> None:
        """From now on divide the kernel by its spectral norm (Miyato et al. 2018, eq. 8).

        As in their code, that of the matrix (outputs, all else), which for a convolution is not the map's own norm.
        """
        self.u = nnx.BatchStat(jax.random.normal(rngs.params(), (self.kernel.shape[self.outputs_axis],)))

    def iterate(self) -> None:
        """Move u by one power iteration, if the layer is under spectral norm and in training."""
        if self.u is not None and not self.use_running_average:
            self.u[...] = power_iteration(jax.lax.stop_gradient(self._matrix()), self.u[...])[0]

    def _matrix(self) -> Float[Array, "outputs inputs"]:
        last = jnp.moveaxis(self.kernel[...], self.outputs_axis, -1)
        return last.reshape(-1, last.shape[-1]).T


class Linear(Affine):
    """(b, n_in) -> (b, n_out)."""

    def __init__(self, n_in: int, n_out: int, *, init: nnx.Initializer, bias: bool = True, rngs: nnx.Rngs):
        super().__init__(init(rngs.params(), (n_in, n_out)), Fans(n_in, n_out), bias)

    def linear(self, x: Float[Array, "b n_in"], kernel: Float[Array, "n_in n_out"]) -> Float[Array, "b n_out"]:
        return x @ kernel


class Conv(Affine):
    """SAME convolution, channels last: (b, h, w, c_in) -> (b, ceil(h / stride), ceil(w / stride), c_out).

    `gain` is 2 before an activation and 1 elsewhere, see `scaled_uniform`.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        stride: int = 1,
        *,
        gain: int = 2,
        bias: bool = True,
        rngs: nnx.Rngs,
    ):
        fans = Fans(c_in * kernel**2, c_out * kernel**2 / stride**2)
        init = scaled_uniform(*fans, gain)
        super().__init__(init(rngs.params(), (kernel, kernel, c_in, c_out)), fans, bias)
        self.stride = stride

    def linear(self, x: Float[Array, "b h w c"], kernel: Float[Array, "kh kw c c2"]) -> Float[Array, "b h2 w2 c2"]:
        return convolution.conv(x, kernel, self.stride)


class ConvTranspose(Affine):
    """Transpose of a SAME convolution: (b, h, w, c_in) -> (b, stride h, stride w, c_out)."""

    outputs_axis = -2

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, *, bias: bool = True, rngs: nnx.Rngs):
        fans = Fans(c_in * kernel**2 / stride**2, c_out * kernel**2)
        super().__init__(scaled_uniform(*fans)(rngs.params(), (kernel, kernel, c_out, c_in)), fans, bias)
        self.stride = stride

    def linear(self, x: Float[Array, "b h w c"], kernel: Float[Array, "kh kw c2 c"]) -> Float[Array, "b h2 w2 c2"]:
        return convolution.conv_transpose(x, kernel, self.stride)


class ExampleKeys(nnx.Variable):
    """Keys of a batch's examples: neither parameter nor statistic."""


class Dropout(nnx.Module):
    """Zeroes units with probability `rate` and divides the others by 1 - rate (Srivastava et al. 2014, section 10).

    Acts only while it has keys, those of an update's examples, which `begin` gives it; within the update an example's
    units are the same ones in every pass, so that a penalised slope is that of the function which is trained. Examples
    may be given several times over, real ones before fake ones, say; row i is example i modulo their number.
    """

    def __init__(self, rate: float):
        self.rate = rate
        self.keys: ExampleKeys | None = nnx.data(None)
        self.deterministic = False

    def __call__(self, x: Float[Array, "b *shape"]) -> Float[Array, "b *shape"]:
        if self.keys is None:
            return x
        keys = self.keys[...]
        if len(x) % len(keys):
            raise Invalid(f"dropout: {len(x)} rows for {len(keys)} examples; it takes each example as often as another")
        kept = jnp.tile(uniform(keys, x.shape[1:]) >= self.rate, (len(x) // len(keys), *(1,) * (x.ndim - 1)))
        return jnp.where(kept, x / (1 - self.rate), 0)


def begin(network: nnx.Module, keys: Keys) -> None:
    """What comes once in an update, before any pass: power iterations, and this batch's keys to every dropout.

    All passes of an update so see one function, however they are nested in derivatives. What is in evaluation mode, as
    frozen parts are, stays as it is.
    """
    layers = [module for _, module in nnx.iter_modules(network)]
    for layer in layers:
        if isinstance(layer, Affine):
            layer.iterate()
    for i, layer in enumerate(layer for layer in layers if isinstance(layer, Dropout)):
        if not layer.deterministic:
            layer.keys = ExampleKeys(fold(keys, i))
