"""What a run has recorded of its course, as it is read: curves and pictures."""

import math
import re
import sys

from genlab.track.folder import RunFolder
from genlab.track.rows import rows

MAX_VALUES = 400  # values of a curve, at most

Curve = list[tuple[int, int | float]]
Curves = dict[str, Curve]


def curves(folder: RunFolder) -> Curves:
    """Every scalar of metrics.jsonl by name, as (step, value); what is not finite is left out."""
    found: Curves = {}
    for _, row in rows(folder.metrics):
        for name, value in row.items():
            # neither infinite nor NaN, nor an integer that is no float
            if name != "step" and isinstance(value, int | float) and abs(value) <= sys.float_info.max:
                found.setdefault(name, []).append((row["step"], value))
    return dict(sorted(found.items()))


def thinned(values: Curve) -> Curve:
    """Every k-th value, counted from the last, `MAX_VALUES` at most."""
    return values[:: -max(1, math.ceil(len(values) / MAX_VALUES))][::-1]


def pictures(folder: RunFolder) -> dict[str, list[tuple[int, str]]]:
    """The pictures of samples/ by kind, as (step, file name), in the order of steps."""
    found: dict[str, list[tuple[int, str]]] = {}
    for path in sorted(folder.samples.glob("*.png")):
        if match := re.fullmatch(r"(?:(\w+)_)?step_(\d+)\.png", path.name):
            found.setdefault(match[1] or "samples", []).append((int(match[2]), path.name))
    return found
