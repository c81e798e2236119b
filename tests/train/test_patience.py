"""Early stopping: when it ends a run, that it follows from what is on disk, and that nothing else is changed by it."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest

from genlab.errors import Invalid, Stopped
from genlab.evaluate.scorer import make_scorer
from genlab.lab.population import train_population
from genlab.model import load
from genlab.parts.optimizer import Optimizer
from genlab.train.loop import train
from genlab.train.patience import Patience

SAID = "early stopping at step {}: validation/model/loss has not been below {:.4g} of step {} for {} validation"
WILD = {"method": {"optimizer": Optimizer(learning_rate=0.3)}}  # far too high a rate, by which the loss soon rises


def rows(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if not name.startswith("time/")} for line in lines]


def losses(run):
    return {row["step"]: row["validation/model/loss"] for row in rows(run) if "validation/model/loss" in row}


def steps(run):
    return sorted(int(path.name) for path in (run / "checkpoints").iterdir())


def patient(config, patience):
    return dataclasses.replace(config, train=dataclasses.replace(config.train, patience=patience))


def end(values, limit):
    """The definition, as Keras has it: the step after which so many values in a row were not below the lowest."""
    lowest, wait = np.inf, 0
    for step, value in values.items():
        lowest, wait = (value, 0) if value < lowest else (lowest, wait + 1)
        if wait == limit:
            return step
    return max(values)


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.parametrize("seed", range(5))
def test_it_ends_where_the_definition_says(limit, seed):
    """Random values, with equal ones among them."""
    values = dict(enumerate(np.random.default_rng(seed).integers(0, 9, 40).astype(float), 1))
    patience = Patience(limit, 1000, "m", {})
    for step, value in values.items():
        patience.values[step] = value
        if patience.ended:
            break
    assert step == end(values, limit)


def test_it_never_ends_without_a_limit_nor_at_the_last_step():
    falling_no_more = {1: 0.0, 2: 1.0, 3: 1.0}
    assert Patience(2, 4, "m", falling_no_more).ended
    assert not Patience(0, 4, "m", falling_no_more).ended
    assert not Patience(2, 3, "m", falling_no_more).ended
    assert not Patience(3, 4, "m", falling_no_more).ended
    assert not Patience(1, 4, "m", {}).ended


@pytest.fixture(scope="session")
def whole(trained):
    """A run without patience, whose loss rises and falls."""
    return trained("vae", steps=24, **WILD)


def test_a_run_ends_early_and_is_the_one_that_would_have_gone_on(tiny, whole, tmp_path, capsys):
    """Up to its end bitwise, with its best checkpoint. The same command trains no further, and more patience does."""
    config, values = tiny("vae", steps=24, **WILD), losses(whole)
    last = end(values, 2)
    assert last < 20, "the test needs a loss that rises"
    train(patient(config, 2), tmp_path)
    assert losses(tmp_path) == {step: value for step, value in values.items() if step <= last}
    best = min(losses(tmp_path), key=losses(tmp_path).get)
    said = SAID.format(last, values[best], best, 2) + f"s; the best checkpoint is step {best}"
    assert said in capsys.readouterr().err.splitlines()
    assert steps(tmp_path) == sorted({best, last - 2, last})
    before = rows(tmp_path)
    train(patient(config, 2), tmp_path)
    assert said in capsys.readouterr().err.splitlines()
    assert (rows(tmp_path), steps(tmp_path)[-1]) == (before, last)
    train(patient(config, 0), tmp_path)
    assert rows(tmp_path) == rows(whole)
    jax.tree.map(np.testing.assert_array_equal, load(tmp_path).state, load(whole).state)


def test_killed_and_resumed_it_ends_at_the_same_step(tiny, tmp_path):
    """With the last checkpoints gone, and with the lines of its record up to the best one."""
    config = patient(tiny("vae", steps=24, checkpoint={"keep": 9}, **WILD), 2)
    train(config, tmp_path / "whole")
    last = steps(tmp_path / "whole")[-1]
    values = losses(tmp_path / "whole")
    for gone in ([last], [last - 2, last]):
        parts = tmp_path / f"{len(gone)}"
        shutil.copytree(tmp_path / "whole", parts)
        for step in gone:
            shutil.rmtree(parts / "checkpoints" / str(step))
        train(config, parts)
        assert (losses(parts), steps(parts)) == (values, steps(tmp_path / "whole"))
        jax.tree.map(np.testing.assert_array_equal, load(parts).state, load(tmp_path / "whole").state)
    shutil.rmtree(parts / "checkpoints" / str(last))
    lines = (parts / "metrics.jsonl").read_text().splitlines(keepends=True)
    best = min(values, key=values.get)
    lost = [line for line in lines if "validation" in line and json.loads(line)["step"] <= best]
    torn = [line[:30] + "\n" if line in lost else line for line in lines]
    (parts / "metrics.jsonl").write_text("".join(torn))
    train(config, parts)
    assert steps(parts)[-1] == last and best not in losses(parts)


def test_a_validation_between_checkpoints_counts_and_is_followed_by_one(tiny, tmp_path):
    config = patient(tiny("vae", steps=24, checkpoint={"every": 100, "keep": 1}, **WILD), 2)
    train(config, tmp_path)
    values = losses(tmp_path)
    assert steps(tmp_path) == sorted({min(values, key=values.get), end(values, 2)})


def test_with_scores_of_samples_these_count(tiny, tmp_path, capsys):
    config = tiny("vae", steps=24, checkpoint={"every": 100}, **WILD)
    config = patient(dataclasses.replace(config, evaluate=dataclasses.replace(config.evaluate, every=3)), 1)
    for _ in range(2):
        train(config, tmp_path, make_scorer)
        found = {row["step"]: row["eval/kernel_distance"] for row in rows(tmp_path) if "eval/kernel_distance" in row}
        assert list(found) == list(range(3, end(found, 1) + 1, 3)) and max(found) < 24
        assert "early stopping at step" in (said := capsys.readouterr().err) and "eval/kernel_distance has" in said


def test_one_of_several_ends_alone_and_has_not_failed(tiny, whole, tmp_path, capsys):
    config = patient(tiny("vae", steps=12, **WILD), 2)
    calm = dataclasses.replace(config.method, optimizer=Optimizer(learning_rate=1e-4))
    members = {"wild": config, "calm": dataclasses.replace(config, method=calm)}
    for again in range(2):
        assert train_population(members, tmp_path) is None
        last = end(losses(whole), 2)
        assert steps(tmp_path / "wild")[-1] == last < 12 == steps(tmp_path / "calm")[-1]
        np.testing.assert_allclose(
            list(losses(tmp_path / "wild").values()), list(losses(whole).values())[: last // 2], rtol=1e-3
        )
        said = capsys.readouterr().err
        assert said.count("wild: early stopping at step") == 1 and "calm: " not in said, again


def test_one_that_diverges_beside_one_that_ended_early_is_named(tiny, tmp_path):
    config = patient(tiny("vae", steps=24, **WILD), 1)
    burst = dataclasses.replace(
        config, method=dataclasses.replace(config.method, optimizer=Optimizer(learning_rate=1e30))
    )
    with pytest.raises(Stopped, match="1 of 2 runs ended early: burst"):
        train_population({"burst": burst, "wild": config}, tmp_path)
    assert steps(tmp_path / "wild")[-1] == end(losses(tmp_path / "wild"), 1) < 24


def test_without_examples_held_out_it_is_refused(tiny, tmp_path):
    config = patient(tiny("vae", data={"validation": 0.0}), 3)
    with pytest.raises(
        Invalid, match=r"^train.patience: 3 is not possible without a validation split \(data.validation"
    ):
        train(config, tmp_path)
    assert not (tmp_path / "config.json").exists()
