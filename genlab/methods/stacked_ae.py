"""The stacked autoencoder: layers trained one by one, then all together."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import at_least, require
from genlab.kernels.corruption import Corruption, corrupt
from genlab.kernels.random import Keys, normal
from genlab.methods.game import Encoding, Player
from genlab.nn.net import Net
from genlab.nn.network import decoder, encoder
from genlab.parts.codes import Codes, codes
from genlab.parts.optimizer import Optimizer
from genlab.parts.pixels import blank, squash
from genlab.parts.squared_error import error
from genlab.parts.types import Labels, Metrics, Networks, Turn


@dataclass(frozen=True)
class StackedAE(Encoding):
    """Stacked autoencoder: greedy layer-wise pre-training, then fine-tuning of the whole.

    Bengio et al. (2007), with deterministic layers: in phase k, layer k of the encoder and the layer of the
    decoder that mirrors it are an autoencoder of what the finished layers below make of the examples. A layer's input
    may be corrupted, which makes it the stacked denoising autoencoder of Vincent et al. (2010).
    """

    sampling = ("encoder", "decoder", "codes")
    headline = ("model/loss", "model/rmse")
    monitor = "validation/model/loss"

    latent: int = 16
    """Dimensions of the latent space."""
    encoder: Net = field(default_factory=Net)
    """Examples to latents."""
    decoder: Net = field(default_factory=Net)
    """Latents to examples."""
    optimizer: Optimizer = field(default_factory=Optimizer)
    """The optimiser of both."""
    phase: int = 500
    """Iterations in which each layer is trained on its own; fine-tuning follows."""
    layer_optimizer: Optimizer = field(default_factory=Optimizer)
    """The optimiser of each layer in its phase."""
    corruption: Corruption = field(default_factory=lambda: Corruption(level=0.0))
    """What is done to a layer's input in its phase, not in fine-tuning; blank is black in images, 0 in codes."""

    def __post_init__(self) -> None:
        at_least(self, 1, "latent", "phase")
        for name, net in (("encoder", self.encoder), ("decoder", self.decoder)):
            require(net.backbone == "mlp", f"{name}.backbone", net.backbone, "mlp: only its layers are trained singly")
        mirrored = (self.encoder.depth, self.encoder.width)
        require((self.decoder.depth, self.decoder.width) == mirrored, "decoder", self.decoder, "of the encoder's size")

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        return {
            "encoder": encoder(self.encoder, shape, self.latent, rngs),
            "decoder": decoder(self.decoder, self.latent, shape, rngs),
            "codes": Codes(self.latent),
        }

    def players(self) -> tuple[Player, ...]:
        depth, owned = self.encoder.depth, ("encoder", "decoder")  # hidden layers; a last one makes the latent
        return (
            *(
                Player(
                    f"layer{k}",
                    owned,
                    partial(self.layer_loss, k),
                    self.layer_optimizer,
                    part=(f"encoder/layers/layers/{k}", f"decoder/layers/layers/{depth - k}"),
                    start=k * self.phase,
                    stop=(k + 1) * self.phase,
                )
                for k in range(depth + 1)
            ),
            Player("model", (*owned, "codes"), self.loss, self.optimizer, start=(depth + 1) * self.phase),
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
        z = self.encode(networks, batch.x)
        codes(networks).update(z)
        return error(batch.x, self.decode(networks, z))

    def encode(
        self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None
    ) -> Float[Array, "b latent"]:
        return networks["encoder"](x)

    def decode(
        self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None
    ) -> Float[Array, "b *shape"]:
        return squash(networks["decoder"](z))

    def draw_latents(self, networks: Networks, keys: Keys) -> Float[Array, "b latent"]:
        return codes(networks)(normal(keys, (self.latent,)))


def _layers(network: nnx.Module) -> list[Any]:
    """The layers of an mlp from its input to its output."""
    mlp: Any = network
    return list(mlp.layers.layers)
