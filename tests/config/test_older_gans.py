"""Adversarial methods as older versions wrote them into config.json."""

import json

import pytest

from genlab import cli
from genlab.config.older import gans
from genlab.config.plain import from_dict, to_dict
from genlab.parts.labels import Conditioning


def old(preset, **fields):
    """A preset's method as it was written when labels had three fields."""
    plain = to_dict(cli.preset(preset))["method"]
    labels = plain.pop("labels") | fields
    names = {"label": "use", "class_weight": "weight", "generator_class_weight": "generator_weight"}
    return plain | {name: labels[new] for name, new in names.items()}


@pytest.mark.parametrize("preset", ["wgan_gp", "wgan", "sn_wgan", "gan", "r3gan", "cgan", "acgan"])
def test_old_fields_become_those_of_labels(preset):
    config = cli.preset(preset)
    plain = to_dict(config) | {"method": old(preset)}
    assert gans(plain["method"]) != plain["method"]
    assert from_dict(json.loads(json.dumps(plain))) == config


def test_every_value_goes_to_its_place():
    found = gans(old("acgan", weight=3.0, generator_weight=0.7))
    method = from_dict(to_dict(cli.preset("acgan")) | {"method": found}).method
    assert method.labels == Conditioning("auxiliary", weight=3.0, generator_weight=0.7)


def test_fields_that_an_even_older_version_did_not_have_are_the_defaults():
    plain = old("cgan")
    del plain["class_weight"], plain["generator_class_weight"]
    assert gans(plain)["labels"] == {"use": "projection"}
    del plain["label"]
    assert gans(plain) == plain


@pytest.mark.parametrize("preset", ["wgan_gp", "acgan", "began", "vae", "cvae"])
def test_what_is_new_or_of_another_method_stays_as_it_is(preset):
    plain = to_dict(cli.preset(preset))["method"]
    assert gans(plain) == plain
    other = {"name": "vae", "label": "a"}
    assert gans(other) == other


def test_nothing_is_changed_in_place():
    plain = old("cgan")
    kept = dict(plain)
    assert gans(plain) != plain == kept
