"""Explore a trained model in a browser: `python scripts/explore.py runs/wgan_gp`."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from genlab import cli


@dataclass(frozen=True)
class Command:
    """Serve a page with a map of the latent space, what its points decode to, and the run's course."""

    run_dir: tyro.conf.Positional[Path]
    """Folder of the run."""
    port: int = 8000
    """Where to serve it; 0 takes any that is free."""
    host: str = "127.0.0.1"
    """The address to serve it at; 0.0.0.0 shows it to the whole network."""
    step: int | None = None
    """Which checkpoint; the newest by default."""
    ema: bool = True
    """Averaged weights, or those of the last iteration."""


def command(argv: list[str]) -> None:
    """Load, map, serve."""
    settings = cli.arguments(Command, argv)
    from genlab.model import load
    from genlab.serve.server import app, serve

    serve(app(load(settings.run_dir, settings.step, settings.ema), settings.run_dir), settings.host, settings.port)


if __name__ == "__main__":
    cli.main(command)
