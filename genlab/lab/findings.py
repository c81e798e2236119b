"""What a study has found: a table of its best trials, pictures of what mattered, the command that trains the best."""

import math
import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from genlab import cli
from genlab.errors import Invalid, Stopped
from genlab.lab.plan import Plan
from genlab.lab.space import Range, Space, configured, from_dict, narrowed
from genlab.lab.study import Study
from genlab.track.atomic import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROWS = 10  # of the table
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#8C8C8C"  # told apart by colour-blind eyes too (Okabe and Ito)
STYLES: dict[str, dict[str, Any]] = {
    "pruned": {"s": 26, "marker": "x", "color": GREY, "linewidths": 1.2},
    "scored": {"s": 30, "color": BLUE, "alpha": 0.75, "linewidths": 0},
    "best": {"s": 110, "facecolors": "none", "edgecolors": ORANGE, "linewidths": 1.8},
}
COLUMNS = 3  # panels of slices in a row, at most
WIDE = 10  # ratio of scores above which they are drawn by their logarithm
INSTEAD = {TrialState.PRUNED: "pruned", TrialState.FAIL: "failed", TrialState.RUNNING: "under way"}


def scored(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """The trials that have a finite score, best first."""
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE and math.isfinite(_value(trial))]
    return sorted(complete, key=_value)


def _value(trial: FrozenTrial) -> float:
    assert trial.value is not None
    return trial.value


def best_quarter(study: "optuna.Study") -> Space:
    """The space that the best quarter of a study's trials span, of all that have ended.

    Raises:
        Invalid: none has a score.
    """
    trials = study.get_trials(deepcopy=False)
    best, ended = scored(trials), sum(trial.state.is_finished() for trial in trials)
    if not best:
        raise Invalid(f"narrow: {study.study_name!r} is empty; a study with a trial that has a score is needed")
    space = from_dict(study.user_attrs["plan"]["space"])
    return narrowed(space, [trial.params for trial in best[: math.ceil(ended / 4)]])


def summary(trials: Sequence[FrozenTrial], wanted: int) -> str:
    """How many trials came to what: `6 of 8 trials: 4 scored, 1 pruned, 1 under way`."""
    finite = len(scored(trials))
    complete = sum(trial.state == TrialState.COMPLETE for trial in trials)
    counts = {"scored": finite, "diverged": complete - finite}
    counts |= {word: sum(trial.state == state for trial in trials) for state, word in INSTEAD.items()}
    found = ", ".join(f"{n} {word}" for word, n in counts.items() if n)
    return f"{len(trials)} of {wanted} trials: {found}"


def table(trials: Sequence[FrozenTrial], settings: Sequence[str]) -> str:
    """The best trials, a line each, in columns."""
    lines = [["trial", "score", *short_names(settings)]]
    for trial in scored(trials)[:ROWS]:
        lines.append([str(trial.number), spread(trial), *(_shown(trial.params[name]) for name in settings)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(f"{c:>{w}}" for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def spread(trial: FrozenTrial) -> str:
    """A trial's score, with the standard deviation over its seeds if there are several."""
    scores = trial.user_attrs.get("scores", [])
    return f"{_value(trial):.4g}" + (f" ± {np.std(scores, ddof=1):.1g}" if len(scores) > 1 else "")


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def short_names(settings: Sequence[str]) -> list[str]:
    """Each setting's name without its section, `critic_optimizer.learning_rate`, unless that is another's too."""
    short = [name.partition(".")[2] for name in settings]
    return [end if short.count(end) == 1 else name for end, name in zip(short, settings, strict=True)]


def train_command(plan: Plan, trial: FrozenTrial, folder: Path) -> str:
    """The command that trains with a trial's settings, in a run folder of its own."""
    words = cli.spell(plan.preset, configured(plan.preset, plan.settings, plan.space, trial.params))
    return shlex.join(["python", "scripts/train.py", *words, "--run-dir", str(folder / "best")])


def write_pictures(study: "optuna.Study", space: Space, folder: Path) -> list[Path]:
    """`importances.png`, where the scores differ, and `slices.png`; what was there is replaced.

    Raises:
        Invalid: the folder cannot be written to.
    """
    trials = study.get_trials(deepcopy=False)
    found = {}
    if len({trial.value for trial in scored(trials)}) > 1:
        found["importances.png"] = importances(
            get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
        )
    found["slices.png"] = slices(trials, space)
    for name, figure in found.items():
        with atomic_write(folder / name) as part:
            figure.savefig(part, dpi=150)
    return [folder / name for name in found]


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def importances(shares: dict[str, float]) -> "Figure":
    """A bar for each setting: the share of the scores' variance that it explains, as a random forest sees it (fANOVA,
    Hutter et al. 2014)."""
    order = sorted(shares, key=lambda name: shares[name])
    figure = _figure(6.0, 0.9 + 0.4 * len(order))
    axes = figure.add_subplot(xlabel="share of the variance of scores", xlim=(0, 1.12 * max(shares.values())))
    bars = axes.barh(short_names(order), [shares[name] for name in order], color=BLUE, height=0.6)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure


def slices(trials: Sequence[FrozenTrial], space: Space) -> "Figure":
    """A panel for each setting: scores against it, the best ringed, pruned trials at what they had reached."""
    rows = math.ceil(len(space) / COLUMNS)
    names, columns = short_names(list(space)), math.ceil(len(space) / rows)
    figure = _figure(max(4.5, 3.2 * columns), 0.6 + 2.8 * rows)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for panel in axes.flat[len(space) :]:
        panel.remove()
    best = scored(trials)
    pruned = [t for t in trials if t.state == TrialState.PRUNED and t.value is not None]
    for panel, setting, name in zip(axes.flat, space, names, strict=False):
        place = _axis(panel, space[setting])
        for label, some in {"pruned": pruned, "scored": best, "best": best[:1]}.items():
            if some:
                x = [place(trial.params[setting]) for trial in some]
                panel.scatter(x, [_value(trial) for trial in some], label=label, **STYLES[label])
        panel.set_xlabel(name)
        panel.spines[["top", "right"]].set_visible(False)
    drawn = [_value(trial) for trial in (*best, *pruned)]
    if min(drawn) > 0 and max(drawn) > WIDE * min(drawn):
        axes[0, 0].set_yscale("log")  # and so of all, which share it
    for panel in axes[:, 0]:
        panel.set_ylabel("score (lower is better)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=3, frameon=False)
    return figure


def _axis(axes: "Axes", dimension: Any) -> Callable[[Any], float]:
    """Set up the horizontal axis of a dimension; where each of its values stands on it."""
    from matplotlib.ticker import MaxNLocator

    if isinstance(dimension, Range):
        if dimension.log:
            axes.set_xscale("log")
        elif dimension.whole:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.axvspan(dimension.low, dimension.high, color=GREY, alpha=0.08, linewidth=0)  # all of what was searched
        return float
    values = dimension.values()
    axes.set_xticks(range(len(values)), list(map(str, values)), rotation=20 if len(values) > 3 else 0)
    axes.set_xlim(-0.5, len(values) - 0.5)
    return values.index


def tell(study: Study, wanted: int) -> str:
    """Write the pictures; the table, where they are, and the command that trains the best.

    Raises:
        Invalid: the study is empty, or its folder cannot be written to.
        Stopped: no trial has a score.
    """
    trials, plan, folder = study.trials(), study.plan, study.folder
    if not trials:
        raise Invalid(f"run_dir: the study {folder} is empty; --workers 1 or more fills it")
    counts, best = summary(trials, wanted), scored(trials)
    if not best:
        reason = next((f" ({t.user_attrs['error']})" for t in trials if "error" in t.user_attrs), "")
        raise Stopped(f"{counts}; none has a score{reason}")
    pictures = " and ".join(map(str, write_pictures(study.record, plan.space, folder)))
    command = train_command(plan, best[0], folder)
    return f"{counts}\n\n{table(trials, list(plan.space))}\n\n{pictures}\n\nTo train the best:\n{command}"
