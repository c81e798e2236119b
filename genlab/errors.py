"""The two ways to end early: what the user can mend before starting, and what happens to a run."""

import os
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

FLOAT32 = (1.1754944e-38, 3.4028234e38)  # the sizes between which float32 neither vanishes nor overflows


class Invalid(ValueError):
    """Bad input: one line that names the field, the value and what is allowed. Scripts print it and exit with 2."""


class Stopped(RuntimeError):
    """A run cannot go on: one line that says why, and where it stands. Scripts print it and exit with 1."""


def require(ok: bool, field: str, value: object, allowed: str) -> None:
    """Raise `Invalid` ("field: value is not allowed-text") unless `ok`."""
    if not ok:
        raise Invalid(f"{field}: {value!r} is not {allowed}")


def at_least(settings: object, least: int | float, *names: str) -> None:
    """Raise `Invalid` ("name: value is not at least LEAST") for the first of these settings that is less."""
    for name in names:
        value = getattr(settings, name)
        require(value >= least, name, value, f"at least {least}")


@dataclass(frozen=True)
class Within:
    """Of an annotated number: what `check_fields` allows, both ends included, in place of what it allows any."""

    least: int | float
    most: int | float
    allowed: str
    """What is allowed, in words."""


Seed = Annotated[int, Within(0, 2**32 - 1, "in [0, 2^32)")]


def check_fields(settings: Any, prefix: str = "") -> None:
    """That every number of a dataclass, its sections and tuples fits int32 or float32, every path a file system, and
    no text holds the character 0, which ends a name there.

    So it is unless a field is annotated with what it allows instead: `Within`.

    Raises:
        Invalid: one is not; it is named by its path, as `method.optimizer.eps`.
    """
    for field in fields(settings):
        value, name = getattr(settings, field.name), prefix + field.name
        if is_dataclass(value):
            check_fields(value, f"{name}.")
            continue
        own = next((note for note in getattr(field.type, "__metadata__", ()) if isinstance(note, Within)), None)
        for number in value if isinstance(value, tuple) else (value,):
            if own is not None:
                require(own.least <= number <= own.most, name, number, own.allowed)
            elif type(number) is int:
                require(-(2**31) <= number < 2**31, name, number, "an integer of 32 bits")
            elif isinstance(number, str):
                require("\0" not in number, name, number, "without the character 0")
            elif isinstance(number, Path):
                parts = max((len(os.fsencode(part)) for part in number.parts), default=0)
                fits = parts <= 255 and len(os.fsencode(number)) < 4096 and "\0" not in str(number)
                allowed = "a path: its names have at most 255 bytes, all of it 4095, and none is 0"
                require(fits, name, f"{str(number)[:40]}...", allowed)
            elif type(number) is float:
                small, large = FLOAT32
                fits = number == 0 or small <= abs(number) <= large
                require(fits, name, number, f"finite in float32: 0, or of size {small:.2g} to {large:.2g}")
