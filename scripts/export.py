"""A trained model as files that need no genlab: `python scripts/export.py runs/wgan_gp --out export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from genlab import cli


@dataclass(frozen=True)
class Command:
    """Write a trained model as StableHLO programs, weights and a model card."""

    run_dir: tyro.conf.Positional[Path]
    """Folder of the run."""
    out: Path = Path("export")
    """Folder to write, of no suffix, which must be empty or not exist yet."""
    weights: Annotated[cli.Weights, tyro.conf.arg(name="")] = cli.Weights()


def command(argv: list[str]) -> None:
    """Load, lower, write."""
    settings = cli.arguments(Command, argv)
    from genlab.model import load
    from genlab.serve.export import write

    write(load(settings.run_dir, **vars(settings.weights)), settings.run_dir, settings.out)
    print(settings.out)


if __name__ == "__main__":
    cli.main(command)
