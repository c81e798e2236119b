"""Presets that were trained with several seeds, measured in one way, as the table of a README."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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

    Numbers are mean ± standard deviation over the seeds of training.
    """
    require(bool(rows), "presets", [], "at least one")
    names = main_names(rows[0].results[0].scores)
    lines = [["preset", "iterations", *(name.replace("_", " ") for name in names)]]
    if real:
        lines.append([f"{real.stamp.n_generated} real test images", "", *(f"{real.scores[n]:.3g}" for n in names)])
    for row in rows:
        steps = sorted({result.step for result in row.results if result.step is not None})
        step_range = " to ".join(f"{step:,}" for step in sorted({steps[0], steps[-1]}))
        lines.append([f"`{row.preset}`", step_range, *(spread([r.scores[n] for r in row.results]) for n in names)])
    lines.insert(1, ["---"] * len(lines[0]))
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    shared = rows[0].results[0].stamp
    return f"{describe_stamp(shared)}; mean ± standard deviation of {len(rows[0].results)} training seeds:\n\n{table}"


def spread(values: Sequence[float]) -> str:
    """Their mean, with the standard deviation if there are several."""
    mean = f"{np.mean(values):.3g}"
    return mean if len(values) < 2 else f"{mean} ± {round(float(np.std(values, ddof=1)), 12):.1g}"
