"""Presets that were trained with several seeds, measured in one way, as the table of a README."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import stdtrit

from genlab.data.config import Data
from genlab.errors import require
from genlab.evaluate.evaluator import Result, Settings, evaluate
from genlab.evaluate.inputs import load_runs
from genlab.evaluate.measure import main_names
from genlab.evaluate.protocol import describe_stamp, require_same
from genlab.evaluate.report import record


@dataclass(frozen=True)
class Row:
    """One preset: its runs' results at one kind of checkpoint."""

    preset: str
    results: tuple[Result, ...]


def evaluate_presets(
    runs: dict[str, list[Path]], which: str, data: Data, settings: Settings
) -> tuple[Result | None, list[Row]]:
    """Real held-out examples, where there are any, and a row for each preset.

    Raises:
        Invalid: numbers that may not be compared.
    """
    folders = [folder for same in runs.values() for folder in same]
    results = evaluate(load_runs(folders, which, ema=settings.protocol == "none"), {}, data, settings)
    record(results)
    require_same({result.name: result.stamp for result in results if result.run})
    rows = [Row(name, tuple(r for r in results if r.run in same)) for name, same in runs.items()]
    return next((result for result in results if not result.run), None), rows


def markdown(real: Result | None, rows: Sequence[Row]) -> str:
    """The table, `real` held-out examples first, with the stamp that all its numbers share.

    Numbers are means over the seeds of training, as of `with_interval`.
    """
    require(bool(rows), "presets", [], "at least one")
    names = main_names(rows[0].results[0].scores)
    lines = [["preset", "iterations", *(name.replace("_", " ") for name in names)]]
    if real:
        lines.append([f"{real.stamp.n_generated} real test images", "", *(f"{real.scores[n]:.3g}" for n in names)])
    for row in rows:
        steps = sorted({result.step for result in row.results if result.step is not None})
        step_range = " to ".join(f"{step:,}" for step in sorted({steps[0], steps[-1]}))
        lines.append(
            [f"`{row.preset}`", step_range, *(with_interval([r.scores[n] for r in row.results]) for n in names)]
        )
    lines.insert(1, ["---"] * len(lines[0]))
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    shared = rows[0].results[0].stamp
    return f"{describe_stamp(shared)}; {interval_caption(len(rows[0].results))}:\n\n{table}"


def with_interval(values: Sequence[float]) -> str:
    """The mean of scores of several seeds, and how far its 95 % confidence interval reaches to either side.

    t_(0.975, n - 1) s / sqrt(n), Student's interval, which holds the mean 19 times in 20 where scores are normal, also
    of few seeds. Of a single score it is the score alone.
    """
    n, mean = len(values), f"{np.mean(values):.3g}"
    if n < 2:
        return mean
    reach = stdtrit(n - 1, 0.975) * np.std(values, ddof=1) / np.sqrt(n)
    return f"{mean} ± {float(f'{round(float(reach), 12):.1g}'):g}"


def interval_caption(seeds: int) -> str:
    """What a table says of its numbers, of so many seeds of training."""
    return "one training seed" if seeds == 1 else f"mean ± 95 % confidence interval of {seeds} training seeds"
