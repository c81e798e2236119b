"""A checkpoint is what was written at its step of its run, bit for bit, or it is not read."""

import dataclasses
import json
import os
import shutil
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab import load
from genlab.errors import Invalid
from genlab.train import spmd
from genlab.train.checkpoint import Checkpoints, abstract, set_aside_damaged
from genlab.train.loop import train
from genlab.train.state import Game


@pytest.fixture
def run(trained, tmp_path):
    """A run with checkpoints 2 and 4, to be hurt."""
    return shutil.copytree(trained("vae", steps=4), tmp_path / "run")


@pytest.fixture
def state(tiny):
    """A state of the configuration `tiny("vae")`."""
    config = tiny("vae")
    return jax.jit(Game(config.method, (8, 8, 1), 0, 1).init)()


def reader(run, config):
    """What reads a checkpoint of the run by its step."""
    like = abstract(jax.eval_shape(Game(config.method, (8, 8, 1), 0, 1).init), spmd.replicated(jax.devices()[:1]))

    def read(step):
        with Checkpoints(run / "checkpoints", config) as checkpoints:
            return jax.device_get(checkpoints.load(step, like))

    return read


def said(caplog):
    """What genlab logged."""
    return [message for name, _, message in caplog.record_tuples if name.startswith("genlab")]


def equal(a, b):
    return all(jax.tree.leaves(jax.tree.map(np.array_equal, a, b)))


def test_a_flipped_byte_is_found_or_changes_nothing(run, tiny):
    """Every file of arrays, at bytes drawn by a fixed seed; and a block of zeros, as a torn disk leaves."""
    read = reader(run, tiny("vae"))
    whole, found, random = read(4), 0, np.random.default_rng(0)
    files = [path for path in (run / "checkpoints" / "4").rglob("*") if path.is_file() and path.stat().st_size > 2048]
    assert files
    for path in files:
        content = path.read_bytes()
        hurt = [bytearray(content) for _ in range(4)]
        for damaged, place in zip(hurt, random.integers(len(content), size=3), strict=False):
            damaged[place] ^= 1 << random.integers(8)
        hurt[3][1024:5120] = bytes(len(hurt[3][1024:5120]))
        for damaged in hurt:
            path.write_bytes(damaged)
            try:
                assert equal(read(4), whole)
            except Invalid as error:
                assert "checkpoints: that of step 4 cannot be read (" in str(error)
                found += 1
        path.write_bytes(content)
    assert equal(read(4), whole)
    assert found > len(files)


def test_numbers_that_are_not_finite_are_not_read(tiny, state, tmp_path):
    config = tiny("vae")
    broken = dataclasses.replace(state, params=jax.tree.map(lambda x: x.at[...].set(jnp.nan), state.params))
    with Checkpoints(tmp_path / "checkpoints", config, keep=1) as checkpoints:
        checkpoints.save(3, broken)
    with pytest.raises(Invalid, match=r"step 3 cannot be read \(params/\S+ holds numbers that are not finite\)"):
        reader(tmp_path, config)(3)


def test_a_checkpoint_belongs_to_its_step(run, tiny):
    (run / "checkpoints" / "4").rename(run / "checkpoints" / "7")
    with pytest.raises(Invalid, match=r"that of step 7 cannot be read \(it was written at step 4\)"):
        reader(run, tiny("vae"))(7)


def test_a_checkpoint_belongs_to_its_run(run, tiny, tmp_path, caplog):
    other = tmp_path / "other"
    train(tiny("vae", train={"seed": 1}), other)
    shutil.rmtree(run / "checkpoints" / "4")
    shutil.copytree(other / "checkpoints" / "2", run / "checkpoints" / "4")  # of another step, too
    assert set(os.listdir(run / "checkpoints")) == {"2", "4"}
    train(tiny("vae", steps=4), run)
    reason = r"that of step 4 cannot be read (it was written at step 2); it is set aside as damaged-4-"
    assert [line.partition(reason)[1] for line in said(caplog)] == [reason, ""]
    assert said(caplog)[1] == "checkpoints: the run goes on from step 2"


def test_without_its_config_a_run_goes_on_as_it_was_or_not_at_all(run, tiny):
    before = load(run).sample(2)
    (run / "config.json").unlink()
    with pytest.raises(Invalid, match="it is of a run with train.seed = 0, not 1"):
        train(tiny("vae", steps=4, train={"seed": 1}), run)
    train(tiny("vae", steps=4), run)
    assert (load(run).sample(2) == before).all()


def test_without_a_checkpoint_another_configuration_is_welcome(tiny, tmp_path):
    """As after a first start that failed."""
    config = tiny("vae")
    train(config, tmp_path)
    shutil.rmtree(tmp_path / "checkpoints")
    train(dataclasses.replace(config, train=dataclasses.replace(config.train, seed=5)), tmp_path)
    assert load(tmp_path).config.train.seed == 5


def test_a_record_that_is_damaged_is_not_believed(run, tiny):
    path = run / "checkpoints" / "4" / "_CHECKPOINT_METADATA"
    written = json.loads(path.read_text())
    array = next(iter(written["custom_metadata"]["arrays"]))
    written["custom_metadata"]["arrays"].pop(array)
    path.write_text(json.dumps(written))
    with pytest.raises(Invalid, match="its record is damaged"):
        reader(run, tiny("vae"))(4)


def test_a_checkpoint_without_a_record_is_read_with_a_word(run, tiny, caplog):
    path = run / "checkpoints" / "4" / "_CHECKPOINT_METADATA"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"custom_metadata": {}}))
    reader(run, tiny("vae"))(4)
    assert said(caplog) == ["checkpoints: that of step 4 has no record of its arrays to verify them by"]


def test_what_a_killed_save_left_is_not_called_damaged(run, caplog):
    left = run / "checkpoints" / "6.orbax-checkpoint-tmp"
    left.mkdir()
    (left / "_CHECKPOINT_METADATA").write_text("{")
    set_aside_damaged(run / "checkpoints")
    assert not said(caplog) and left.exists()


def test_saving_leaks_neither_descriptors_nor_threads(tiny, state, tmp_path):
    def held():
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    with Checkpoints(tmp_path / "checkpoints", tiny("vae"), keep=1) as checkpoints:
        for step in range(12):
            checkpoints.save(step, state)
            if step == 3:
                checkpoints.wait()
                before = held()
        checkpoints.wait()
        assert all(now <= then + 1 for now, then in zip(held(), before, strict=True))
