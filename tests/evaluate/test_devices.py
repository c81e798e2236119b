"""Evaluation over devices: by the mapper that a configuration names, on its devices, and always the same numbers."""

import dataclasses

import jax
import numpy as np
import pytest

from genlab.config.sections import Parallel
from genlab.data.sources import load as load_data
from genlab.evaluate.devices import over_rows
from genlab.evaluate.evaluator import Run, Settings, evaluate
from genlab.evaluate.scorer import make_scorer
from genlab.model import load
from genlab.nn.layers import AXIS

MAPPERS = "pmap", "shard_map"


def forbid(monkeypatch, mapper):
    def refuse(*_, **__):
        raise RuntimeError(f"{mapper} was called")

    monkeypatch.setattr(jax, mapper, refuse)


def shifted(constants, rows):
    """With a collective, and a dictionary of results."""
    count = jax.lax.psum(1, AXIS)
    return {"x": rows["x"] * constants, "devices": jax.numpy.full(len(rows["x"]), count)}


@pytest.mark.parametrize("mapper", MAPPERS)
@pytest.mark.parametrize("devices", [0, 1, 3, 64])
def test_rows_are_spread_as_the_configuration_says(mapper, devices):
    rows = {"x": np.arange(22, dtype=np.float32).reshape(11, 2)}
    found = over_rows(shifted, np.float32(2), rows, 2, "rows", Parallel(mapper, devices))
    np.testing.assert_array_equal(found["x"], 2 * rows["x"])
    assert set(found["devices"]) == {min(devices, 8) or 8}  # as many as there are, where fewer are present


@pytest.mark.parametrize("mapper", MAPPERS)
def test_the_mapper_is_the_one_that_is_named(mapper, monkeypatch):
    def same(constants, rows):
        return rows

    other = next(name for name in MAPPERS if name != mapper)
    with monkeypatch.context() as patch:
        forbid(patch, mapper)
        with pytest.raises(RuntimeError, match=f"^{mapper} was called"):
            over_rows(same, (), np.ones(4), 2, "rows", Parallel(mapper, 2))
    if mapper == "shard_map":  # pmap is itself made of shard_map
        forbid(monkeypatch, other)
    np.testing.assert_array_equal(over_rows(same, (), np.ones(4), 2, "rows", Parallel(mapper, 2)), np.ones(4))


def test_a_run_is_evaluated_by_its_own_mapper(trained, monkeypatch):
    """Samples, features, likelihood, reconstructions, ways between samples, and the score while training: all without
    pmap where the configuration says shard_map, and to 1e-4 the numbers of pmap."""
    model = load(trained("vae"))
    settings = Settings(metrics=("frechet", "precision", "likelihood", "reconstruction", "smoothness"), n=20, seeds=1)

    def measured(parallel):
        config = dataclasses.replace(model.config, parallel=parallel)
        run = Run(trained("vae"), dataclasses.replace(model, config=config))
        scores = [result.scores for result in evaluate([run], {}, config.data, settings)]
        scorer = make_scorer(config, model.game, load_data(config.data))
        return [*scores, scorer(model.state)[1]]

    expected = measured(Parallel("pmap", 1))
    with monkeypatch.context() as patch:
        forbid(patch, "pmap")
        found = measured(Parallel("shard_map", 2))
        with pytest.raises(RuntimeError, match="pmap was called"):
            measured(Parallel("pmap", 3))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.keys() == theirs.keys()
        np.testing.assert_allclose(list(ours.values()), list(theirs.values()), rtol=1e-4, atol=1e-4)
