"""Flags made from the configuration's own fields, with values that are not theirs."""

import dataclasses
import math
import socket
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
from starlette.applications import Starlette

import genlab
from genlab import cli
from genlab.latent import interpolation
from genlab.serve.server import serve
from genlab.train.loop import train

WRONG = {
    int: ["x", "", "nan", "1.5", "-7", "inf", "-inf", "9" * 30],
    float: ["x", "", "nan", "-nan", "-7", "inf", "-inf", "9" * 60],
    bool: ["maybe", ""],
    Literal: ["nope", ""],
    tuple: ["x"],
}
EACH = 24
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
                assert value == float(text) and (math.isfinite(value) or names[-1] == "norm"), flag
            else:
                assert value in (None, text, (text,)), flag
    assert refused > EACH / 2


@pytest.mark.parametrize("text", ["", "maybe", "True", "a b", "-1"])
@pytest.mark.parametrize("apart", [True, False])
def test_a_value_of_a_switch_is_refused_by_the_switch(text, apart, answer):
    """Whatever else has that value, and whatever else is wrong behind it."""
    asked = ["--data.flip", text] if apart else [f"--data.flip={text}"]
    others = ["--config", "vae", "--track.project", "maybe", *asked, "--data.binarise", "--nope"]
    message, _ = answer(lambda: cli.parse(others))
    assert message == f"--data.flip: {text!r} is not allowed; it is a switch, without a value"


def test_a_flag_behind_a_switch_is_no_value_of_it(answer):
    message, _ = answer(lambda: cli.parse(["--config", "vae", "--data.flip", "--nope"]))
    assert message.startswith("--nope: no such flag")


LONG = ["a" * 300, "a/" * 3000]


@pytest.mark.parametrize("text", [*LONG, "a\0b"])
@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--data.name", "folder:{}", "--data.image-size", "8"], "data.name: "),
        (["--data.name", "npz:{}"], "data.name: "),
        (["--data.name", "tfds:{}"], "data.name: "),
        (["--data.name", "folder:x", "--data.image-size", "8", "--data.dir", "{}"], "data."),
        (["--data.name", "npz:x", "--data.dir", "{}"], "data."),
        (["--data.name", "tfds:mnist", "--data.dir", "{}"], "data."),
        (["--init.run-dir", "{}"], "init.run_dir: "),
        (["--run-dir", "{}"], "run_dir: "),
        (["--config", "{}"], "config: "),
    ],
)
def test_a_place_that_no_file_system_can_hold_is_refused_by_its_field(flags, named, text, answer, tmp_path):
    asked = ["--config", "vae", *(flag.format(text) for flag in flags)]
    message, _ = answer(lambda: train(cli.parse(asked).settings, tmp_path / "run"))
    assert message.startswith(named)


@pytest.mark.parametrize("text", LONG)
def test_an_image_that_no_file_system_can_hold_is_refused_by_its_flag(text, trained, answer):
    model = genlab.load(trained("vae", steps=4))
    message, _ = answer(lambda: interpolation.end_latents(model, ["0", text]))
    assert message.startswith("between: ")


HOSTS = ["", " ", "nowhere.invalid", "192.0.2.1", "256.1.1.1", "::g", "[::1]", "127.0.0.1:80", "http://localhost"]


@pytest.mark.parametrize("host", [*HOSTS, "a" * 300, "\u00e9" * 100, "a..b", "*"])
def test_an_address_that_is_not_this_machines_is_refused_by_its_flag(host, answer, monkeypatch):
    def taken(listening):
        listening.close()
        raise AssertionError("it is taken for one")

    monkeypatch.setattr(socket.socket, "listen", taken)
    message, _ = answer(lambda: serve(Starlette(), host, 0))
    assert message.startswith("host: ")
