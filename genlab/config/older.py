"""The section "method" of a configuration as genlab 0.1 wrote it, before methods were made of parts."""

from typing import Any

from genlab.errors import Invalid

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
LABELLED = ("gan", "wgan", "wgan_gp")
MOVED = {"label": "use", "class_weight": "weight", "generator_class_weight": "generator_weight"}  # into `labels`


def converted(method: Plain) -> Plain:
    """The same method in today's fields, its name among them; what is of today stays as it is.

    Raises:
        Invalid: its networks are of a make that is no longer.
    """
    for family in (autoencoders, boltzmann, vaes, gans):
        method = family(method)
    return method


def autoencoders(method: Plain) -> Plain:
    """A denoising, sparse or contractive autoencoder as an `ae` of that kind; anything else as it is."""
    if method.get("name") not in KINDS:
        return method
    section, settings, renamed, defaults = KINDS[method["name"]]
    given = _moved(defaults | method | {"name": "ae"}, section, renamed)
    own = given.get(section, {})
    return given | {section: settings | own if isinstance(own, dict) else own}


def boltzmann(method: Plain) -> Plain:
    """An `rbm` or `dbn` with its visible units and chains as sections; anything else as it is."""
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


def gans(method: Plain) -> Plain:
    """A method's plain settings with today's fields: what its opponent does with labels is a part of its own.

    Settings of today, and those of other methods, are returned as they are.
    """
    labels = {new: method[old] for old, new in MOVED.items() if old in method}
    if method.get("name") not in LABELLED or "labels" in method or not labels:
        return method
    return {name: value for name, value in method.items() if name not in MOVED} | {"labels": labels}
