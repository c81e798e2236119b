"""A configuration as plain JSON values and back, and whether two of them train the same."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from genlab import methods
from genlab.config.older import converted
from genlab.config.sections import Config, resolved
from genlab.errors import Invalid, require

# What may change when a run goes on: it alters when and where things are computed and written, not what is trained.
MAY_CHANGE = (
    "checkpoint.",
    "track.",
    "parallel.",
    "train.steps",
    "train.patience",
    "train.validate_every",
    "data.dir",
    "data.resident_mb",
)


def to_dict(config: Config) -> dict[str, Any]:
    """The configuration as plain JSON values; the method's name stands beside its fields."""
    plain = json.loads(json.dumps(dataclasses.asdict(config)))
    return plain | {"method": {"name": methods.name_of(config.method)} | plain["method"]}


def from_dict(plain: Any) -> Config:
    """The inverse of `to_dict`; a section or setting that an older file does not have is the default.

    Raises:
        Invalid: sections or fields that are unknown, of another type or not allowed, or no method.
    """
    from pydantic import ConfigDict, ValidationError, create_model

    method = plain.get("method") if isinstance(plain, dict) else None
    settings = dict(method) if isinstance(method, dict) else {}
    if isinstance(settings.get("name"), str):
        settings = dict(converted(settings))
    name = settings.pop("name", None)
    if not isinstance(name, str) or name not in methods.names():
        raise Invalid(f"config.json: method.name: {name!r}; one of {', '.join(methods.names())} is needed")
    sections: dict[str, Any] = {f.name: (f.type, None) for f in dataclasses.fields(Config)}
    sections["method"] = (methods.find(name), ...)
    reader = create_model("Written", __config__=ConfigDict(strict=True, extra="forbid"), **sections)
    try:
        found = reader.model_validate_json(json.dumps(plain | {"method": settings}))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Invalid(f"config.json: {_located(first['loc'], first['msg'], first['input'])}") from None
    try:
        return Config(**{section: getattr(found, section) for section in found.model_fields_set})
    except Invalid as error:
        raise Invalid(f"config.json: {error}") from None


def _located(path: tuple[int | str, ...], message: str, value: Any) -> str:
    """A complaint about what stands at a path: `method.critic.width: 256.0; Input should be a valid integer`."""
    text = message.removeprefix("Value error, ")
    if text == message:
        return f"{'.'.join(map(str, path))}: {value!r}; {message}"
    section = path[:-1] if text.startswith(f"{path[-1]}.") else path  # some of our own messages name it
    return ".".join([*map(str, section), text])


def read(path: Path) -> dict[str, Any]:
    """What a run's config.json holds: "config", and the data's "shape" and "classes".

    Raises:
        Invalid: it is not as genlab wrote it.
    """
    try:
        written = json.loads(path.read_text())
        found = {name: written[name] for name in ("config", "shape", "classes")}
        shape, classes = found["shape"], found["classes"]
        sides = isinstance(shape, list) and len(shape) in (1, 3) and all(type(n) is int and n > 0 for n in shape)
        require(sides, "shape", shape, "the shape of points or images")
        names = isinstance(classes, list) and all(isinstance(name, str) for name in classes)
        require(names, "classes", classes, "a list of names")
        return found
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Invalid(f"run_dir: {path} cannot be read ({error}); it must be as genlab wrote it") from None


def flatten(plain: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"data": {"name": x}} -> {"data.name": x}."""
    flat: dict[str, Any] = {}
    for name, value in plain.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def check_same(old: dict[str, Any], new: Config) -> None:
    """That a run begun with `old` may go on as `new`.

    Raises:
        Invalid: they differ in what is trained; the first difference is named.
    """
    other = difference(old, new)
    if other:
        raise Invalid(
            f"run_dir: it holds a run with {other}; give the same configuration to continue it, or another --run-dir"
        )


def difference(old: dict[str, Any], new: Config) -> str | None:
    """The first setting, of those that decide what is trained, in which two runs differ: `name = theirs, not ours`.

    Raises:
        Invalid: `old` is no configuration.
    """
    before = flatten(to_dict(resolved(from_dict(old))))  # what an older run did not write is the default
    return first_difference(before, flatten(to_dict(resolved(new))), MAY_CHANGE)


def first_difference(before: dict[str, Any], after: dict[str, Any], may_change: tuple[str, ...]) -> str | None:
    """The first of flat settings, but for those that may change, in which two differ: `name = before, not after`."""
    for name in sorted(before.keys() | after.keys()):
        if not name.startswith(may_change) and before.get(name) != after.get(name):
            return f"{name} = {before.get(name)!r}, not {after.get(name)!r}"
    return None
