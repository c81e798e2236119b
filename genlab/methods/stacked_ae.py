"""The stacked autoencoder: layers trained one by one, then all together."""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import require
from genlab.kernels.corruption import Corruption, corrupt
from genlab.kernels.random import Keys
from genlab.methods.autoencoder import Coded, error
from genlab.methods.game import Player
from genlab.parts.optimizer import Optimizer
from genlab.parts.pixels import blank, squash
from genlab.parts.types import Metrics, Networks, Turn


@dataclass(frozen=True)
class StackedAE(Coded):
    """Stacked autoencoder: greedy layer-wise pre-training, then fine-tuning of the whole.

    Bengio et al. (2007), with deterministic layers: in phase k, layer k of the encoder and the layer of the
    decoder that mirrors it are an autoencoder of what the finished layers below make of the examples. A layer's input
    may be corrupted, which makes it the stacked denoising autoencoder of Vincent et al. (2010).
    """

    phase: int = 500
    """Iterations in which each layer is trained on its own; fine-tuning follows."""
    layer_optimizer: Optimizer = field(default_factory=Optimizer)
    """The optimiser of each layer in its phase."""
    corruption: Corruption = field(default_factory=lambda: Corruption(level=0.0))
    """What is done to a layer's input in its phase, not in fine-tuning; blank is black in images, 0 in codes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.phase >= 1, "phase", self.phase, "at least 1")
        for name, net in (("encoder", self.encoder), ("decoder", self.decoder)):
            require(net.backbone == "mlp", f"{name}.backbone", net.backbone, "mlp: only its layers are trained singly")
        mirrored = (self.encoder.depth, self.encoder.width)
        require((self.decoder.depth, self.decoder.width) == mirrored, "decoder", self.decoder, "of the encoder's size")

    def players(self) -> tuple[Player, ...]:
        (whole,) = super().players()
        depth = self.encoder.depth  # hidden layers; a last one makes the latent
        return (
            *(
                Player(
                    f"layer{k}",
                    ("encoder", "decoder"),
                    partial(self.layer_loss, k),
                    self.layer_optimizer,
                    part=(f"encoder/layers/layers/{k}", f"decoder/layers/layers/{depth - k}"),
                    start=k * self.phase,
                    stop=(k + 1) * self.phase,
                )
                for k in range(depth + 1)
            ),
            replace(whole, start=(depth + 1) * self.phase),
        )

    def layer_loss(
        self, k: int, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """The squared error of layer k's autoencoder, whose input is the output of the layers below it."""
        up, down = _layers(networks["encoder"]), _layers(networks["decoder"])[::-1]
        x = batch.x
        for layer in up[:k]:
            x = layer(x.reshape(len(x), -1))
        y = down[k](up[k](corrupt(x, keys, self.corruption, blank(x)).reshape(len(x), -1))).reshape(x.shape)
        return error(x, y if k else squash(y))

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        """Fine-tuning: the squared error of the reconstruction through all layers."""
        return error(batch.x, self.decode(networks, self.code(networks, batch.x)))


def _layers(network: nnx.Module) -> list[Any]:
    """The layers of an mlp from its input to its output."""
    mlp: Any = network
    return list(mlp.layers.layers)
