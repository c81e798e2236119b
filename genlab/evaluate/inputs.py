"""What is to be measured: checkpoints of runs, and images of other programs."""

from collections.abc import Sequence
from pathlib import Path

from genlab.config.plain import from_dict, read
from genlab.data.config import Data
from genlab.data.sources import load as load_data
from genlab.errors import require
from genlab.evaluate.evaluator import Run
from genlab.evaluate.samples import ExternalImages, read_folder, read_npz
from genlab.model import load
from genlab.track.folder import RunFolder
from genlab.train.checkpoint import Checkpoints


def load_runs(
    folders: Sequence[Path], step: int | str, ema: bool, decay: float | None = None, steps: Sequence[int] = ()
) -> list[Run]:
    """The models of runs at an iteration, or at their "last" or "best" checkpoint, or at "both"; with `steps` the
    mixtures of these checkpoints instead. Of a `decay` that was asked for it is said which.

    Raises:
        Invalid: a folder that holds no run or no such checkpoint, or another step than "both" beside several.
    """
    if steps:
        require(step == "both", "step", step, "possible beside steps")
        which = "mixture" if len(steps) > 1 else ""
        return [
            Run(folder, load(folder, ema=ema, decay=decay, steps=steps), _named(which, decay)) for folder in folders
        ]
    found = []
    for folder in folders:
        at_steps = _steps(folder, step)
        found += [Run(folder, load(folder, at, ema, decay), _named(which, decay)) for at, which in at_steps]
    return found


def _named(which: str, decay: float | None) -> str:
    """A checkpoint's name, which is not "last" or "best" alone where its average was asked for."""
    return which if decay is None else ", ".join(f"{name} (ema {decay:g})".strip() for name in which.split(", "))


def _steps(run: Path, step: int | str) -> list[tuple[int | None, str]]:
    """Iterations, and what to call them."""
    if isinstance(step, int):
        return [(step, "")]
    folder = RunFolder.open(run)
    with Checkpoints(folder.checkpoints, from_dict(read(folder.config)["config"])) as checkpoints:
        steps, best = checkpoints.steps, next(iter(checkpoints.monitors), None)
    if not steps or best is None or step == "last":  # without a validation the last one is all there is
        return [(None, "last")]
    if best == steps[-1] and step == "both":
        return [(best, "best, last")]
    return [(best, "best"), (steps[-1], "last")] if step == "both" else [(best, "best")]


def load_images(
    npz: Sequence[Path], folders: Sequence[Path], runs: Sequence[Path], data: Data
) -> dict[Path, ExternalImages]:
    """Images of other programs, by where they lie.

    Raises:
        Invalid: what `read_npz` and `read_folder` raise.
    """
    found = {path: read_npz(path) for path in npz}
    if folders:
        shape = tuple(read(RunFolder.open(runs[0]).config)["shape"]) if runs else load_data(data).shape
        found |= {path: read_folder(path, shape) for path in folders}
    return found
