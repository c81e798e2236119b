"""The settings of adversarial methods as older versions wrote them."""

from typing import Any

LABELLED = ("gan", "wgan", "wgan_gp")
MOVED = {"label": "use", "class_weight": "weight", "generator_class_weight": "generator_weight"}  # into `labels`


def gans(method: dict[str, Any]) -> dict[str, Any]:
    """A method's plain settings with today's fields: what its opponent does with labels is a part of its own.

    Settings of today, and those of other methods, are returned as they are.
    """
    labels = {new: method[old] for old, new in MOVED.items() if old in method}
    if method.get("name") not in LABELLED or "labels" in method or not labels:
        return method
    return {name: value for name, value in method.items() if name not in MOVED} | {"labels": labels}
