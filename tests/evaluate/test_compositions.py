"""The table of VAEs of every likelihood, prior and posterior."""

from pathlib import Path

import pytest

from genlab import cli
from genlab.data.config import Data
from genlab.errors import Invalid
from genlab.evaluate.compositions import compositions, markdown, pixels_for
from genlab.evaluate.evaluator import Result
from genlab.evaluate.leaderboard import Row
from genlab.evaluate.protocol import Stamp

STAMP = Stamp("digits", "test", "b90e9f2f341f", 180)


def test_every_pair_is_the_preset_with_these_parts():
    vae = cli.preset("vae")
    found = compositions(vae, "gaussian", ("normal", "flow"), ("diagonal", "full"))
    assert list(found) == [f"gaussian-{p}-{q}" for p in ("normal", "flow") for q in ("diagonal", "full")]
    method = found["gaussian-flow-full"].method
    assert (method.likelihood.name, method.prior.name, method.posterior.name) == ("gaussian", "flow", "full")
    assert method.likelihood.learn_scale and method.encoder == vae.method.encoder
    assert not compositions(vae, "bernoulli", ("normal",), ("iaf",))[
        "bernoulli-normal-iaf"
    ].method.likelihood.learn_scale
    with pytest.raises(Invalid, match="^posterior.name: 'iaf' is not allowed under a vamp prior"):
        compositions(vae, "gaussian", ("vamp",), ("iaf",))


def test_pixels_are_what_it_is_a_likelihood_of():
    kinds = ("bernoulli", "continuous_bernoulli", "gaussian", "logistic", "logistic_mixture")
    seen = {kind: pixels_for(Data(), kind) for kind in kinds}
    assert [kind for kind in kinds if seen[kind].binarise] == ["bernoulli"]
    assert [kind for kind in kinds if seen[kind].dequantise] == ["continuous_bernoulli", "gaussian"]


def test_the_table_by_hand():
    def row(nats, **more):
        return Row("x", (Result("run", STAMP, {"log_likelihood": nats} | more, run=Path("run"), step=1),))

    rows = {"bernoulli": [row(-20.0), row(-19.5)], "gaussian": [row(30.0, bits_per_dimension=4.5), row(31.0)]}
    assert markdown(rows, ("normal",), ("diagonal", "full")).splitlines()[:4] == [
        "| likelihood | prior | diagonal | full |",
        "| --- | --- | --- | --- |",
        "| bernoulli | normal | -20 | -19.5 |",
        "| gaussian | normal | 30 (4.5) | 31 |",
    ]
