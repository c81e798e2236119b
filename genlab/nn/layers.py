"""Layers: linear maps on genlab's kernels, with or without spectral norm; activations; dropout."""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.errors import Invalid
from genlab.kernels import convolution
from genlab.kernels.random import Keys, fold, uniform
from genlab.kernels.spectral import power_iteration, spectral_norm
from genlab.nn.initialisers import Fans, glorot, he, initialiser, scaled_uniform

AXIS = "data"  # the mapped axis of devices; batch statistics are means over it
Side = Literal["same", "half", "double"]  # what becomes of the side of an image
Maps = Float[Array, "b h w c"]

ACTIVATIONS: dict[str, Callable] = {
    "relu": jax.nn.relu,
    "leaky_relu": lambda x: jax.nn.leaky_relu(x, 0.2),
    "elu": jax.nn.elu,
    "silu": jax.nn.silu,
    "gelu": jax.nn.gelu,
    "tanh": jnp.tanh,
}


class Affine(nnx.Module):
    """A linear map with its kernel, and a bias for each of its outputs unless a normalisation takes it out again.

    Under spectral norm the kernel is divided by its spectral norm (Miyato et al. 2018, eq. 8). As in their code, that
    of the matrix (outputs, all else), which for a convolution is not the map's own norm.
    """

    outputs_axis = -1  # of the kernel

    def __init__(
        self,
        shape: tuple[int, ...],
        fans: Fans,
        official: nnx.Initializer,
        *,
        rngs: nnx.Rngs,
        init: str = "official",
        spectral: bool = False,
        bias: bool = True,
    ):
        key, outputs = rngs.params(), (shape[self.outputs_axis],)
        self.kernel = nnx.Param(initialiser(init, official, fans, self.outputs_axis)(key, shape))
        self.bias = nnx.Param(jnp.zeros(outputs)) if bias else None
        self.fans = fans
        # the left singular vector that power iteration has come to; its key is the kernel's, so that kernels start the
        # same with spectral norm and without
        start = nnx.BatchStat(jax.random.normal(jax.random.fold_in(key, 1), outputs)) if spectral else None
        self.u: nnx.BatchStat | None = nnx.data(start)
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

    def iterate(self) -> None:
        """Move u by one power iteration, if the layer is under spectral norm and in training."""
        if self.u is not None and not self.use_running_average:
            self.u[...] = power_iteration(jax.lax.stop_gradient(self._matrix()), self.u[...])[0]

    def _matrix(self) -> Float[Array, "outputs inputs"]:
        last = jnp.moveaxis(self.kernel[...], self.outputs_axis, -1)
        return last.reshape(-1, last.shape[-1]).T


class Linear(Affine):
    """(b, n_in) -> (b, n_out). `gain` is 2 before an activation (He) and 1 elsewhere (Glorot)."""

    def __init__(self, n_in: int, n_out: int, *, gain: Literal[1, 2] = 2, **options: Any):
        super().__init__((n_in, n_out), Fans(n_in, n_out), he if gain == 2 else glorot, **options)

    def linear(self, x: Float[Array, "b n_in"], kernel: Float[Array, "n_in n_out"]) -> Float[Array, "b n_out"]:
        return x @ kernel


class Conv(Affine):
    """SAME convolution, channels last: (b, h, w, c_in) -> (b, ceil(h / stride), ceil(w / stride), c_out).

    `gain` is 2 before an activation and 1 elsewhere, see `scaled_uniform`.
    """

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1, *, gain: Literal[1, 2] = 2, **options: Any):
        fans = Fans(c_in * kernel**2, c_out * kernel**2 / stride**2)
        super().__init__((kernel, kernel, c_in, c_out), fans, scaled_uniform(*fans, gain), **options)
        self.stride = stride

    def linear(self, x: Maps, kernel: Float[Array, "kh kw c c2"]) -> Float[Array, "b h2 w2 c2"]:
        return convolution.conv(x, kernel, self.stride)


class ConvTranspose(Affine):
    """Transpose of a SAME convolution: (b, h, w, c_in) -> (b, stride h, stride w, c_out)."""

    outputs_axis = -2

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, **options: Any):
        fans = Fans(c_in * kernel**2 / stride**2, c_out * kernel**2)
        super().__init__((kernel, kernel, c_out, c_in), fans, scaled_uniform(*fans), **options)
        self.stride = stride

    def linear(self, x: Maps, kernel: Float[Array, "kh kw c2 c"]) -> Float[Array, "b h2 w2 c2"]:
        return convolution.conv_transpose(x, kernel, self.stride)


class Resample(Affine):
    """3x3 convolution, then the mean over 2x2 blocks ("half"), or after pixels are repeated 2x2 ("double").

    Each is one convolution of stride 2 or its transpose: the same function at 4/9 of the work.
    """

    def __init__(self, c_in: int, c_out: int, side: Side, **options: Any):
        fans = Fans(9 * c_in, 9 * c_out)
        super().__init__((3, 3, c_in, c_out), fans, scaled_uniform(*fans), **options)
        self.side = side

    def linear(self, x: Maps, kernel: Float[Array, "3 3 c c2"]) -> Float[Array, "b h2 w2 c2"]:
        match self.side:
            case "half":
                return convolution.conv_mean_pool(x, kernel)
            case "double":
                return convolution.upsample_conv(x, kernel)
        return convolution.conv(x, kernel)


class ExampleKeys(nnx.Variable):
    """Keys of a batch's examples: neither parameter nor statistic."""


class Dropout(nnx.Module):
    """Zeroes units with probability `rate` and divides the others by 1 - rate (Srivastava et al. 2014, section 10).

    Acts only while it has keys, those of an update's examples, see `start_update`; within the update an example's
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

    def choose(self, keys: Keys) -> None:
        """From now on drop the units that these keys choose, if in training."""
        if not self.deterministic:
            self.keys = ExampleKeys(keys)


def start_update(network: nnx.Module, keys: Keys) -> None:
    """What comes once in an update, before any pass: power iterations, and this batch's keys to every dropout.

    All passes of an update so see one function, however they are nested in derivatives. What is in evaluation mode, as
    frozen parts are, stays as it is.
    """
    layers = [module for _, module in nnx.iter_modules(network)]
    for layer in layers:
        if isinstance(layer, Affine):
            layer.iterate()
    for i, layer in enumerate(layer for layer in layers if isinstance(layer, Dropout)):
        layer.choose(fold(keys, i))
