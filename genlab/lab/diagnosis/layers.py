"""What is wrong with how layers learn: gradients, updates, units."""

from collections.abc import Callable, Sequence

import numpy as np

from genlab.lab.diagnosis.finding import Finding
from genlab.lab.probe import Layer, Turn

# of the root mean square of a layer's gradient to the median over its player's layers: healthy presets stay within 33
APART = 1000.0
# of an update's size to its weights': about 1e-3 is usual (Karpathy, CS231n, "Babysitting the learning process");
# healthy presets, Adam and SGD, stay within 1.5e-4 to 2.8e-2
TOO_LARGE, TOO_SMALL = 0.1, 1e-5
# share of a layer's units that no example of a batch reaches; ReLU networks of healthy VAEs on the digits come to 0.77
IDLE = 0.95


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
    """Layers nearly all of whose units are moved by no example of a batch, as ReLUs that are always 0 are."""
    layers = [layer for turn in turns for layer in turn.layers if layer.idle is not None]
    worst = max(layers, key=_idle, default=None)
    if worst is None or _idle(worst) < IDLE:
        return None
    return Finding(
        "dead units",
        f"{100 * _idle(worst):.0f} % of the units of {worst.name} have no gradient from any example of a batch: they "
        f"are 0, or saturated, on all of them. Healthy networks stay below {100 * IDLE:.0f} %.",
        "Lower the learning rate, or take another activation (leaky_relu, silu) or a normalisation.",
    )


def _idle(layer: Layer) -> float:
    return layer.idle or 0.0
