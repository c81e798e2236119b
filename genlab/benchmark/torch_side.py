"""PyTorch's side of a benchmark: the same networks, losses, optimiser and averaged weights, written as its users would.

Images are channels first; convolutions pad symmetrically, which costs the same as SAME padding.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from genlab.benchmark.side import Side, Task
from genlab.benchmark.workloads import IMAGES, Workload
from genlab.methods.vae import VAE
from genlab.methods.wgan_gp import WGANGP
from genlab.nn import dcgan, resnet
from genlab.nn.net import Net
from genlab.parts.optimizer import Optimizer

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "leaky_relu": lambda: nn.LeakyReLU(0.2)}


def _norm(net: Net, channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels)] if net.norm == "batch" else []


def _mlp(net: Net, n_in: int, n_out: int) -> list[nn.Module]:
    widths = [n_in] + [net.width] * net.depth
    hidden = [[nn.Linear(a, b), ACTIVATIONS[net.activation]()] for a, b in zip(widths, widths[1:], strict=False)]
    return [layer for layers in hidden for layer in layers] + [nn.Linear(widths[-1], n_out)]


class Resize(nn.Module):
    """The mean over 2x2 blocks, or each pixel repeated 2x2."""

    def __init__(self, side: str):
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        if self.side == "half":
            return F.avg_pool2d(x, 2)
        return F.interpolate(x, scale_factor=2) if self.side == "double" else x


class Block(nn.Module):
    """A residual block as its authors write it."""

    def __init__(self, c_in: int, c_out: int, side: str, net: Net, pixels: bool = False):
        super().__init__()
        bias = net.norm != "batch"
        before = [] if pixels else [*_norm(net, c_in), ACTIVATIONS[net.activation]()]
        self.main = nn.Sequential(
            *before,
            Resize("double" if side == "double" else "same"),
            nn.Conv2d(c_in, c_out, 3, padding=1, bias=bias),
            *([] if pixels else _norm(net, c_out)),
            ACTIVATIONS[net.activation](),
            nn.Conv2d(c_out, c_out, 3, padding=1, bias=bias),
            Resize("half" if side == "half" else "same"),
        )
        straight = side == "same" and c_in == c_out
        resize, conv = Resize(side), nn.Conv2d(c_in, c_out, 1, bias=bias)
        order = [resize, conv] if pixels or side == "double" else [conv, resize]
        self.shortcut: nn.Module = nn.Identity() if straight else nn.Sequential(*order)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.main(x)


class Mean(nn.Module):
    """The mean over the image."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def encoder(net: Net, shape: tuple[int, ...], features: int) -> nn.Module:
    """The twin of `genlab.nn.network.encoder`."""
    size, _, channels = shape
    if net.backbone == "mlp":
        return nn.Sequential(nn.Flatten(), *_mlp(net, size * size * channels, features))
    if net.backbone == "resnet":
        halvings = len(resnet.sides(size, resnet.COARSEST["encoder"])) - 1
        first = Block(channels, net.width, "half", net, pixels=True)
        sides = ["half"] * (halvings - 1) + ["same"] * 2
        rest = [Block(net.width, net.width, side, net) for side in sides]
        return nn.Sequential(first, *rest, ACTIVATIONS[net.activation](), Mean(), nn.Linear(net.width, features))
    maps = dcgan.sides(size)
    widths = [channels] + [net.width * 2**i for i in range(len(maps) - 1)]
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(zip(widths, widths[1:], strict=False)):
        norm = _norm(net, b) if i else []
        conv = nn.Conv2d(a, b, 5, stride=2, padding=2, bias=not norm)
        layers += [conv, *norm, ACTIVATIONS[net.activation]()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(maps[-1] ** 2 * widths[-1], features))


def decoder(net: Net, latent: int, shape: tuple[int, ...]) -> nn.Module:
    """The twin of `genlab.nn.network.decoder`."""
    size, _, channels = shape
    activation, bias = ACTIVATIONS[net.activation], net.norm != "batch"
    if net.backbone == "mlp":
        return nn.Sequential(*_mlp(net, latent, size * size * channels), nn.Unflatten(1, (channels, size, size)))
    if net.backbone == "resnet":
        *finer, side = resnet.sides(size, resnet.COARSEST["decoder"])
        seed = [nn.Linear(latent, side**2 * net.width), nn.Unflatten(1, (net.width, side, side))]
        doubles = [Block(net.width, net.width, "double", net) for _ in finer]
        last = [*_norm(net, net.width), activation(), nn.Conv2d(net.width, channels, 3, padding=1)]
        return nn.Sequential(*seed, *doubles, *last)
    *finer, side = dcgan.sides(size)
    widths = [net.width * 2**i for i in range(len(finer))]
    seed = [nn.Linear(latent, side**2 * widths[-1]), nn.Unflatten(1, (widths[-1], side, side))]
    layers = [*_norm(net, widths[-1]), activation()]
    for a, b in zip(widths[:0:-1], widths[-2::-1], strict=True):
        up = nn.ConvTranspose2d(a, b, 5, stride=2, padding=2, output_padding=1, bias=bias)
        layers += [up, *_norm(net, b), activation()]
    last_up = nn.ConvTranspose2d(widths[0], channels, 5, stride=2, padding=2, output_padding=1)
    return nn.Sequential(*seed, *layers, last_up)


class Counter(TorchDispatchMode):
    """Counts the operations of matrix products and convolutions; PyTorch's own counter fails on a double backward."""

    def __init__(self) -> None:
        super().__init__()
        self.flop = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func._overloadpacket in flop_registry:
            self.flop += flop_registry[func._overloadpacket](*args, **(kwargs or {}), out_val=out)
        return out


class Trainer(Protocol):
    """A workload in PyTorch."""

    def update(self) -> None:
        """One update of the first player."""

    def iteration(self) -> None:
        """Every player's plays."""

    def compile(self) -> None:
        """Compile what can be compiled."""


class Torch(Side):
    """PyTorch, eager or with its networks and losses compiled; `trainer` is another project's, if given."""

    def __init__(self, workload: Workload, compiled: bool = False, trainer: Callable[["Torch"], Trainer] | None = None):
        self.trainer = trainer or (Wasserstein if isinstance(workload.method, WGANGP) else Variational)
        self.method, self.shape, self.batch = workload.method, workload.shape, workload.batch
        self.torch_device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.compiled = compiled
        self.compile_seconds = 0.0
        self.flop = 0.0
        size, _, channels = self.shape
        self.images = torch.randint(0, 256, (IMAGES, channels, size, size), dtype=torch.uint8, device=self.torch_device)
        self.half = any(isinstance(v, Net) and v.compute == "bfloat16" for v in vars(self.method).values())

    def tasks(self) -> dict[Task, Callable[[int], None]]:
        torch.manual_seed(0)
        trainer = self.trainer(self)
        trainer.update()
        with Counter() as counter:
            trainer.update()
        self.flop = counter.flop
        started = time.perf_counter()
        if self.compiled:
            trainer.compile()
            trainer.iteration()
            self._wait()
            self.compile_seconds = time.perf_counter() - started
        return {"update": self._repeat(trainer.update), "iteration": self._repeat(trainer.iteration)}

    def _repeat(self, function: Callable[[], object]) -> Callable[[int], None]:
        def run(times: int) -> None:
            for _ in range(times):
                function()
            self._wait()

        return run

    def _wait(self) -> None:
        if self.torch_device.type == "cuda":
            torch.cuda.synchronize()

    def matmul(self, size: int, compute: str) -> Callable[[int], None]:
        a = torch.randn(size, size, device=self.torch_device, dtype=getattr(torch, compute))
        return self._repeat(lambda: a @ a)

    def device_memory(self) -> int | None:
        return torch.cuda.max_memory_allocated() if self.torch_device.type == "cuda" else None

    def device(self) -> str:
        return torch.cuda.get_device_name() if self.torch_device.type == "cuda" else "cpu"

    def real(self) -> Tensor:
        """A batch of examples in [-1, 1]."""
        rows = torch.randint(0, IMAGES, (self.batch,), device=self.torch_device)
        return self.images[rows].float() / 127.5 - 1

    def autocast(self) -> torch.autocast:
        """Half precision in the networks, if asked for."""
        return torch.autocast(self.torch_device.type, torch.bfloat16, enabled=self.half)

    def optimizer(self, parameters: Sequence[Tensor], config: Optimizer) -> torch.optim.Optimizer:
        """Adam in one kernel, PyTorch's fastest."""
        c: Any = config.resolved()
        return torch.optim.Adam(parameters, c.learning_rate, (c.b1, c.b2), c.eps, fused=True)


class AveragedWeights:
    """Averaged weights."""

    def __init__(self, *networks: nn.Module):
        self.weights = [p for network in networks for p in network.parameters()]
        self.average = [p.detach().clone() for p in self.weights]

    def update_average(self) -> None:
        """One step towards the weights."""
        torch._foreach_lerp_(self.average, [p.detach() for p in self.weights], 0.001)


class Wasserstein:
    """WGAN-GP."""

    def __init__(self, side: Torch):
        assert isinstance(side.method, WGANGP)
        self.side, self.method = side, side.method
        self.generator: Any = decoder(self.method.generator, self.method.latent, side.shape).to(side.torch_device)
        self.critic: Any = encoder(self.method.critic, side.shape, 1).to(side.torch_device)
        self.critic_adam = side.optimizer([*self.critic.parameters()], self.method.critic_optimizer)
        self.generator_adam = side.optimizer([*self.generator.parameters()], self.method.generator_optimizer)
        self.averaged = AveragedWeights(self.generator)

    def compile(self) -> None:
        """Compile both networks; PyTorch has no compiled double backward, and says so when the penalty asks for it."""
        torch._functorch.config.donated_buffer = False
        self.generator, self.critic = torch.compile(self.generator), torch.compile(self.critic)

    def fake(self) -> Tensor:
        """A batch of samples."""
        z = torch.randn(self.side.batch, self.method.latent, device=self.side.torch_device)
        with self.side.autocast():
            return torch.tanh(self.generator(z)).float()

    def update(self) -> None:
        """One update of the critic."""
        real = self.side.real()
        with torch.no_grad():
            fake = self.fake()
        epsilon = torch.rand(len(real), 1, 1, 1, device=self.side.torch_device)
        between = (epsilon * real + (1 - epsilon) * fake).requires_grad_()
        with self.side.autocast():
            scores, at = self.critic(torch.cat([real, fake])), self.critic(between)
        (gradient,) = torch.autograd.grad(at.float().sum(), between, create_graph=True)
        slope = gradient.flatten(1).norm(dim=1)
        value, other = scores.float().chunk(2)
        loss = (other - value).mean() + 10 * ((slope - 1) ** 2).mean()
        self.critic_adam.zero_grad()
        loss.backward()
        self.critic_adam.step()

    def iteration(self) -> None:
        """All updates of the critic, and one of the generator."""
        for _ in range(self.method.n_critic):
            self.update()
        with self.side.autocast():
            loss = -self.critic(self.fake()).float().mean()
        self.generator_adam.zero_grad()
        loss.backward()
        self.generator_adam.step()
        self.averaged.update_average()


class Variational:
    """A VAE with a Bernoulli likelihood."""

    def __init__(self, side: Torch):
        assert isinstance(side.method, VAE)
        self.side, self.method = side, side.method
        self.encoder = encoder(self.method.encoder, side.shape, 2 * self.method.latent).to(side.torch_device)
        self.decoder = decoder(self.method.decoder, self.method.latent, side.shape).to(side.torch_device)
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.adam = side.optimizer(parameters, self.method.optimizer)
        self.averaged = AveragedWeights(self.encoder, self.decoder)
        self.compute: Callable[[Tensor], Tensor] = self.loss

    def compile(self) -> None:
        """Compile the whole loss."""
        self.compute = torch.compile(self.loss)

    def loss(self, x: Tensor) -> Tensor:
        """Minus the evidence lower bound."""
        with self.side.autocast():
            mean, log_variance = self.encoder(x).float().chunk(2, dim=1)
            z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
            logits = self.decoder(z).float()
        distortion = F.binary_cross_entropy_with_logits(logits, (x + 1) / 2, reduction="sum") / len(x)
        return distortion + 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum() / len(x)

    def update(self) -> None:
        """One update."""
        loss = self.compute(self.side.real())
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        self.averaged.update_average()

    iteration = update
