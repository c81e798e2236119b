"""Measure trained models against real examples: `python scripts/evaluate.py runs/gan runs/wgan_gp`."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from genlab.train import cli


@dataclass(frozen=True)
class Command:
    """Measure trained models of one data set; each result is also appended to evaluation.jsonl in its run folder."""

    run_dirs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of the runs."""
    n: int = 2000
    """How many samples of each; scores depend on it."""
    seed: int = 0
    """The same seed gives the same samples."""
    step: int | None = None
    """Which checkpoint; the newest by default."""
    ema: bool = True
    """Averaged weights, or those of the last iteration."""


def command(argv: list[str]) -> None:
    """Load, sample, measure, print, record."""
    wish = cli.arguments(Command, argv)
    from genlab.evaluate.report import evaluate, record, table
    from genlab.train.model import load

    models = {path: load(path, wish.step, wish.ema) for path in wish.run_dirs}
    results = evaluate(models, wish.n, wish.seed)
    print(table(results))
    record(results)


if __name__ == "__main__":
    cli.main(command)
