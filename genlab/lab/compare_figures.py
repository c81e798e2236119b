"""A comparison drawn: scores with their intervals, curves with bands, samples beside each other."""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from genlab.lab.compare import Comparison, headed
from genlab.lab.scores import Course, Metric
from genlab.lab.statistics import Bootstrap, interval, mean

# Okabe and Ito's, which colour-blind readers tell apart; lines of more configurations are broken, too
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("solid", "dashed", "dotted", "dashdot")
INK, SOFT, LINE = "#1c2430", "#667085", "#c4c9d1"
COLUMNS, WIDTH, DPI = 3, 11.0, 120  # panels in a row; inches; dots to one
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "text.color": INK,
    "axes.formatter.limits": (-3, 4),
    "axes.formatter.useoffset": False,
}


@dataclass(frozen=True)
class Block:
    """A part of a figure, over its whole width."""

    height: float
    """Inches."""
    draw: Callable[[Any], None]
    """What draws it, into a part of a figure of matplotlib."""


def colour(number: int) -> str:
    """That of the configuration of this number."""
    return COLOURS[number % len(COLOURS)]


def picture(comparison: Comparison) -> bytes:
    """Everything in one PNG: what configurations are called, scores, curves, and the newest samples that all have."""
    blocks = [_names(comparison), scores(comparison), curves(comparison), _samples(comparison)]
    return png([block for block in blocks if block])


def png(blocks: Sequence[Block]) -> bytes:
    """Parts of a figure below each other, as a PNG file."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with rc_context(STYLE):
        heights = [block.height for block in blocks]
        figure = Figure(figsize=(WIDTH, sum(heights)), dpi=DPI)
        figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.07, wspace=0.03, hspace=0.03))
        FigureCanvasAgg(figure)
        parts = figure.subfigures(len(blocks), 1, height_ratios=heights, squeeze=False)[:, 0]
        for part, block in zip(parts, blocks, strict=True):
            block.draw(part)
        file = io.BytesIO()
        figure.savefig(file, format="png")
    return file.getvalue()


def marks(bootstrap: Bootstrap) -> str:
    """What is drawn."""
    made = f"{100 * bootstrap.level:g} % bootstrap interval"
    return f"\u25c6 mean over seeds with its {made}, \u25cf each seed; bands are such intervals of the mean"


def scores(comparison: Comparison) -> Block | None:
    """A panel to a score: each seed's, below their mean with its interval."""
    several = len(comparison.tables) > 1
    panels = [
        (f"{headed(metric)}{f', table {number}' if several else ''}", metric)
        for number, table in enumerate(comparison.tables, 1)
        for metric in table.metrics
    ]
    draw = partial(_draw_score, comparison)
    return _panels(panels, draw, 0.75 + 0.3 * len(comparison.groups))


def curves(comparison: Comparison) -> Block | None:
    """A panel to a metric: the mean over seeds at every iteration, and its interval as a band."""
    draw = partial(_draw_curves, comparison)
    return _panels(list(comparison.courses.items()), draw, 2.4)


def _panels(panels: Sequence[tuple[str, Any]], draw: Any, height: float) -> Block | None:
    """Panels in rows, each drawn by `draw(axes, what)` under its title; nothing if there are none."""
    if not panels:
        return None
    columns = max(2, min(COLUMNS, len(panels)))
    rows = math.ceil(len(panels) / columns)

    def draw_all(figure: Any) -> None:
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for place, (title, what) in zip(axes, panels, strict=False):
            place.set_title(title)
            draw(place, what)
        for place in axes[len(panels) :]:
            place.axis("off")

    return Block(rows * height, draw_all)


def _draw_score(comparison: Comparison, axes: Any, metric: Metric) -> None:
    for number, values in enumerate(metric.values):
        x = np.array([values[seed] for seed in sorted(values)], float)
        if len(x):
            axes.plot(x, np.full(len(x), number + 0.26), "o", color=colour(number), markersize=4, alpha=0.55, mew=0)
            axes.plot(x.mean(), number, "D", color=colour(number), markersize=6)
            ends = interval(mean, [x], comparison.bootstrap)
            axes.plot(ends or [], [number, number][: len(ends or [])], color=colour(number), linewidth=2.2)
    names = [group.name for group in comparison.groups]
    axes.set(ylim=(len(names) - 0.4, -0.5), yticks=range(len(names)), yticklabels=names)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.grid(axis="x", color="#eef0f4")
    axes.set_axisbelow(True)
    axes.margins(x=0.08)
    axes.locator_params(axis="x", nbins=5)


def _draw_curves(comparison: Comparison, axes: Any, courses: Sequence[Course | None]) -> None:
    for number, course in enumerate(courses):
        if course is None:
            continue
        dashes = DASHES[number // len(COLOURS) % len(DASHES)]
        marker = "o" if len(course.steps) == 1 else ""
        line = course.values.mean(1)
        axes.plot(course.steps, line, marker=marker, color=colour(number), linestyle=dashes, linewidth=1.5)
        if course.values.shape[1] > 1:
            low, high = np.array([interval(mean, [values], comparison.bootstrap) for values in course.values]).T
            axes.fill_between(course.steps, low, high, color=colour(number), alpha=0.18, linewidth=0)
    _name_ends(comparison, axes, courses)
    axes.set_xlabel("iteration")
    axes.grid(color="#eef0f4")
    axes.locator_params(nbins=5)


def _name_ends(comparison: Comparison, axes: Any, courses: Sequence[Course | None]) -> None:
    """Letters beside the ends of curves, none over another."""
    low, high = axes.get_ylim()
    drawn = ((number, course) for number, course in enumerate(courses) if course is not None)
    ends = sorted((course.values[-1].mean(), course.steps[-1], number) for number, course in drawn)
    height = -1.0
    for value, step, number in ends:
        height = max(height + 0.08, (value - low) / (high - low))
        axes.annotate(
            comparison.groups[number].name,
            (step, height),
            (4, 0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="center",
            color=colour(number),
        )


def _names(comparison: Comparison) -> Block:
    """The title, and which colour is which configuration, each on a line of its own."""
    line = 0.22
    height = 0.75 + line * len(comparison.groups)

    def draw(figure: Any) -> None:
        figure.text(0.01, 1 - 0.2 / height, comparison.title, fontsize=12, weight="bold", va="center")
        for number, group in enumerate(comparison.groups):
            y = 1 - (0.5 + line * number) / height
            figure.text(0.012, y, "\u25cf", color=colour(number), va="center")
            about = comparison.describe(group)
            seeds = f"{len(group.runs)} seed{'s' * (len(group.runs) > 1)}"
            figure.text(0.028, y, f"{about[:150]}{'...' * (len(about) > 150)}  ({seeds})", va="center")
        figure.text(0.012, 0.2 / height, marks(comparison.bootstrap), color=SOFT, va="center")

    return Block(height, draw)


def _samples(comparison: Comparison) -> Block | None:
    """The samples of the last iteration that all have, in rows."""
    if not comparison.samples:
        return None
    shown, count = comparison.samples[-1], len(comparison.groups)
    columns = min(count, 4)
    rows = math.ceil(count / columns)

    def draw(figure: Any) -> None:
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for place in axes:
            place.axis("off")
        for number, (place, file) in enumerate(zip(axes, shown.files, strict=False)):
            with Image.open(file) as image:
                place.imshow(np.asarray(image.convert("RGB")), interpolation="antialiased")
            name, seed = comparison.groups[number].name, comparison.pictured[number].seed
            place.set_title(f"{name}, seed {seed}, iteration {shown.step:,}", color=colour(number))

    return Block(rows * min(4.0, 0.3 + WIDTH / columns), draw)
