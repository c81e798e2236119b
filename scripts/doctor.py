"""Say what is wrong with a run: `python scripts/doctor.py runs/wgan_gp`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from genlab import cli


@dataclass(frozen=True)
class Command:
    """Examine a run at its newest checkpoint, and say in plain sentences what is wrong with it and what to try."""

    run_dir: tyro.conf.Positional[Path]
    """Folder of the run."""
    overfit: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Instead train its method anew on a few examples alone, and say whether it can learn them by heart."""


def command(argv: list[str]) -> None:
    """Examine, print."""
    settings = cli.arguments(Command, argv)
    from genlab.lab.doctor import examine
    from genlab.lab.overfit import overfit

    print((overfit if settings.overfit else examine)(settings.run_dir))


if __name__ == "__main__":
    cli.main(command)
