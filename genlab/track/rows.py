"""The rows of a run's records, metrics.jsonl above all, as they are read."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]  # "step", an integer from 0 on, and metrics by name: numbers, lists of numbers, or None


def rows(path: Path) -> Iterator[tuple[bytes, Row]]:
    """Every line that is a whole row, with its bytes; none where there is no file.

    Other lines are passed over: one that a kill cut short, or that a trainer is just writing, or that is no row.
    """
    return ((line, row) for line, row in objects(path) if type(row.get("step")) is int and row["step"] >= 0)


def keep_rows(path: Path, belongs: Callable[[Row], bool]) -> None:
    """Forget all other rows, and what is none; a reader, or a kill, sees the old file or the new one."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(b"".join(line for line, row in rows(path) if belongs(row)))
    part.replace(path)


def objects(path: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Every whole line that is a JSON object, with its bytes."""
    for line in path.read_bytes().splitlines(keepends=True) if path.is_file() else []:
        try:
            found = json.loads(line) if line.endswith(b"\n") else None
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield line, found
