"""What a network is made of."""

from dataclasses import dataclass
from typing import Literal

from genlab.errors import require

Compute = Literal["float32", "bfloat16"]
DEPTH = 100  # layers, which are built one by one, and compiled so


@dataclass(frozen=True)
class Net:
    """The make of one network."""

    backbone: Literal["mlp", "dcgan", "resnet", "densenet"] = "mlp"
    """mlp (images and points), dcgan (5x5 convolutions of stride 2, images of 8 to 64 pixels), resnet (the WGAN-GP
    paper's residual blocks, images of 8 to 64 pixels, even) or densenet (densely connected blocks, the same images)."""
    width: int = 256
    """Hidden units of an mlp, channels of a resnet, channels of a dcgan at its finest side, doubled at each halving;
    channels that each layer of a densenet adds (its growth rate, in the paper 12 to 40)."""
    depth: int = 3
    """Hidden layers of an mlp, layers of each of a densenet's blocks; the depth of the others follows from the image
    size."""
    norm: Literal["none", "batch", "layer", "instance"] = "none"
    """Normalisation of the hidden layers."""
    spectral: bool = False
    """Whether all weights are divided by their spectral norm, whatever else normalises the hidden layers."""
    attention: int = 0
    """Side of the feature map that a self-attention block follows; 0 is none."""
    activation: Literal["relu", "leaky_relu", "elu", "silu", "gelu", "tanh"] = "relu"
    """Activation of the hidden layers."""
    pool: Literal["mean", "sum"] = "mean"
    """How a resnet or densenet that encodes goes from its last maps to one number per channel: their mean, as in
    Gulrajani et al. (2017), or their sum, as in Miyato et al. (2018) and Miyato and Koyama (2018), whose spectral norm
    leaves no layer to make up for the factor. An mlp and a dcgan, and all decoders, have nothing to pool."""
    dropout: float = 0.0
    """Share of the hidden units that are zeroed after an activation, in training."""
    init: Literal["official", "glorot", "he", "orthogonal"] = "official"
    """Initial weights: those of the official WGAN-GP code, or one scheme for all layers."""
    compute: Compute = "float32"
    """Type of the network's arithmetic; parameters, statistics, losses and penalties are float32 with either."""

    def __post_init__(self) -> None:
        require(self.width >= 1, "width", self.width, "at least 1")
        require(1 <= self.depth <= DEPTH, "depth", self.depth, f"from 1 to {DEPTH}")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "in [0, 1)")
        if self.backbone == "mlp":
            maps = "allowed in an mlp, which has no feature maps"
            require(self.norm != "instance", "norm", self.norm, f"{maps} to normalise; use layer or batch")
            require(not self.attention, "attention", self.attention, f"{maps} to attend to; use another backbone")
