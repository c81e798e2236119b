"""Stamps: what may be compared, and what is said where it may not."""

import dataclasses

import pytest

from genlab.errors import Invalid
from genlab.evaluate.protocol import NAMES, PROTOCOLS, Stamp, describe_stamp, differences, require_same

STAMP = Stamp(
    data="digits",
    split="train",
    reference="b90e9f2f341f",
    n_real=1437,
    n_generated=180,
    extractor="classifier",
    weights="c803b3d8ae6e",
    resize="none",
    ema=True,
    seeds=(0, 1),
    observation="bernoulli",
    binarised="dynamic",
    dequantised=False,
)
# of every field what STAMP has, if it is known there, and another value
OTHER = {
    "data": ("digits", "tfds:mnist"),
    "split": ("train", "test"),
    "reference": ("b90e9f2f341f", "000000000000"),
    "n_real": (1437, 1000),
    "n_generated": (180, 2000),
    "extractor": ("classifier", "pixels"),
    "weights": ("c803b3d8ae6e", "000000000000"),
    "resize": ("none", "bilinear (TF1) to 299"),
    "grey": ("as it is", "three times"),
    "n_neighbours": (180, 90),
    "kernel": ("all pairs", "10 subsets of 5000"),
    "splits": (10, 5),
    "importance": (100, 5000),
    "observation": ("bernoulli", "gaussian"),
    "binarised": ("dynamic", "static"),
    "dequantised": (False, True),
    "quantised": ("round", "truncate"),
    "ema": (True, False),
    "batch_norm": ("average", "batch"),
    "seeds": ((0, 1), (0,)),
    "protocol": ("", "lucic"),
}


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Stamp)])
def test_every_field_that_differs_is_named(name):
    ours, theirs = OTHER[name]
    one, other = (dataclasses.replace(STAMP, **{name: value}) for value in (ours, theirs))
    assert getattr(STAMP, name) in (None, ours)
    assert differences(one, other) == [f"{name}: {theirs!r}, not {ours!r}"]
    with pytest.raises(Invalid, match=f"protocol: b cannot be compared with a; it has {name}: "):
        require_same({"a": one, "b": other})


def test_what_is_not_known_keeps_nothing_from_being_compared():
    """Of another program's images nobody knows whether the weights were averaged."""
    assert not differences(STAMP, dataclasses.replace(STAMP, ema=None, seeds=None))
    require_same({"a": STAMP, "b": dataclasses.replace(STAMP, quantised="round")})


def test_a_stamp_is_described_in_one_line():
    said = describe_stamp(STAMP)
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
