"""Train presets with several seeds and print them as one table: `python scripts/leaderboard.py --presets ae vae`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from genlab import cli
from genlab.data.config import Data
from genlab.evaluate.evaluator import Settings


@dataclass(frozen=True)
class Command(Settings):
    """Train presets with several seeds, or reuse the runs, measure all in one way, and print a table in Markdown."""

    presets: tuple[str, ...] = ("ae", "vae", "gan", "wgan_gp")
    """Files of configs/."""
    repeats: int = 5
    """Seeds of training: 0, 1, ..."""
    runs: Path = Path("runs/leaderboard")
    """Where the runs are, or will be."""
    steps: int | None = None
    """Iterations of training, instead of each preset's own."""
    data: Data = field(default_factory=Data)
    """The data set of all of them."""
    which: Literal["last", "best"] = "last"
    """The checkpoint to measure."""


def command(argv: list[str]) -> None:
    """Train what is not trained yet, measure, print."""
    settings = cli.arguments(Command, argv)
    from genlab.errors import require
    from genlab.evaluate.leaderboard import evaluate_presets, markdown
    from genlab.lab.presets import train_presets

    require(settings.repeats >= 1, "repeats", settings.repeats, "at least 1")
    presets = {name: cli.preset(name) for name in settings.presets}
    runs = train_presets(presets, settings.repeats, settings.data, settings.steps, settings.runs)
    print(markdown(*evaluate_presets(runs, settings.which, settings.data, settings)))


if __name__ == "__main__":
    cli.main(command)
