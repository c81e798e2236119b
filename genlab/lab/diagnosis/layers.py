"""What is wrong with how layers learn: gradients, updates, units."""

from collections.abc import Callable, Sequence

import numpy as np

from genlab.lab.diagnosis.finding import Finding
from genlab.lab.probe import Turn
from genlab.lab.start import Start
from genlab.lab.units import FLAT, Units

# of the root mean square of a layer's gradient to the median over its player's layers: healthy presets stay within 33
APART = 1000.0
# of an update's size to its weights': about 1e-3 is usual (Karpathy, CS231n, "Babysitting the learning process");
# healthy presets, Adam and SGD, stay within 1.5e-4 to 2.8e-2
TOO_LARGE, TOO_SMALL = 0.1, 1e-5
# share of a layer's units that are 0 for all of a batch; ReLU networks of healthy VAEs on the digits come to 0.77
DEAD = 0.95
# share that are flat, but not 0; of those of healthy presets none is
SATURATED = 0.5
# of a first loss to that of networks that know nothing; presets come to 8.6, of squares, else to 3.1
HIGH = 30.0


def vanishing(turns: Sequence[Turn]) -> Finding | None:
    """Layers whose gradient is far below that of the other layers of the player, or 0."""
    found = _gradients(turns, lambda ratio: ratio < 1 / APART)
    if not found:
        return None
    return Finding(
        "vanishing gradients",
        f"{found} times the median over its player's layers; less than {1 / APART:g} is too little.",
        "Try a normalisation, an activation that does not saturate (leaky_relu, silu), or fewer layers.",
    )


def exploding(turns: Sequence[Turn]) -> Finding | None:
    """Layers whose gradient is far above that of the other layers of the player."""
    found = _gradients(turns, lambda ratio: ratio > APART)
    if not found:
        return None
    return Finding(
        "exploding gradients",
        f"{found} times the median over its player's layers; more than {APART:g} is too much.",
        "Try a normalisation, clipping (--method.optimizer.clip 1, of that player), or smaller initial weights.",
    )


def _gradients(turns: Sequence[Turn], ill: Callable[[float], bool]) -> str:
    """The layer of the most extreme gradient among those that are ill, in words; empty if none is."""
    worst: tuple[float, str] = (0.0, "")
    for turn in turns:
        sizes = {layer.name: layer.gradient for layer in turn.layers if layer.gradient is not None}
        median = float(np.median(list(sizes.values()))) if sizes else 0.0
        for name, size in sizes.items():
            ratio = size / median if median else 0.0
            away = abs(np.log(ratio)) if ratio else np.inf
            if ill(ratio) and away > worst[0]:
                worst = away, f"The gradient of {turn.player} by {name} has root mean square {size:.2g}, {ratio:.2g}"
    return worst[1]


def large_updates(turns: Sequence[Turn]) -> Finding | None:
    """Layers that one update moves by a large share of their weights."""
    player, layer, ratio = max(_update_ratios(turns), key=lambda found: found[2], default=("", "", 0.0))
    if ratio <= TOO_LARGE:
        return None
    return Finding(
        "updates too large",
        f"One update of {player} at its peak learning rate moves the weights of {layer} by {ratio:.2g} of their size; "
        f"about 0.001 is usual, more than {TOO_LARGE:g} is too large.",
        f"Lower the learning rate of {player} by about {ratio / 1e-3:.0f} times, or clip its gradients.",
    )


def small_updates(turns: Sequence[Turn]) -> Finding | None:
    """Players none of whose layers an update moves by a share of its weights worth naming."""
    for turn in turns:
        player, layer, ratio = max(_update_ratios([turn]), key=lambda found: found[2], default=("", "", np.inf))
        if ratio < TOO_SMALL:
            return Finding(
                "updates too small",
                f"One update of {player} at its peak learning rate moves no layer by more than {ratio:.2g} of its "
                f"weights' size ({layer}); about 0.001 is usual, less than {TOO_SMALL:g} is too small.",
                f"Raise the learning rate of {player}.",
            )
    return None


def _update_ratios(turns: Sequence[Turn]) -> list[tuple[str, str, float]]:
    """Player, layer and ratio of all layers that have weights other than 0."""
    return [
        (turn.player, layer.name, layer.update / layer.weight)
        for turn in turns
        for layer in turn.layers
        if layer.weight and layer.update is not None
    ]


def dead_units(turns: Sequence[Turn]) -> Finding | None:
    """Layers nearly all of whose units are 0 for every example of a batch, as ReLUs are that nothing reaches."""
    worst = max(_units(turns), key=lambda units: units.dead, default=None)
    if worst is None or worst.dead < DEAD:
        return None
    return Finding(
        "dead units",
        f"{100 * worst.dead:.0f} % of the units of {worst.name} are 0 for every example of a batch, and so learn "
        f"nothing; healthy networks stay below {100 * DEAD:.0f} %.",
        "Lower the learning rate, or take another activation (leaky_relu, silu) or a normalisation.",
    )


def saturated_units(turns: Sequence[Turn]) -> Finding | None:
    """Layers many of whose units are at the flat end of their activation for every example of a batch."""
    worst = max(_units(turns), key=lambda units: units.saturated, default=None)
    if worst is None or worst.saturated < SATURATED:
        return None
    return Finding(
        "saturated units",
        f"{100 * worst.saturated:.0f} % of the units of {worst.name} are where the slope of their activation is below "
        f"{FLAT:g} for every example of a batch, and so learn hardly anything; {100 * SATURATED:.0f} % is too much.",
        "Lower the learning rate, start with smaller weights (--method.NETWORK.init), or add a normalisation.",
    )


def _units(turns: Sequence[Turn]) -> list[Units]:
    return [units for turn in turns for units in turn.units]


def wrong_start(starts: Sequence[Start]) -> Finding | None:
    """Players whose first loss is far above that of networks that know nothing."""
    far = [start for start in starts if 0 < start.ignorant * HIGH < start.loss]
    if not far:
        return None
    worst = max(far, key=lambda start: start.loss / start.ignorant)
    return Finding(
        "wrong loss at the start",
        f"The loss of {worst.player} starts at {worst.loss:.4g}, where networks that say the same of every example "
        f"have {worst.ignorant:.4g}; more than {HIGH:g} times as much is too much.",
        "The first weights are too large for these data: take another --method.NETWORK.init or a normalisation.",
    )
