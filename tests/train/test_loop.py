"""Whole runs in one process: what they leave behind, how they go on, and how they stop."""

import contextlib
import dataclasses
import json
import os
import shutil
import signal

import jax
import numpy as np
import pytest
from flax import nnx
from PIL import Image

from genlab.errors import Invalid, Stopped
from genlab.methods.game import Encoding
from genlab.methods.wgan_gp import WGANGP
from genlab.model import load
from genlab.nn.net import Net
from genlab.nn.norms import BatchNorm
from genlab.parts.optimizer import Optimizer
from genlab.train.interrupt import Interrupt
from genlab.train.loop import prepare, train
from genlab.train.observer import Diverged


def rows(run_dir):
    """metrics.jsonl without the timings, which no two runs share."""
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if not name.startswith("time/")} for line in lines]


def assert_same_run(a, b):
    """Bitwise equal records and last states."""
    assert rows(a) == rows(b)
    first, second = load(a), load(b)
    jax.tree.map(np.testing.assert_array_equal, first.state, second.state)


def test_every_preset_trains_and_samples_and_resumes(tiny, preset, tmp_path):
    config = tiny(preset, steps=4)
    train(config, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    shutil.rmtree(tmp_path / "parts" / "checkpoints" / "4")  # as if killed while it was being written
    train(config, tmp_path / "parts")
    assert_same_run(tmp_path / "whole", tmp_path / "parts")

    model = load(tmp_path / "whole")
    samples = model.sample(5)
    assert samples.shape == (5, *model.shape)
    assert np.isfinite(samples).all()
    assert model.shape == (2,) or abs(samples).max() <= 1
    written = {row["step"]: {} for row in rows(tmp_path / "whole")}
    for row in rows(tmp_path / "whole"):
        written[row["step"]] |= row
    assert list(written) == [1, 2, 3, 4]
    assert set(config.method.headline) <= set(written[1])
    assert config.method.monitor in written[4]
    pictures = sorted(path.name for path in (tmp_path / "whole" / "samples").iterdir())
    assert pictures[-2:] == ["step_00000002.png", "step_00000004.png"]
    encodes = isinstance(config.method, Encoding)
    assert ("reconstruction_step_00000004.png" in pictures) == encodes
    with Image.open(tmp_path / "whole" / "samples" / pictures[-1]) as picture:
        assert picture.size[0] > 100


def test_convolutions_and_norms_train_and_sample(tiny, tmp_path):
    """A DCGAN with batch norm in the generator and layer norm in the critic; samples use the running averages."""
    networks = {
        "generator": Net("dcgan", width=2, norm="batch"),
        "critic": Net("dcgan", width=2, norm="layer", activation="leaky_relu"),
    }
    train(tiny("wgan_gp", method=networks), tmp_path)
    model = load(tmp_path)
    assert model.state.ema["stats"]["generator"]
    np.testing.assert_array_equal(model.sample(4)[:2], model.sample(2))


def test_a_run_that_goes_on_has_no_rows_of_its_former_end(tiny, tmp_path):
    """Ended between two intervals, which writes a last row, and trained on: the record is that of one run."""
    intervals = {"track": {"every": 4}, "checkpoint": {"every": 4}, "train": {"validate_every": 4}}
    train(tiny("vae", steps=8, **intervals), tmp_path / "whole")
    train(tiny("vae", steps=3, **intervals), tmp_path / "parts")
    assert [row["step"] for row in rows(tmp_path / "parts")] == [3, 3]
    train(tiny("vae", steps=8, **intervals), tmp_path / "parts")
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_samples_do_not_depend_on_how_many_are_asked_for(tiny, tmp_path):
    train(tiny("wgan_gp"), tmp_path)
    model = load(tmp_path)
    many = model.sample(300, seed=3)
    np.testing.assert_array_equal(many[:7], model.sample(7, seed=3))
    assert (many[0] != many[1]).any()
    assert (many[0] != model.sample(1, seed=4)[0]).any()


def test_averaged_and_last_weights_differ(tiny, tmp_path):
    train(tiny("wgan_gp"), tmp_path)
    assert (load(tmp_path).sample(2) != load(tmp_path, ema=False).sample(2)).any()


def test_the_best_and_the_newest_checkpoints_are_kept(tiny, tmp_path):
    config = tiny("vae", steps=10, checkpoint={"every": 1, "keep": 2})
    train(config, tmp_path)
    losses = {row["step"]: row["validation/model/loss"] for row in rows(tmp_path) if "validation/model/loss" in row}
    best = min(losses, key=losses.__getitem__)
    kept = sorted(int(path.name) for path in (tmp_path / "checkpoints").iterdir())
    assert kept == sorted({best, 9, 10})
    assert load(tmp_path, step=9).sample(1).shape == (1, 8, 8, 1)
    with pytest.raises(Invalid, match="step: 3 is not among the checkpoints"):
        load(tmp_path, step=3)


def test_another_configuration_is_refused(tiny, tmp_path):
    train(tiny("wgan_gp"), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(Invalid, match="method.latent = 64, not 3"):
        train(tiny("wgan_gp", method={"latent": 3}), tmp_path)
    with pytest.raises(Invalid, match="method"):
        train(tiny("gan"), tmp_path)
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after.keys() == before.keys()
    assert all(after[path] == before[path] for path in before if path.name != ".lock")


@pytest.mark.parametrize("part", [".", "state", "metrics"])
def test_a_damaged_checkpoint_costs_one_interval(tiny, tmp_path, caplog, part):
    train(tiny("vae", steps=6), tmp_path / "whole")
    train(tiny("vae", steps=4), tmp_path / "hurt")
    for path in (tmp_path / "hurt" / "checkpoints" / "4" / part).rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:7])
    train(tiny("vae", steps=6), tmp_path / "hurt")
    assert "checkpoints: that of step 4" in caplog.text
    assert len(list((tmp_path / "hurt" / "checkpoints").glob("damaged-4-*"))) == 1  # set aside, not deleted
    assert_same_run(tmp_path / "whole", tmp_path / "hurt")


def test_a_loss_that_diverges_names_step_metric_and_checkpoint(tiny, tmp_path):
    """Fine for two iterations, then the learning rate rises to overflow; the checkpoint from before stays."""
    explosive = Optimizer("sgd", learning_rate=1e38, warmup=1, schedule="constant")
    config = tiny("vae", steps=50, method={"optimizer": explosive}, checkpoint={"every": 1})
    with pytest.raises(Diverged, match=r"step \d+: [\w/]+ is (nan|inf); last good checkpoint: step 1"):
        train(config, tmp_path)
    assert np.isfinite(load(tmp_path).sample(2)).all()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_is_a_wish(name):
    with Interrupt() as interrupt:
        assert interrupt.requested is None
        os.kill(os.getpid(), getattr(signal, name))
        assert interrupt.requested == name
        assert signal.getsignal(getattr(signal, name)) is not interrupt._request  # the second one is not caught


def test_streaming_and_resident_data_train_the_same(tiny, tmp_path):
    resident = tiny("wgan_gp", steps=4)
    train(resident, tmp_path / "resident")
    train(tiny("wgan_gp", steps=4, data={"resident_mb": 0}), tmp_path / "stream")
    for a, b in zip(rows(tmp_path / "resident"), rows(tmp_path / "stream"), strict=True):
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_allclose(a[name], b[name], rtol=2e-4, atol=1e-5, err_msg=name)


def test_an_unwritable_place_is_named(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Invalid, match="file"):
        train(tiny("vae"), tmp_path / "file")


def test_the_batch_must_divide(tiny, tmp_path):
    with pytest.raises(Invalid, match="data.batch_size: 9 does not divide into 2 devices"):
        train(tiny("vae", data={"batch_size": 9}, parallel={"devices": 2}), tmp_path)
    with pytest.raises(Invalid, match="parallel.devices: 64 asked for, but 8 present"):
        train(tiny("vae", data={"batch_size": 64}, parallel={"devices": 64}), tmp_path)


@pytest.mark.parametrize(
    ("data", "allowed"),
    [("digits", "0 or 10, the classes of digits"), ("points:swissroll", "0: points:swissroll has no labels")],
)
def test_classes_are_those_of_the_data(tiny, tmp_path, data, allowed):
    config = tiny("cgan", method={"classes": 3}, data={"name": data})
    with pytest.raises(Invalid, match=f"^method.classes: 3 is not {allowed}"):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run" / "config.json").exists()


@dataclasses.dataclass(frozen=True)
class Coupling(WGANGP):
    """A method of a user's own, whose critic looks at the whole batch."""

    def networks(self, shape, rngs):
        networks = super().networks(shape, rngs)
        return networks | {"critic": nnx.Sequential(BatchNorm(shape[-1], rngs=rngs), networks["critic"])}


def test_a_critic_that_couples_examples_is_refused(tiny, tmp_path):
    config = tiny("wgan_gp")
    config = dataclasses.replace(config, method=Coupling(**vars(config.method)))
    with pytest.raises(Invalid, match="method.critic: it couples the examples .* use layer normalisation or none"):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run" / "config.json").exists()


@pytest.mark.parametrize("gone", [shutil.rmtree, lambda run: run.rename(run.with_name("moved"))])
def test_a_folder_that_goes_away_stops_its_run_at_the_next_write(tiny, tmp_path, gone):
    """Nothing is written where it was; one that was moved goes on where it is."""
    run, config = (
        tmp_path / "run",
        tiny("ae", steps=8, track={"every": 2, "samples_every": 8}, checkpoint={"every": 100}),
    )
    with contextlib.ExitStack() as stack:
        loop, state, step = prepare(config, run, stack)
        call = loop.call

        def called(state, *rest):
            state, metrics = call(state, *rest)
            if int(metrics["step"]) == 4:
                gone(run)
            return state, metrics

        loop.call = called
        with Interrupt() as interrupt, pytest.raises(Stopped, match="run-dir: .*run was deleted or moved while"):
            loop.run(state, step, interrupt)
        assert not run.exists()
    assert not run.exists()
    if (tmp_path / "moved").exists():
        train(config, tmp_path / "moved")
