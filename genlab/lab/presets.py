"""Presets trained with several seeds, for a table."""

from dataclasses import replace
from pathlib import Path

from genlab.config.sections import Config
from genlab.data.config import Data
from genlab.errors import Stopped
from genlab.evaluate.scorer import make_scorer
from genlab.lab.population import train_population


def train_presets(
    presets: dict[str, Config], repeats: int, data: Data, steps: int | None, runs: Path
) -> dict[str, list[Path]]:
    """Each preset trained on `data` with seeds 0 .. repeats - 1, in `runs/<preset>-<seed>`; finished runs are reused.

    Raises:
        Invalid: a folder holds another run.
        Stopped: a signal ended one of them, or they cannot go on.
    """
    members, found = {}, {}
    for name, config in presets.items():
        found[name] = [runs / f"{name}-{seed}" for seed in range(repeats)]
        track = replace(config.track, wandb="disabled")
        for seed, run in enumerate(found[name]):
            train = replace(config.train, seed=seed, steps=steps or config.train.steps)
            members[run.name] = replace(config, train=train, data=data, track=track)
    stopped = train_population(members, runs, make_scorer)
    if stopped:
        raise Stopped(f"{runs} by {stopped}; the same command continues")
    return found
