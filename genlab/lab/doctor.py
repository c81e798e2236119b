"""What is wrong with a run: every diagnosis of the evidence that there is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from genlab.kernels.penalty import Penalty
from genlab.lab.diagnosis import curves, layers, samples
from genlab.lab.diagnosis.finding import Finding
from genlab.lab.evidence import Evidence, gather
from genlab.methods.vq_vae import VQVAE

Check = tuple[str, Callable[[], Finding | None]]  # what is examined, and how


@dataclass(frozen=True)
class Report:
    """What has been looked at, and what was found."""

    run_dir: Path
    step: int
    steps: int
    """Iterations that the run was to make."""
    examined: tuple[str, ...]
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        title = f"{self.run_dir} at iteration {self.step:,} of {self.steps:,}"
        found = [str(finding) for finding in self.findings] or ["nothing found"]
        return "\n\n".join([title, *found, f"examined: {', '.join(self.examined)}"])


def examine(run_dir: Path) -> Report:
    """The findings of a run at its newest checkpoint.

    Raises:
        Invalid: the folder holds no run, no checkpoint that can be read, or its data are not to be had.
    """
    return report(gather(run_dir))


def report(evidence: Evidence) -> Report:
    """The findings of this evidence."""
    checks = list(_checks(evidence))
    findings = tuple(finding for _, check in checks if (finding := check()))
    names = tuple(dict.fromkeys(name for name, _ in checks))
    return Report(evidence.folder.path, evidence.step, evidence.config.train.steps, names, findings)


def _checks(evidence: Evidence) -> Iterator[Check]:
    yield from _of_curves(evidence)
    for check in (layers.vanishing, layers.exploding):
        yield "gradients by layer", partial(check, evidence.turns)
    for check in (layers.large_updates, layers.small_updates):
        yield "updates by layer", partial(check, evidence.turns)
    for check in (layers.dead_units, layers.saturated_units) if any(turn.units for turn in evidence.turns) else ():
        yield "units", partial(check, evidence.turns)
    if evidence.starts:
        yield "loss at the start", partial(layers.wrong_start, evidence.starts)
    yield from _of_samples(evidence)
    if evidence.divergences is not None:
        yield "latents", partial(samples.posterior_collapse, evidence.divergences)


def _of_curves(evidence: Evidence) -> Iterator[Check]:
    rows, method = evidence.rows, evidence.config.method
    if not rows:
        return
    order = tuple(player.name for player in method.players())
    yield "divergence", partial(curves.not_finite, rows, order, evidence.origin)
    penalty = getattr(method, "penalty", None)
    if isinstance(penalty, Penalty) and penalty.weight:
        yield "slopes", partial(curves.slopes, rows, penalty)
    if curves.players(rows, "accuracy") or curves.players(rows, "wasserstein"):
        yield "balance of the players", partial(curves.opponent_strength, rows)
        yield "memory of the opponent", partial(curves.memorised, rows)
    if isinstance(method, VQVAE):
        yield "codebook", partial(curves.unused_codes, rows, method.codes)
    if method.monitor.endswith("/loss"):
        player = method.monitor.split("/")[1]
        start = next((each.loss for each in evidence.starts if each.player == player), None)
        if start is not None:
            yield "fit", partial(curves.overfitting, rows, method.monitor, start)
        yield "fit", partial(curves.underfitting, rows, method.monitor)
    yield "speed", partial(curves.slowing, rows)


def _of_samples(evidence: Evidence) -> Iterator[Check]:
    found = evidence.samples
    if found is None:
        return
    fake, held_out = (x.reshape(len(x), -1) for x in (found.fake, found.held_out))
    yield "variety of samples", partial(samples.collapse, fake, held_out)
    if found.classes is not None:
        yield "classes of samples", partial(samples.missing_classes, *found.classes)
    if found.train is not None:
        yield "range of samples", partial(samples.saturation, fake, held_out)
        yield "copies", partial(samples.copies, fake, held_out, found.train.reshape(len(found.train), -1))
