"""Explore trained models in a browser: `python scripts/explore.py runs/wgan_gp`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from genlab import cli


@dataclass(frozen=True)
class Command:
    """Serve a page with a map of the latent space, what its points decode to, and the run's course.

    Of several runs the page is their comparison, and leads to that of each.
    """

    run_dirs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs, or folders of such folders."""
    port: int = 8000
    """Where to serve it; 0 takes any that is free."""
    host: str = "127.0.0.1"
    """The address to serve it at; 0.0.0.0 shows it to the whole network."""
    weights: Annotated[cli.Weights, tyro.conf.arg(name="")] = cli.Weights()


def command(argv: list[str]) -> None:
    """Load, map, serve."""
    settings = cli.arguments(Command, argv)
    from genlab.lab.groups import find_runs
    from genlab.model import load
    from genlab.serve import server, several

    folders = [run.folder.path for run in find_runs(settings.run_dirs)]
    if len(folders) == 1:
        application = server.app(load(folders[0], **vars(settings.weights)), folders[0])
    else:
        application = several.app(folders, vars(settings.weights))
    server.serve(application, settings.host, settings.port)


if __name__ == "__main__":
    cli.main(command)
