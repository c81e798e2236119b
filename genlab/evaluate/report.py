"""The scores of trained models: measured, in a table, and in their run folders."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genlab.data.feed import to_uint8
from genlab.errors import Invalid, require
from genlab.evaluate.yardstick import Scores, yardstick
from genlab.train.model import Model

LEAST = 4  # examples: three neighbours and the example itself


@dataclass(frozen=True)
class Result:
    """The scores of one run, or of real examples, with all that numbers must share to be compared."""

    run: Path | None
    """Its folder; None for real examples."""
    stamp: dict[str, Any]
    scores: Scores


def evaluate(models: Mapping[Path, Model], n: int, seed: int) -> list[Result]:
    """The scores of `n` samples of each model, by run folder, after those of real examples, where some are held out.

    A run is measured against the splits that its own seed made; the real examples are those of the first run.

    Raises:
        Invalid: no runs or runs of different data sets, a set that cannot be measured against, n < 4, samples that are
            not finite.
    """
    require(n >= LEAST, "n", n, f"at least {LEAST}")
    require(len(models) > 0, "run_dirs", [], "at least one folder of a run")
    sets = sorted({f"{model.config.data.name} {model.shape}" for model in models.values()})
    require(len(sets) == 1, "run_dirs", ", ".join(sets), "one data set; evaluate each by itself")
    results: list[Result] = []
    for path, model in models.items():
        rule = yardstick(model.config.data, model.config.train.seed)
        if not results and len(rule.floor) >= LEAST:
            real = rule.floor[:n]
            results.append(Result(None, rule.stamp | {"n_generated": len(real)}, rule.measure(real)))
        stamp = rule.stamp | {"n_generated": n, "seed": seed, "step": int(model.state.step), "ema": model.ema}
        results.append(Result(path, stamp, rule.measure(_samples(model, path, n, seed))))
    return results


def _samples(model: Model, path: Path, n: int, seed: int) -> np.ndarray:
    """Points, or images in uint8, as `scripts/sample.py` writes them."""
    x = model.sample(n, seed)
    if not np.isfinite(x).all():
        raise Invalid(f"run_dirs: {path}; its samples must be finite numbers")
    return np.asarray(to_uint8(x)) if x.ndim == 4 else x


def table(results: Sequence[Result]) -> str:
    """A caption that says what is measured against, and the results in aligned columns."""
    stamp = results[-1].stamp
    caption = f"{stamp['data']}, against {stamp['against']}"
    if stamp["n_real"]:
        seen = f"; {stamp['n_neighbours']} for precision and recall" if stamp["n_neighbours"] < stamp["n_real"] else ""
        caption += f" ({stamp['n_real']} real images{seen}), in {stamp['features']}"
    rows = [("run", "step", "n", *(name.replace("_", " ") for name in results[-1].scores))]
    for result in results:
        name, step = ("real", "") if result.run is None else (str(result.run), str(result.stamp["step"]))
        scores = (f"{score:.3f}" if isinstance(score, float) else str(score) for score in result.scores.values())
        rows.append((name, step, str(result.stamp["n_generated"]), *scores))
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = [
        "  ".join([row[0].ljust(first), *(cell.rjust(wide) for cell, wide in zip(row[1:], others, strict=True))])
        for row in rows
    ]
    return "\n".join([caption, *lines])


def record(results: Sequence[Result]) -> None:
    """Append each run's result to its `evaluation.jsonl`, as one line: the stamp and the scores.

    Raises:
        Invalid: a run folder that cannot be written to.
    """
    for result in results:
        if result.run is not None:
            try:
                with (result.run / "evaluation.jsonl").open("a") as file:
                    file.write(json.dumps(result.stamp | result.scores) + "\n")
            except OSError as error:
                raise Invalid(f"run_dirs: {result.run}; must be writable ({error.strerror})") from None
