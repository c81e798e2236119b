"""Adversarial presets on the toy points whose modes are known, as one table."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from genlab.config.sections import Config
from genlab.data.config import Data
from genlab.data.toys import DEVIATION
from genlab.errors import require
from genlab.evaluate.evaluator import Result
from genlab.evaluate.leaderboard import Row, interval_caption, with_interval
from genlab.evaluate.modes import GOOD
from genlab.kernels.penalty import Penalty
from genlab.nn.net import Net
from genlab.parts.optimizer import Optimizer

TOYS = {kind: Data(f"points:{kind}", batch_size=256) for kind in DEVIATION}
Evaluated = tuple[Result | None, list[Row]]  # real held-out points, and the presets


def toy_config(config: Config, width: int = 128) -> Config:
    """A preset made for images, for points, as the official WGAN-GP toy code goes from the one to the other.

    Networks become three layers of ReLU units without dropout (no point is seen twice), the latents two, and WGAN-GP's
    penalty, the one between real and fake points, a hundredth (lambda 10 becomes 0.1 there); R1, R2 and DRAGAN's keep
    their weights. Learning rates start from 1e-3 and fall to 0, as in configs/wgan_gp_points.py, since `width` need not
    be the 512 that is official. All else is the preset's own.

    Raises:
        Invalid: the preset is no adversarial method, or one that is given labels.
    """
    method = config.method
    require(method.sampling == ("generator",), "presets", type(method).__name__, "an adversarial method")
    require(method.classes == 0, "presets", type(method).__name__, "one without labels")
    changes: dict[str, Any] = {"latent": 2}
    for field in dataclasses.fields(method):
        match getattr(method, field.name):
            case Net() as net:
                mlp = dataclasses.replace(net, backbone="mlp", width=width, depth=3, activation="relu", dropout=0.0)
                changes[field.name] = mlp
            case Penalty(where="interpolated") as penalty:
                changes[field.name] = dataclasses.replace(penalty, weight=penalty.weight / 100)
            case Optimizer() as optimizer:
                changes[field.name] = dataclasses.replace(optimizer, learning_rate=1e-3, schedule="linear", horizon=0)
    return dataclasses.replace(config, method=dataclasses.replace(method, **changes))


def markdown(found: Mapping[str, Evaluated], steps: int) -> str:
    """A row for each preset, two columns for each toy set; means over the seeds, with their intervals."""
    reals = [real for real, _ in found.values() if real]
    rows = [rows for _, rows in found.values()]
    lines = [["preset", *(f"{kind}: {name}" for kind in found for name in ("modes", "good"))]]
    lines.append(["---"] * len(lines[0]))
    lines.append(["real points", *(cell for real in reals for cell in _cells((real,)))])
    for same in zip(*rows, strict=True):  # the same preset in every set
        lines.append([f"`{same[0].preset}`", *(cell for row in same for cell in _cells(row.results))])
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    seeds, drawn = len(rows[0][0].results), reals[0].stamp.n_generated
    caption = f"{steps:,} iterations, {interval_caption(seeds)}, {drawn:,} samples; good: within {GOOD:g} standard"
    return f"{caption} deviations of a mode:\n\n{body}"


def _cells(results: tuple[Result, ...]) -> tuple[str, str]:
    """Modes covered, of how many, and the share of good samples."""
    modes, good = (with_interval([result.scores[name] for result in results]) for name in ("modes", "good_share"))
    return modes, good
