"""What makes the layers of a network, each as its `Net` wants it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, final

from flax import nnx

from genlab.nn import norms
from genlab.nn.attention import SelfAttention
from genlab.nn.conditional import ClassBatchNorm, Projection, Sequential
from genlab.nn.layers import ACTIVATIONS, Conv, ConvTranspose, Dropout, Linear, Resample, Side
from genlab.nn.net import Net


@final
@dataclass(frozen=True)
class Builder:
    """Makes layers with the initialiser, spectral norm, normalisation, activation, dropout and attention of a `Net`."""

    net: Net
    """What the network is made of."""
    rngs: nnx.Rngs
    """Draws first weights, layer by layer in the order in which they are asked for."""
    norm_classes: int = 0
    """Classes whose labels batch norms are given; 0: none."""
    output_classes: int = 0
    """Classes whose labels the output layer is given, a projection; 0: none."""
    output_bias: bool = True
    """Whether the output layer has a bias."""

    def linear(self, n_in: int, n_out: int, *, gain: Literal[1, 2] = 2, bias: bool = True) -> Linear:
        """(b, n_in) -> (b, n_out); `gain` is 2 before an activation and 1 elsewhere."""
        return Linear(n_in, n_out, gain=gain, bias=bias, **self._options)

    def conv(
        self, c_in: int, c_out: int, kernel: int, stride: int = 1, *, gain: Literal[1, 2] = 2, bias: bool = True
    ) -> Conv:
        """(b, h, w, c_in) -> (b, ceil(h / stride), ceil(w / stride), c_out); `gain` as in `linear`."""
        return Conv(c_in, c_out, kernel, stride, gain=gain, bias=bias, **self._options)

    def conv_transpose(self, c_in: int, c_out: int, kernel: int, stride: int, *, bias: bool = True) -> ConvTranspose:
        """(b, h, w, c_in) -> (b, stride h, stride w, c_out)."""
        return ConvTranspose(c_in, c_out, kernel, stride, bias=bias, **self._options)

    def resample(self, c_in: int, c_out: int, side: Side, *, bias: bool) -> Resample:
        """(b, h, w, c_in) -> (b, h2, w2, c_out); `side` is whether it keeps, halves or doubles the side."""
        return Resample(c_in, c_out, side, bias=bias, **self._options)

    def output(self, n_in: int, n_out: int) -> Linear | Projection:
        """An encoder's last layer, (b, n_in) -> (b, n_out); to (b, 1) with labels if it is a projection."""
        linear = self.linear(n_in, n_out, gain=1, bias=self.output_bias)
        if not self.output_classes:
            return linear
        return Projection(linear, self.linear(self.output_classes, n_in, gain=1, bias=False))

    def norm(self, features: int, *, labelled: bool = True) -> Callable:
        """The normalisation of so many channels; of each class's own if there are `norm_classes`, unless not labelled.

        "none" leaves its input as it is.
        """
        if self.net.norm == "none":
            return nnx.identity
        if labelled and self.norm_classes and self.net.norm == "batch":
            return ClassBatchNorm(features, self.norm_classes, rngs=self.rngs)
        return norms.NORMS[self.net.norm](features, rngs=self.rngs)

    @property
    def activation(self) -> Callable:
        """That of the hidden layers."""
        return ACTIVATIONS[self.net.activation]

    def dropout(self) -> Callable:
        """The dropout that follows an activation, if there is any."""
        return Dropout(self.net.dropout) if self.net.dropout else nnx.identity

    def block(self, layer: Callable, features: int, *, normed: bool = True) -> Sequential:
        """layer -> normalisation (unless "none") -> activation -> dropout (unless its rate is 0)."""
        norm = [self.norm(features)] if normed and self.net.norm != "none" else []
        dropout = [self.dropout()] if self.net.dropout else []
        return Sequential(layer, *norm, self.activation, *dropout)

    def attention(self, side: int, channels: int) -> list[Callable]:
        """The attention that follows a map of this side: one block where the network is to have it, else none."""
        return [SelfAttention(channels, **self._options)] if self.net.attention == side else []

    def needs_bias(self, *sides: int) -> bool:
        """Whether a layer before a norm needs a bias: see `norms.needs_bias`. Attention reads maps of these sides."""
        return norms.needs_bias(self.net.norm) or self.net.attention in sides

    @property
    def _options(self) -> dict[str, Any]:
        """What all linear layers share."""
        return {"init": self.net.init, "spectral": self.net.spectral, "rngs": self.rngs}
