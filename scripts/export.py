"""A trained model as files that need no genlab: `python scripts/export.py runs/wgan_gp --out export`."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from genlab import cli


@dataclass(frozen=True)
class Command:
    """Write a trained model as StableHLO programs, weights and a model card."""

    run_dir: tyro.conf.Positional[Path]
    """Folder of the run."""
    out: Path = Path("export")
    """Folder to write, of no suffix, which must be empty or not exist yet."""
    step: int | None = None
    """Which checkpoint; the newest by default."""
    ema: bool = True
    """Averaged weights, or those of the last iteration."""


def command(argv: list[str]) -> None:
    """Load, lower, write."""
    settings = cli.arguments(Command, argv)
    from genlab.model import load
    from genlab.serve.export import write

    write(load(settings.run_dir, settings.step, settings.ema), settings.run_dir, settings.out)
    print(settings.out)


if __name__ == "__main__":
    cli.main(command)
