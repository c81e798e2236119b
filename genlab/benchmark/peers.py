"""Other projects' own networks and training steps, timed where they are installed."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from genlab.errors import Invalid, require


@dataclass(frozen=True)
class Peer:
    """A project to compare with."""

    module: str
    install: str
    workload: str  # the one that it has too
    trainer: Callable[[Any], Any]


class Mimicry:
    """torch-mimicry's WGAN-GP: its residual networks (generator 256 wide), its steps and its optimiser settings."""

    def __init__(self, side: Any):
        import torch
        from torch_mimicry.nets.wgan_gp.wgan_gp_32 import WGANGPDiscriminator32, WGANGPGenerator32
        from torch_mimicry.training.metric_log import MetricLog

        self.side, self.log = side, MetricLog()
        self.critic, self.generator = (
            WGANGPDiscriminator32().to(side.torch_device),
            WGANGPGenerator32().to(side.torch_device),
        )
        self.critic_adam = torch.optim.Adam(self.critic.parameters(), 2e-4, betas=(0.0, 0.9))
        self.generator_adam = torch.optim.Adam(self.generator.parameters(), 2e-4, betas=(0.0, 0.9))

    def update(self) -> None:
        """One update of the critic."""
        batch = (self.side.real(), None)
        self.critic.train_step(
            batch, netG=self.generator, optD=self.critic_adam, log_data=self.log, device=self.side.torch_device
        )

    def iteration(self) -> None:
        """Five updates of the critic and one of the generator, as its trainer has them."""
        for _ in range(5):
            self.update()
        batch, torch_device = (self.side.real(), None), self.side.torch_device
        self.generator.train_step(
            batch, netD=self.critic, optG=self.generator_adam, log_data=self.log, device=torch_device
        )

    def compile(self) -> None:
        """It is not compiled."""


class Pythae:
    """pythae's VAE with its default networks (784-512-20-512-784) and a Bernoulli likelihood."""

    def __init__(self, side: Any):
        import torch
        from pythae.models import VAE, VAEConfig

        size, _, channels = side.shape
        config = VAEConfig(input_dim=(channels, size, size), latent_dim=20, reconstruction_loss="bce")
        self.side, self.model = side, VAE(config).to(side.torch_device)
        self.adam = torch.optim.Adam(self.model.parameters(), 1e-3)

    def update(self) -> None:
        """One update."""
        loss = self.model({"data": (self.side.real() + 1) / 2}).loss
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()

    iteration = update

    def compile(self) -> None:
        """It is not compiled."""


MIMICRY_PACKAGES = "torch-mimicry tensorboard torchvision scikit-image tensorflow"
PEERS = {
    "mimicry": Peer("torch_mimicry", MIMICRY_PACKAGES, "resnet32", Mimicry),
    "pythae": Peer("pythae", "pythae", "vae_mlp", Pythae),
}


def has_workload(peer: str, workload: str) -> bool:
    """Whether a peer has this workload.

    Raises:
        Invalid: it is unknown, or not installed.
    """
    require(peer in PEERS, "peer", peer, f"one of {', '.join(PEERS)}")
    if importlib.util.find_spec(PEERS[peer].module) is None:
        raise Invalid(f"peer: {peer} is not installed; pip install {PEERS[peer].install}")
    return workload.partition(":")[0] == PEERS[peer].workload
