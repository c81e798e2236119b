"""Results in a table, in run folders, and in Weights & Biases."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genlab.config.plain import from_dict, read, to_dict
from genlab.errors import Invalid
from genlab.evaluate.evaluator import Result
from genlab.evaluate.measure import Scores, main_names
from genlab.evaluate.protocol import Stamp, describe_stamp, differences
from genlab.track.folder import RunFolder
from genlab.track.rows import objects
from genlab.track.sinks import Pngs, Wandb

RUN_COLUMNS = ("name", "which", "step", "n")


def table(results: Sequence[Result]) -> str:
    """The results in aligned columns under their stamp; what may not be compared stands in another table.

    Which says in what it differs from the table above.
    """
    tables: list[list[Result]] = []
    for result in results:
        like = (
            t
            for t in tables
            if not differences(t[0].stamp, result.stamp) and t[0].scores.keys() == result.scores.keys()
        )
        found = next(like, None)
        found.append(result) if found else tables.append([result])
    parts = []
    for number, rows in enumerate(tables):
        widest = max(
            rows, key=lambda r: len(describe_stamp(r.stamp))
        )  # real examples have no seeds, no averaged weights
        parts.append(describe_stamp(widest.stamp))
        other = next((t for t in tables[:number] if differences(t[0].stamp, rows[0].stamp)), None)
        if other:
            parts[-1] += f"\nnot to be compared with the above: {'; '.join(differences(other[0].stamp, rows[0].stamp))}"
        parts[-1] += "\n" + _table(rows)
    return "\n\n".join(parts)


def _table(rows: Sequence[Result]) -> str:
    names = main_names(rows[0].scores)
    cells = [(*RUN_COLUMNS, *(name.replace("_", " ") for name in names))]
    cells += [(*_run_cells(row), *(cell(row, name) for name in names)) for row in rows]
    return aligned(cells)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of as many cells each in columns, the first to the left, the others to the right."""
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    return "\n".join(
        "  ".join([row[0].ljust(first), *(cell.rjust(wide) for cell, wide in zip(row[1:], others, strict=True))])
        for row in rows
    )


def _run_cells(result: Result) -> tuple[str, str, str, str]:
    n = result.stamp.n_generated or result.stamp.n_real
    steps = result.steps if result.step is None else (result.step,)
    return result.name, result.which, "+".join(map(str, steps)), str(n)


def cell(result: Result, name: str) -> str:
    """A score with its standard error, or, in brackets, its standard deviation over the seeds."""
    error, spread = result.scores.get(f"{name}_error"), result.spread.get(name)
    if error is not None:
        return f"{result.scores[name]:.4g} ± {error:.1g}"
    return f"{result.scores[name]:.4g}" + ("" if spread is None else f" ({spread:.1g})")


def row(result: Result) -> dict:
    """A result as a line of `evaluation.jsonl`; an equal evaluation gives an equal line."""
    stamp = {name: value for name, value in dataclasses.asdict(result.stamp).items() if value not in (None, "")}
    about = {"name": result.name, "step": result.step, "steps": result.steps or None, "which": result.which or None}
    plain = {name: value for name, value in about.items() if value is not None}
    return plain | {"stamp": stamp, "scores": result.scores} | ({"spread": result.spread} if result.spread else {})


def recorded(run: Path) -> list[Result]:
    """What `record` has written of a run, in its order; a line that a kill cut short is passed over.

    Raises:
        Invalid: a line that is not as genlab wrote it.
    """
    from pydantic import ConfigDict, ValidationError, create_model

    fields: Any = {"name": (str, ...), "step": (int | None, None), "steps": (tuple[int, ...], ()), "which": (str, "")}
    fields |= {"stamp": (Stamp, ...), "scores": (Scores, ...), "spread": (Scores, {})}
    reader = create_model("Line", __config__=ConfigDict(strict=True, extra="forbid"), **fields)
    path, found = run / "evaluation.jsonl", []
    for line, _ in objects(path):
        try:
            result = reader.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise Invalid(f"run_dirs: {path}: {where}: {first['input']!r:.40}; {first['msg']}") from None
        found.append(Result(run=run, **{name: getattr(result, name) for name in fields}))
    return found


def record(results: Sequence[Result]) -> None:
    """Append each run's results to its `evaluation.jsonl`, and put them and their pictures where its training did.

    Raises:
        Invalid: a run folder that cannot be written to.
    """
    for run in dict.fromkeys(result.run for result in results if result.run):
        run_results = [result for result in results if result.run == run]
        try:
            with (run / "evaluation.jsonl").open("a") as file:
                file.writelines(json.dumps(row(result)) + "\n" for result in run_results)
            _pictures(run, run_results)
        except OSError as error:
            raise Invalid(f"run_dirs: {run}; must be writable ({error.strerror})") from None
        _wandb(run, run_results)


def _pictures(run: Path, results: Sequence[Result]) -> None:
    folder = Pngs(RunFolder(run).samples)
    for result in results:
        if result.picture is not None:
            step, mixed = _place(result)
            folder.image(step, f"{mixed.replace('/', '_')}neighbours", result.picture)


def _place(result: Result) -> tuple[int, str]:
    """The iteration under which a run's record has a result, of a mixture its last, and what its names begin with."""
    return (max(result.steps), "mixture/") if result.steps else (result.step or 0, "")


def _wandb(run: Path, results: Sequence[Result]) -> None:
    """As `eval/...` of the run's own W&B run, where training has opened one."""
    folder = RunFolder(run)
    if not (folder.wandb / "run-id").exists():
        return
    config = from_dict(read(folder.config)["config"])
    sink = Wandb(folder, config.track.wandb, config.track.project, run.resolve().name, to_dict(config))
    for result in results:
        step, mixed = _place(result)
        sink.scalars(step, {f"eval/{mixed}{name}": score for name, score in result.scores.items()})
        if result.picture is not None:
            sink.image(step, f"eval/{mixed}neighbours", result.picture)
    sink.close()
