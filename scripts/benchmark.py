"""How fast genlab trains, beside PyTorch: `python scripts/benchmark.py`. PyTorch is in `pip install -e ".[bench]"`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from genlab import cli
from genlab.errors import require


@dataclass(frozen=True)
class Command:
    """Time workloads on genlab and on PyTorch, in turn; prints a table and writes JSON."""

    workloads: tuple[str, ...] = ("dcgan32", "resnet32:32", "resnet32", "vae_mlp", "vae_dcgan32")
    """Names, with a batch size after a colon if it is not the usual one."""
    compute: Literal["float32", "bfloat16"] = "float32"
    """Type that the networks compute in."""
    rounds: int = 5
    """How often everything is measured."""
    sides: tuple[Literal["genlab", "torch", "compiled"], ...] = ("genlab", "torch", "compiled")
    """Who takes part: genlab, PyTorch as it is, PyTorch compiled."""
    peer: tuple[Literal["mimicry", "pythae"], ...] = ()
    """Other projects to time beside: mimicry's WGAN-GP with resnet32, pythae's VAE with vae_mlp."""
    loop: bool = False
    """Also time the training loop of --config wgan_gp on images of MNIST's size, beside its bare compiled step."""
    out: Path = Path("benchmark.json")
    """Where the figures go, a .json file."""


def command(argv: list[str]) -> None:
    """Measure, print, record."""
    settings = cli.arguments(Command, argv)
    from genlab.benchmark import overhead
    from genlab.benchmark.report import machine, measure, table
    from genlab.track.atomic import atomic_write

    require(settings.rounds >= 1, "rounds", settings.rounds, "at least 1")
    require(settings.out.suffix == ".json", "out", str(settings.out), "a .json file")
    rows = [
        row
        for name in settings.workloads
        for row in measure(name, settings.compute, settings.rounds, settings.sides, settings.peer)
    ]
    print(table(rows))
    figures: dict[str, Any] = {"machine": machine(rows), "rows": rows}
    if settings.loop:
        figures["loop"] = overhead.measure(cli.preset("wgan_gp"), settings.rounds)
        print(f"\nthe loop takes {figures['loop']['overhead']:+.1%} beside the bare compiled step")
    with atomic_write(settings.out) as part:
        part.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    cli.main(command)
