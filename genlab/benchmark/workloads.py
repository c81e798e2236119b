"""What is timed: methods as genlab trains them, on random images of the size of a well-known set."""

from dataclasses import dataclass, replace
from typing import Any

from genlab.errors import require
from genlab.methods.game import Method
from genlab.methods.vae import VAE
from genlab.methods.wgan_gp import WGANGP
from genlab.nn.net import Compute, Net
from genlab.parts.optimizer import Optimizer

IMAGES = 4096  # random ones, in the device's memory


@dataclass(frozen=True)
class Workload:
    """One row of the table."""

    method: Method
    shape: tuple[int, ...]  # (h, w, c) of the images
    batch: int  # examples per update

    def variant(self, batch: int | None, compute: Compute) -> "Workload":
        """The same at another batch size, or with networks that compute in another type."""
        nets: dict[str, Any] = {
            name: replace(value, compute=compute) for name, value in vars(self.method).items() if isinstance(value, Net)
        }
        return replace(self, method=replace(self.method, **nets), batch=batch or self.batch)


adam = Optimizer(learning_rate=1e-4, b1=0.5, b2=0.9)
mlp = Net("mlp", width=400, depth=1)
WORKLOADS = {
    # the official code's networks for MNIST-like and CIFAR-like images (gan_mnist.py at 32 pixels, gan_cifar_resnet.py)
    "dcgan32": Workload(
        WGANGP(
            latent=128,
            generator=Net("dcgan", width=64, norm="batch"),
            critic=Net("dcgan", width=64, activation="leaky_relu"),
            generator_optimizer=adam,
            critic_optimizer=adam,
        ),
        (32, 32, 1),
        64,
    ),
    "resnet32": Workload(
        WGANGP(
            latent=128,
            generator=Net("resnet", width=128, norm="batch"),
            critic=Net("resnet", width=128),
            generator_optimizer=adam,
            critic_optimizer=adam,
        ),
        (32, 32, 3),
        64,
    ),
    "vae_mlp": Workload(VAE(latent=20, encoder=mlp, decoder=mlp), (28, 28, 1), 128),
    "vae_dcgan32": Workload(
        VAE(latent=64, encoder=Net("dcgan", width=32), decoder=Net("dcgan", width=32)), (32, 32, 3), 128
    ),
}


def find(name: str) -> Workload:
    """The workload of this name, `resnet32` or with its batch size `resnet32:512`.

    Raises:
        Invalid: there is none, or the batch size is no whole number above 0.
    """
    name, _, batch = name.partition(":")
    require(name in WORKLOADS, "workloads", name, f"one of {', '.join(WORKLOADS)}")
    fits = not batch or (batch.isdecimal() and len(batch) < 10 and int(batch) > 0)
    require(fits, "workloads", f"{name}:{batch}", "a batch size above 0, of 9 digits at most")
    return WORKLOADS[name].variant(int(batch) if batch else None, "float32")
