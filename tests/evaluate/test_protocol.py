"""Stamps: what may be compared, and what is said where it may not."""

import dataclasses

import pytest

from genlab.errors import Invalid
from genlab.evaluate.protocol import NAMES, PROTOCOLS, Stamp, differences, require_same, spoken

STAMP = Stamp(
    "digits",
    "train",
    "b90e9f2f341f",
    1437,
    180,
    "classifier",
    "c803b3d8ae6e",
    "none",
    ema=True,
    seeds=(0, 1),
    observation="bernoulli",
    binarised="dynamic",
    dequantised=False,
)
OTHER = {
    "data": "tfds:mnist",
    "split": "test",
    "reference": "000000000000",
    "n_real": 1000,
    "n_generated": 2000,
    "extractor": "pixels",
    "weights": "000000000000",
    "resize": "bilinear (TF1) to 299",
    "observation": "gaussian",
    "binarised": "static",
    "dequantised": True,
    "ema": False,
    "seeds": (0,),
}


@pytest.mark.parametrize("name", OTHER)
def test_every_field_that_differs_is_named(name):
    other = dataclasses.replace(STAMP, **{name: OTHER[name]})
    assert differences(STAMP, other) == [f"{name}: {OTHER[name]!r}, not {getattr(STAMP, name)!r}"]
    with pytest.raises(Invalid, match=f"protocol: b cannot be compared with a; it has {name}: "):
        require_same({"a": STAMP, "b": other})


def test_what_is_not_known_keeps_nothing_from_being_compared():
    """Of another program's images nobody knows whether the weights were averaged."""
    assert not differences(STAMP, dataclasses.replace(STAMP, ema=None, seeds=None))
    require_same({"a": STAMP, "b": dataclasses.replace(STAMP, quantised="round")})


def test_a_stamp_is_spoken_in_one_line():
    said = spoken(STAMP)
    assert said.startswith("digits, against 1437 of the train split (") and "\n" not in said
    for part in ("n_generated 180", "extractor classifier", "weights c803b3d8ae6e", "ema True", "seeds 0 1"):
        assert part in said
    assert "kernel" not in said  # of no account here


def test_the_published_protocols():
    assert tuple(PROTOCOLS) == NAMES
    found = {name: (p.split, p.n_real, p.n_generated, p.batch_norm) for name, p in PROTOCOLS.items()}
    assert found["lucic"] == ("test", 10_000, 10_000, "average")
    assert found["mimicry"] == found["studiogan"] == ("train+validation", 50_000, 50_000, "average")
    assert found["paper"] == ("train+validation", 50_000, 50_000, "batch")
    assert PROTOCOLS["mimicry"].subsets == (10, 5_000) and PROTOCOLS["mimicry"].seeds == 3
    assert not any(p.ema for p in PROTOCOLS.values())
