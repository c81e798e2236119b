"""The autoencoder: plain, denoising (Vincent et al. 2008), sparse, contractive (Rifai et al. 2011), or all of these."""

from dataclasses import dataclass, field

from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import at_least, require
from genlab.kernels.corruption import Corruption, corrupt
from genlab.kernels.random import Keys, fold, normal
from genlab.methods.game import Encoding, Player
from genlab.nn.net import Net
from genlab.nn.network import decoder, encoder
from genlab.parts.codes import Codes, codes
from genlab.parts.contraction import Contraction
from genlab.parts.metrics import batch_mean
from genlab.parts.optimizer import Optimizer
from genlab.parts.pixels import blank, squash
from genlab.parts.sparsity import Sparsity
from genlab.parts.squared_error import error
from genlab.parts.types import Labels, Metrics, Networks, Turn


@dataclass(frozen=True)
class AE(Encoding):
    """Autoencoder: minimises the squared error of the reconstruction, plus penalties on the codes.

    It is sampled from a Gaussian fitted to its codes: those of corrupted examples, if that is what the decoder sees.
    """

    sampling = ("encoder", "decoder", "codes")
    headline = ("model/loss", "model/rmse")
    monitor = "validation/model/loss"

    latent: int = 16
    """Dimensions of the latent space: the number of the code's units."""
    encoder: Net = field(default_factory=Net)
    """Examples to latents."""
    decoder: Net = field(default_factory=Net)
    """Codes to examples."""
    optimizer: Optimizer = field(default_factory=Optimizer)
    """The optimiser of both."""
    corruption: Corruption = field(default_factory=lambda: Corruption(level=0.0))
    """What is done to the examples before they are encoded; the reconstruction is compared with the clean ones."""
    sparsity: Sparsity = field(default_factory=Sparsity)
    """Whether few of the code's units are active at a time."""
    contraction: Contraction = field(default_factory=Contraction)
    """Whether codes are held from moving with the (clean) examples."""

    def __post_init__(self) -> None:
        at_least(self, 1, "latent")
        per_example = "allowed under a contractive penalty: batch norm couples the examples; use layer or none"
        require(not self.penalised or self.encoder.norm != "batch", "encoder.norm", self.encoder.norm, per_example)

    @property
    def penalised(self) -> tuple[str, ...]:
        return ("encoder",) if self.contraction.weight > 0 else ()

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        return {
            "encoder": encoder(self.encoder, shape, self.latent, rngs),
            "decoder": decoder(self.decoder, self.latent, shape, rngs),
            "codes": Codes(self.latent),
        }

    def players(self) -> tuple[Player, ...]:
        return (Player("model", ("encoder", "decoder", "codes"), self.loss, self.optimizer),)

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        """The squared error against the clean examples, plus the penalties; `penalty` is the sum of these."""
        z = self.encode(networks, corrupt(batch.x, keys, self.corruption, blank(batch.x)))
        codes(networks).update(z)
        loss, metrics = error(batch.x, self.decode(networks, z))
        penalties = []
        if self.sparsity.kind != "none":
            active = self.sparsity.units(z)
            penalties.append(self.sparsity.penalty(active))
            metrics["activity"] = batch_mean(active.mean(1))
        if self.contraction.weight > 0:
            signs = fold(keys, 1) if self.corruption.level else keys  # apart from the draws of the corruption
            penalties.append(self.contraction.penalty(lambda x: self.code(networks, x), batch.x, signs))
        for penalty in penalties:
            loss = loss + penalty
            metrics["penalty"] = metrics.get("penalty", 0) + penalty
        return loss, metrics

    def code(self, networks: Networks, x: Float[Array, "b *shape"]) -> Float[Array, "b latent"]:
        """What the decoder sees of an example: the activities of its code's units."""
        return self.sparsity.units(self.encode(networks, x))

    def encode(
        self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None
    ) -> Float[Array, "b latent"]:
        return networks["encoder"](x)

    def decode(
        self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None
    ) -> Float[Array, "b *shape"]:
        return squash(networks["decoder"](self.sparsity.units(z)))

    def draw_latents(self, networks: Networks, keys: Keys) -> Float[Array, "b latent"]:
        return codes(networks)(normal(keys, (self.latent,)))
