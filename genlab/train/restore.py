"""States of a run from nothing but its folder."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jax

from genlab.config.plain import from_dict, read
from genlab.config.sections import Config
from genlab.errors import Invalid, require
from genlab.track.folder import RunFolder
from genlab.train import spmd
from genlab.train.checkpoint import Checkpoints, abstract
from genlab.train.state import Game, TrainState, averages


@dataclass(frozen=True, eq=False)
class Restored:
    """What a run folder says of itself, and some of its states."""

    config: Config
    classes: tuple[str, ...]  # names of the data's classes
    game: Game
    states: tuple[TrainState, ...]


def restore(run_dir: str | Path, steps: Sequence[int | None] = (None,), decay: float | None = None) -> Restored:
    """The run of `run_dir` at these checkpoints, of which None is the newest, with one average of its weights: that of
    `decay`, or the first.

    Raises:
        Invalid: the folder holds no run, or no such checkpoint, or one that cannot be read or is of another make, or no
            average of this decay.
    """
    folder = RunFolder.open(run_dir)
    written = read(folder.config)
    config = from_dict(written["config"])
    decays = () if config.train.ema_halflife else config.train.decays
    allowed = ", ".join(map(str, decays)) or "none: its average has a half-life"
    require(decay is None or decay in decays, "decay", decay, f"among train.ema of {run_dir}: {allowed}")
    which = 0 if decay is None else decays.index(decay)
    game = Game.of(config, tuple(written["shape"]))
    like = abstract(jax.eval_shape(game.init), spmd.replicated(jax.devices()[:1]))
    with Checkpoints(folder.checkpoints, config) as checkpoints:
        known = checkpoints.steps
        missing = [step for step in steps if not known or (step is not None and step not in known)]
        if missing:
            wanted, found = "newest" if missing[0] is None else missing[0], ", ".join(map(str, known)) or "none"
            raise Invalid(f"step: {wanted} is not among the checkpoints of {run_dir}: {found}")
        states = [checkpoints.load(known[-1] if step is None else step, like) for step in steps]
    averaged = tuple(replace(state, ema=averages(state)[which]) for state in states)
    return Restored(config, tuple(written["classes"]), game, averaged)
