"""Measure trained models, or any program's images, against real examples: `python scripts/evaluate.py runs/wgan_gp`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tyro

from genlab import cli
from genlab.data.config import Data
from genlab.evaluate.evaluator import Settings


@dataclass(frozen=True)
class Command(Settings):
    """Measure trained models of one data set; each result is also appended to evaluation.jsonl in its run folder."""

    run_dirs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Folders of the runs."""
    npz: tuple[Path, ...] = ()
    """Other programs' images: .npz files whose first array is uint8 (n, h, w) or (n, h, w, c)."""
    folder: tuple[Path, ...] = ()
    """Other programs' images: folders of image files, all of one size."""
    data: Data = field(default_factory=Data)
    """The data set to measure --npz and --folder against, where there are no runs."""
    step: int | Literal["last", "best", "both"] = "both"
    """Which checkpoint: an iteration, the last, the best by its validation, or the last and the best."""
    steps: tuple[int, ...] = ()
    """Several checkpoints, by their iterations, as one: their samples mixed, as of a snapshot ensemble."""
    ema: bool = True
    """Averaged weights, or those of the last iteration."""
    decay: float | None = None
    """Which average, of runs that have several: its decay, one of train.ema; the first by default."""


def command(argv: list[str]) -> None:
    """Load, sample, measure, print, record."""
    settings = cli.arguments(Command, argv)
    from genlab.evaluate.evaluator import evaluate
    from genlab.evaluate.inputs import load_images, load_runs
    from genlab.evaluate.report import record, table

    ema = settings.ema and settings.protocol == "none"
    results = evaluate(
        load_runs(settings.run_dirs, settings.step, ema, settings.decay, settings.steps),
        load_images(settings.npz, settings.folder, settings.run_dirs, settings.data),
        settings.data,
        settings,
    )
    print(table(results))
    record(results)


if __name__ == "__main__":
    cli.main(command)
