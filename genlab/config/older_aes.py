"""Autoencoders and Boltzmann machines as configurations held them before methods were made of parts."""

from typing import Any

Plain = dict[str, Any]
# by the method's name as it was: the section its own settings are in now, these with their defaults and new names,
# and what else differs from the defaults of an ae
KINDS: dict[str, tuple[str, Plain, dict[str, str], Plain]] = {
    "denoising_ae": ("corruption", {"kind": "masking", "level": 0.25}, {}, {}),
    "sparse_ae": (
        "sparsity",
        {"kind": "kl", "weight": 1.0, "rate": 0.1},
        {"penalty": "kind", "weight": "weight", "rate": "rate"},
        {"latent": 64},
    ),
    "contractive_ae": ("contraction", {"weight": 0.1, "exact": True}, {"weight": "weight", "exact": "exact"}, {}),
}


def autoencoders(method: Plain) -> Plain:
    """A denoising, sparse or contractive autoencoder as an `ae` of that kind; anything else as it is.

    Takes and gives the plain JSON values of the section "method", its name among them.
    """
    if method.get("name") not in KINDS:
        return method
    section, settings, renamed, defaults = KINDS[method["name"]]
    given = _moved(defaults | method | {"name": "ae"}, section, renamed)
    own = given.get(section, {})
    return given | {section: settings | own if isinstance(own, dict) else own}


def boltzmann(method: Plain) -> Plain:
    """An `rbm` or `dbn` with its visible units and chains as sections; anything else as it is.

    Takes and gives the plain JSON values of the section "method", its name among them.
    """
    if method.get("name") not in ("rbm", "dbn"):
        return method
    units = _moved(method, "visible", {"visible": "kind", "scale": "scale"})
    return _moved(units, "gibbs", {"k": "k", "gibbs": "steps", "temperatures": "temperatures"})


def _moved(method: Plain, section: str, renamed: dict[str, str]) -> Plain:
    """With settings of the method moved to its `section`, under these names, unless it has that section already."""
    own = {new: method[old] for old, new in renamed.items() if old in method}
    if not own or isinstance(method.get(section), dict):
        return method
    return {name: value for name, value in method.items() if name not in renamed} | {section: own}
