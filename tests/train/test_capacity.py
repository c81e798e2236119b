"""What cannot fit the machine is refused before anything of its size is there."""

import dataclasses
import resource
from unittest.mock import Mock

import jax
import numpy as np
import pytest
from flax import nnx

from genlab import cli
from genlab.errors import Invalid
from genlab.train import capacity
from genlab.train.loop import train
from genlab.train.state import Game

ONE = jax.devices()[:1]
GIB = 2**30


@pytest.mark.parametrize(
    ("flags", "setting"),
    [
        ("--config vae --method.latent 1000000000", "method.latent: 1000000000 takes"),
        ("--method.critic.width 1000000000", "method.critic.width: 1000000000 takes"),
        ("--config gan_mnist --method.discriminator.width 1000000000", "method.discriminator.width: 1000000000 takes"),
        ("--data.batch-size 1000000000", "data.batch_size: 1000000000 takes"),
        ("--data.batch-size 1000000000 --track.every 2000000000", "data.batch_size: 1000000000 takes"),
        ("--method.generator-batch 1000000000", "method.generator_batch: 1000000000 takes"),
        ("--config iwae --method.objective.k 1000000000", "method.objective.k: 1000000000 takes"),
        ("--config vamp --method.prior.components 1000000000", "method.prior.components: 1000000000 takes"),
    ],
)
def test_what_exceeds_the_memory_is_refused_by_its_name_and_allocates_nothing(monkeypatch, flags, setting):
    """The peak of this process's memory stays; all would take 100 GB and more."""
    monkeypatch.setattr(capacity, "memory", lambda devices: 20 * GIB)
    config = cli.parse(flags.split()).settings
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Invalid) as refused:
        capacity.check(config, (28, 28, 1) if "mnist" in flags else (8, 8, 1), ONE)
    assert str(refused.value).startswith(f"{setting} at least ") and "at most 20.0 GiB are there" in str(refused.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GIB / 1024  # in KiB


def test_what_is_counted_is_the_state_and_the_largest_array(tiny):
    """Of a linear autoencoder's state, and of its loss on a batch that is far larger than its networks."""
    config = tiny("ae", data={"batch_size": 100_000})
    state = Game(config.method, (8, 8, 1), 0, 2).init()
    kept = sum(np.asarray(x).nbytes for x in jax.tree.leaves(state))
    assert capacity.needed(config, (8, 8, 1), ONE, GIB) == kept + 100_000 * 64 * 4
    assert capacity.needed(config, (8, 8, 1), jax.devices(), GIB) == 8 * kept + 100_000 * 64 * 4


def test_a_run_is_held_to_the_memory_there_is(tiny, tmp_path, monkeypatch):
    config = tiny("vae")
    needs = capacity.needed(config, (8, 8, 1), ONE, GIB)
    monkeypatch.setattr(capacity, "memory", lambda devices: needs - 1)
    with pytest.raises(Invalid, match="MiB|GiB"):
        train(config, tmp_path / "run")
    assert not list((tmp_path / "run" / "checkpoints").iterdir())
    monkeypatch.setattr(capacity, "memory", lambda devices: needs)
    train(config, tmp_path / "run")


def test_the_memory_is_that_of_the_device_or_else_of_the_machine():
    accelerator = Mock(spec=jax.Device)
    accelerator.memory_stats.return_value = {"bytes_limit": 5}
    assert capacity.memory([accelerator]) == 5
    assert GIB / 4 < capacity.memory(ONE) < 2**50


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--method.critic.depth 1000000000", "method.critic.depth: 1000000000 is not from 1 to 100"),
        ("--data.crop 1000000000", "data.crop: 1000000000; 0 to 64 is allowed"),
        ("--parallel.devices 100000", "parallel.devices: 100000 is not from 0 to 1024"),
    ],
)
def test_what_is_built_one_by_one_has_a_bound(flags, said):
    with pytest.raises(Invalid) as refused:
        cli.parse(flags.split())
    assert str(refused.value) == said


def test_a_generators_larger_batch_draws_what_it_drew_one_by_one(tiny):
    """Fake examples beyond a batch have keys of their own streams, one after another."""
    from genlab.kernels.random import example_keys, fold
    from genlab.parts.adversarial import MORE

    method = dataclasses.replace(tiny("gan").method, generator_batch=3)
    seen = []

    class Enough(Exception): ...

    class Watched(type(method)):
        def sample(self, networks, keys, labels=None):
            seen.append(keys)
            raise Enough

    keys = example_keys(jax.random.key(0), jax.numpy.arange(4))
    with pytest.raises(Enough):
        Watched(**vars(method)).generator_loss({"discriminator": nnx.Module()}, None, keys)
    each = [keys, fold(keys, MORE + 1), fold(keys, MORE + 2)]
    np.testing.assert_array_equal(jax.random.key_data(seen[0]), np.concatenate([jax.random.key_data(k) for k in each]))
