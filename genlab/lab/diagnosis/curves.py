"""What is wrong by the rows of metrics.jsonl: penalties, players out of balance, fits, divergence, speed."""

from collections.abc import Sequence

import numpy as np

from genlab.kernels.penalty import Penalty
from genlab.lab.diagnosis.finding import Finding
from genlab.lab.origin import Origin
from genlab.track.rows import Row

RECENT = 0.9  # of the iterations, after which rows are recent
# factor between slopes and the penalty's target; WGAN-GP's toy settings, whose weight is 0.1, come to 2.1 early on
STEEP = 3.0
# accuracies of a discriminator: healthy GANs on the digits come to 0.62 to 0.86, and fall by 0.21 on held-out examples
TOO_STRONG, TOO_WEAK, MEMORISED = 0.98, 0.4, 0.3
# of the Wasserstein estimate on held-out examples, to that in training, below which a critic takes them for fakes; that
# of WGAN-GP on the 1,437 digits comes to -0.06, as in the paper's figure 5, and its samples are none the worse
TAKEN_FOR_FAKE = -0.5
# share of a codebook's vectors, by perplexity
UNUSED = 0.1
# of all that a validation loss had fallen since the start, that it has risen again; presets on the digits come to 0.01
RISEN = 0.05
# of all that a loss has fallen since the first row, that it has in the last fifth
FALLING = 0.15
MIN_ROWS = 10  # of a curve, to speak of its end
# of the first quarter's speed, and seconds that the last one takes; healthy runs on busy machines came to 0.47, and in
# seconds the compilation of what is seldom done decides
SLOWED, LONG = 0.3, 30.0

Curve = Sequence[tuple[int, float]]


def curve(rows: Sequence[Row], name: str) -> list[tuple[int, float]]:
    """The finite values of a metric, by iteration."""
    return [(row["step"], float(row[name])) for row in rows if isinstance(row.get(name), int | float)]


def recent(rows: Sequence[Row], name: str) -> float | None:
    """The mean of a metric over the last tenth of the run; None where it has none."""
    values = curve(rows, name)
    last = [value for step, value in values if step >= RECENT * values[-1][0]]
    return float(np.mean(last)) if last else None


def players(rows: Sequence[Row], metric: str) -> list[str]:
    """The players that record a metric."""
    names = {name for row in rows for name in row if name.endswith(f"/{metric}")}
    return sorted(name.partition("/")[0] for name in names if name.count("/") == 1)


def slopes(rows: Sequence[Row], penalty: Penalty) -> Finding | None:
    """Slopes that the penalty does not hold near its target."""
    for player in players(rows, "slope_mean"):
        slope = recent(rows, f"{player}/slope_mean")
        if slope is None or not (penalty.weight and penalty.target):
            continue
        steep, flat = slope > STEEP * penalty.target, slope < penalty.target / STEEP and not penalty.one_sided
        if steep or flat:
            return Finding(
                "slopes off target",
                f"The slopes of {player} are {slope:.3g} on average where its penalty's target is {penalty.target:g}, "
                f"more than {STEEP:g} times {'as much' if steep else 'as little'}.",
                f"{'Raise' if steep else 'Lower'} --method.penalty.weight, or let {player} play more often.",
            )
    return None


def opponent_strength(rows: Sequence[Row]) -> Finding | None:
    """A discriminator that is nearly always right, or more often wrong than right; a critic that cannot tell."""
    for player in players(rows, "accuracy"):
        accuracy = recent(rows, f"{player}/accuracy")
        if accuracy is not None and accuracy > TOO_STRONG:
            return Finding(
                "opponent too strong",
                f"The accuracy of {player} is {accuracy:.3f} over the last tenth of the run, more than {TOO_STRONG:g}: "
                "what it teaches its opponent vanishes.",
                "Lower its learning rate, play it less often, or give it a gradient penalty, dropout or augmentation.",
            )
        if accuracy is not None and accuracy < TOO_WEAK:
            return Finding(
                "opponent too weak",
                f"The accuracy of {player} is {accuracy:.3f} over the last tenth of the run, less than {TOO_WEAK:g}: "
                "it is worse than guessing.",
                "Raise its learning rate, play it more often, or make it wider.",
            )
    for player in players(rows, "wasserstein"):
        distance = recent(rows, f"{player}/wasserstein")
        if distance is not None and distance < 0:
            return Finding(
                "opponent too weak",
                f"The Wasserstein distance that {player} estimates is {distance:.3g} over the last tenth of the run: "
                "it scores fakes above real examples.",
                "Raise its learning rate or play it more often (--method.n-critic).",
            )
    return None


def memorised(rows: Sequence[Row]) -> Finding | None:
    """A discriminator or critic that tells training examples from fakes, and held-out ones not."""
    remedy = "It has memorised training examples: augment (--method.augment), regularise it, or make it smaller."
    for player in players(rows, "accuracy"):
        train, held_out = (recent(rows, f"{place}{player}/accuracy") for place in ("", "validation/"))
        if train is not None and held_out is not None and train - held_out > MEMORISED:
            figures = f"The accuracy of {player} is {train:.2f} in training and {held_out:.2f} on held-out examples."
            return Finding("memorised examples", figures, remedy)
    for player in players(rows, "wasserstein"):
        train, held_out = (recent(rows, f"{place}{player}/wasserstein") for place in ("", "validation/"))
        if train is not None and held_out is not None and train > 0 and held_out < TAKEN_FOR_FAKE * train:
            figures = (
                f"The Wasserstein distance that {player} estimates is {train:.3g} in training and {held_out:.3g} on "
                "held-out examples: it takes these for fakes."
            )
            return Finding("memorised examples", figures, remedy)
    return None


def unused_codes(rows: Sequence[Row], codes: int) -> Finding | None:
    """A codebook of which few vectors are used."""
    perplexity = recent(rows, "model/perplexity")
    if perplexity is None or perplexity >= UNUSED * codes:
        return None
    return Finding(
        "unused codes",
        f"The codebook is used as if it had {perplexity:.3g} of its {codes} vectors (perplexity), less than "
        f"{UNUSED:g} of them.",
        "Try fewer codes, a lower --method.decay, or a lower learning rate of the encoder.",
    )


def overfitting(rows: Sequence[Row], monitor: str, start: float) -> Finding | None:
    """A validation loss that has risen again since its minimum; `start` is the first loss of all in training."""
    values = curve(rows, monitor)
    if len(values) < 3:
        return None
    (step, least), (last_step, last) = min(values, key=lambda value: value[1]), values[-1]
    fallen = start - least
    if fallen <= 0 or last - least <= RISEN * fallen:
        return None
    return Finding(
        "overfitting",
        f"{monitor} was {least:.4g} at iteration {step:,} and has risen to {last:.4g} at {last_step:,}: by "
        f"{100 * (last - least) / fallen:.0f} % of all that it had fallen.",
        f"Stop near iteration {step:,} (--step best takes that checkpoint), add dropout or weight decay, or use "
        "more data.",
    )


def underfitting(rows: Sequence[Row], monitor: str) -> Finding | None:
    """A training loss that is still falling steeply at the end, where that on held-out examples has not turned."""
    validated = [value for _, value in curve(rows, monitor)]
    if validated and validated[-1] > min(validated):
        return None
    name = monitor.removeprefix("validation/")
    values = np.array([value for _, value in curve(rows, name)])
    if len(values) < MIN_ROWS:
        return None
    window = max(1, len(values) // 10)
    last, before = values[-window:].mean(), values[-3 * window : -2 * window].mean()
    fallen = values[0] - last
    if fallen <= 0 or before - last <= FALLING * fallen:
        return None
    return Finding(
        "underfitting",
        f"{name} still fell from {before:.4g} to {last:.4g} in the last fifth of the run: "
        f"{100 * (before - last) / fallen:.0f} % of all that it has fallen.",
        "Train on: the same command with more --train.steps; or raise the learning rate.",
    )


def not_finite(rows: Sequence[Row], order: Sequence[str], origin: Origin | None = None) -> Finding | None:
    """Metrics that are no numbers: the first row of them, and whose player's came first; `order` is that of play.

    With where it began, if that is known.
    """
    for number, row in enumerate(rows):
        names = [name for name, value in row.items() if value is None]
        if not names:
            continue
        by_turn = sorted(names, key=lambda name: order.index(_player(name)) if _player(name) in order else len(order))
        before = (
            f"the last finite row is that of iteration {rows[number - 1]['step']:,}" if number else "no row is finite"
        )
        began = f" {_began(origin)}" if origin else ""
        return Finding(
            "divergence",
            f"{by_turn[0]} was no finite number at iteration {row['step']:,}, the first in the order of play of "
            f"{len(names)} such metrics; {before}.{began}",
            f"Lower the learning rate of {origin.player if origin else _player(by_turn[0])} or clip its gradients.",
        )
    return None


def _began(origin: Origin) -> str:
    what = f"the {origin.what} of {origin.layer}" if origin.layer else "the loss, behind finite activations,"
    return (
        f"Made again, iteration {origin.iteration:,} is the first with such numbers: in update {origin.play} of "
        f"{origin.plays} of {origin.player} {what} {'was' if origin.layer is None else 'were'} the first."
    )


def _player(name: str) -> str:
    return name.removeprefix("validation/").partition("/")[0]


def slowing(rows: Sequence[Row]) -> Finding | None:
    """Iterations that take much longer at the end than at the beginning."""
    values = curve(rows, "time/steps_per_second")
    if len(values) < MIN_ROWS:
        return None
    ends = values[: len(values) // 4], values[-(len(values) // 4) :]
    first, last = (float(np.median([speed for _, speed in end])) for end in ends)
    seconds = (ends[1][-1][0] - ends[1][0][0]) / last
    if last >= SLOWED * first or seconds < LONG:
        return None
    return Finding(
        "slowing down",
        f"The run made {first:.3g} iterations a second in its first quarter and {last:.3g} in its last.",
        "Look for other work on the machine; else record, draw and save less often (--track.every, "
        "--track.samples-every, --checkpoint.every), or keep the data on the device (--data.resident-mb).",
    )
