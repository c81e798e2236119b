"""Configurations of variational methods as genlab 0.1 wrote them."""

from typing import Any

from genlab.errors import Invalid

Plain = dict[str, Any]


def vaes(method: Plain) -> Plain:
    """The same method in today's fields; what is of today stays as it is.

    Raises:
        Invalid: its networks are of a make that is no longer.
    """
    name = method.get("name")
    if name == "vamp":
        raise Invalid("config.json: method.name: 'vamp' is of genlab 0.1, which loads it; today it is a prior of vae")
    if name not in ("vae", "iwae", "ladder_vae", "vq_vae"):
        return method
    new = dict(method) | {"name": "vae" if name == "iwae" else name}
    if isinstance(new.get("likelihood"), str):
        moved = {"likelihood": "name", "scale": "scale", "learn_scale": "learn_scale"}
        new["likelihood"] = {field: new.pop(old) for old, field in moved.items() if old in new}
    old = {field: new.pop(field) for field in ("beta", "warmup", "free_bits", "k") if field in new}
    if old or name == "iwae":
        new["objective"] = old | ({"name": "iwae"} if name == "iwae" else {})
    prior = {field: new.pop(f"prior_{field}") for field in ("width", "optimizer") if f"prior_{field}" in new}
    return new | ({"prior": prior} if prior else {})
