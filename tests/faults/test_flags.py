"""Flags made from the configuration's own fields, with values that are not theirs."""

import dataclasses
import math
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from genlab import cli

WRONG = {
    int: ["x", "", "nan", "1.5", "-7"],
    float: ["x", "", "nan", "-nan", "-7"],
    bool: ["maybe", ""],
    Literal: ["nope", ""],
    tuple: ["x"],
}
EACH = 12
PRESETS = ["wgan_gp", "vae", "cgan", "dbn"]


def leaves(section, path=()):
    """(names, type) of every setting of a configuration."""
    hints = get_type_hints(type(section))
    for field in dataclasses.fields(section):
        value, names = getattr(section, field.name), (*path, field.name)
        if dataclasses.is_dataclass(value):
            yield from leaves(value, names)
        else:
            yield names, hints[field.name]


def kinds(hint):
    """The types of `int | None` and the like that have wrong values."""
    options = [hint, *get_args(hint)] if get_origin(hint) is not Literal else [hint]
    return [kind for option in options if (kind := get_origin(option) or option) in WRONG][:1]


def cases(preset):
    return [
        (names, text, hint)
        for names, hint in leaves(cli.preset(preset))
        for kind in kinds(hint)
        for text in WRONG[kind]
    ]


def said(names):
    """How a message may call the setting: as in the file or as its flag."""
    return names[-1], names[-1].replace("_", "-")


@pytest.mark.parametrize("preset", PRESETS)
def test_a_wrong_value_is_refused_by_its_name_or_means_itself(preset, draw, answer):
    refused = 0
    for names, text, _ in draw.sample(cases(preset), EACH):
        flag = "--" + ".".join(names).replace("_", "-") + "=" + text
        message, command = answer(lambda flag=flag: cli.parse(["--config", preset, flag]), *said(names))
        refused += message is not None
        if command:
            value = command.settings
            for name in names:
                value = getattr(value, name)
            if isinstance(value, int | float):
                assert value == float(text) and math.isfinite(value), flag
            else:
                assert value in (None, text, (text,)), flag
    assert refused > EACH / 2


@pytest.mark.parametrize("text", ["", "maybe", "True"])
def test_a_value_of_a_switch_is_refused_by_the_switch(text, answer):
    message, _ = answer(lambda: cli.parse(["--config", "vae", f"--data.flip={text}"]), "--data.flip: ")
    assert message
