"""Runs trained in one program: each is the run made alone, ends alone, and goes on."""

import contextlib
import json
import shutil
from dataclasses import replace

import jax
import numpy as np
import pytest

from genlab.data.feed import make_feed
from genlab.data.sources import load as load_data
from genlab.errors import Invalid, Stopped
from genlab.lab.family import alike, families
from genlab.lab.population import train_population
from genlab.model import load
from genlab.nn.net import Net
from genlab.train.loop import train

# of weights and metrics after a few iterations: a batch of matrices is multiplied in another order, and a setting that
# is an argument is not folded into constants
CLOSE = {"rtol": 2e-4, "atol": 2e-5}


def rows(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if not name.startswith("time/")} for line in lines]


def seeds(config, *numbers):
    return {f"seed_{seed}": replace(config, train=replace(config.train, seed=seed)) for seed in numbers}


def assert_alike(one, other):
    """Two run folders with equal states and records, to rounding."""
    a, b = load(one).state, load(other).state
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **CLOSE), a, b)
    for x, y in zip(rows(one), rows(other), strict=True):
        assert x.keys() == y.keys()
        for name in x.keys() - {"step"}:
            np.testing.assert_allclose(x[name], y[name], rtol=1e-2, atol=1e-3, err_msg=name)
    assert sorted(p.name for p in (one / "samples").iterdir()) == sorted(p.name for p in (other / "samples").iterdir())


def programs(members):
    """The names of the members, by program."""
    found = []
    for group in alike(members):
        config = next(iter(group.values()))
        dataset = load_data(config.data)
        with contextlib.closing(make_feed(config.data, dataset, 0, 1, 1)) as feed:
            found += [sorted(family.members) for family in families(group, feed, dataset.shape)]
    return found


@pytest.mark.parametrize("name", ["wgan_gp", "vq_vae"])
def test_each_is_the_run_made_alone(tiny, tmp_path, name):
    members = seeds(tiny(name, steps=3), 0, 5)
    train_population(members, tmp_path / "together")
    for place, config in members.items():
        train(config, tmp_path / place)
        assert_alike(tmp_path / "together" / place, tmp_path / place)
    first, second = (rows(tmp_path / "together" / place)[0] for place in members)
    assert first != second


def varied(config, **values):
    """The members that differ in one setting of the method, a part's if its name has two."""

    def changed(part, path, value):
        own = changed(getattr(part, path[0]), path[1:], value) if len(path) > 1 else value
        return replace(part, **{path[0]: own})

    [(name, numbers)] = values.items()
    return {
        f"{name}={number}": replace(config, method=changed(config.method, name.split("__"), number))
        for number in numbers
    }


def test_settings_that_are_numbers_share_a_program(tiny, tmp_path):
    """Learning rate, a beta of Adam, weight and target of the penalty, the average's decay: all at once."""
    config = tiny("wgan_gp", steps=3)
    members = {}
    for place, rate, b1, weight, target, ema in (("a", 1e-4, 0.1, 1.0, 0.0, 0.0), ("b", 1e-2, 0.9, 10.0, 1.0, 0.2)):
        method = replace(
            config.method,
            critic_optimizer=replace(config.method.critic_optimizer, learning_rate=rate),
            generator_optimizer=replace(config.method.generator_optimizer, b1=b1),
            penalty=replace(config.method.penalty, weight=weight, target=target),
        )
        members[place] = replace(config, method=method, train=replace(config.train, ema=ema))
    assert programs(members) == [["a", "b"]]
    train_population(members, tmp_path / "together")
    for place, own in members.items():
        train(own, tmp_path / place)
        assert_alike(tmp_path / "together" / place, tmp_path / place)


@pytest.mark.parametrize(
    "name, settings",
    [("vae", {"objective__beta": [0.5, 4.0]}), ("rbm", {"optimizer__learning_rate": [0.1, 0.2]}), ("acgan", {})],
)
def test_seeds_and_numbers_of_other_methods_share_a_program_too(tiny, name, settings):
    members = varied(tiny(name), **settings) if settings else {}
    assert programs(members | seeds(tiny(name), 3, 4))[0] == sorted(members | seeds(tiny(name), 3, 4))


def test_what_changes_the_program_is_trained_in_another(tiny, tmp_path):
    members = varied(tiny("wgan_gp"), n_critic=[1, 2]) | varied(tiny("wgan_gp"), penalty__norm=[1.5, 3.0])
    assert programs(members) == [["n_critic=1"], ["n_critic=2"], ["penalty__norm=1.5"], ["penalty__norm=3.0"]]
    both = varied(tiny("ae"), latent=[2, 3])
    train_population(both, tmp_path)
    assert [load(tmp_path / place).sample(1).shape for place in both] == [(1, 8, 8, 1)] * 2
    assert [load(tmp_path / place).config.method.latent for place in both] == [2, 3]


def test_one_that_diverges_ends_alone(tiny, tmp_path, capsys):
    members = varied(tiny("ae", steps=6), optimizer__learning_rate=[1e-3, 1e30])
    bad, good = "optimizer__learning_rate=1e+30", "optimizer__learning_rate=0.001"
    with pytest.raises(Stopped, match=r"1 of 2 runs ended early: optimizer__learning_rate=1e\+30 .*step 2: "):
        train_population(members, tmp_path / "together")
    assert f"{bad} has ended: step 2: model/" in capsys.readouterr().err
    train(members[good], tmp_path / "alone")
    assert_alike(tmp_path / "together" / good, tmp_path / "alone")
    finite = [(row["step"], None not in row.values()) for row in rows(tmp_path / "together" / bad)]
    assert finite == [(1, True), (2, False)]  # the last row says which metrics were no longer finite
    assert np.isfinite(load(tmp_path / "together" / good).sample(2)).all()


def test_it_goes_on_where_it_stopped(tiny, tmp_path):
    """With one of two a checkpoint behind, and with nothing left to do, bitwise; with one begun anew alone alike."""
    config = tiny("wgan_gp", steps=6)
    members = seeds(config, 0, 1)
    train_population(members, tmp_path / "whole")
    for name, gone in (("behind", ["6"]), ("anew", ["2", "4", "6"])):
        shutil.copytree(tmp_path / "whole", tmp_path / name)
        for step in gone:
            shutil.rmtree(tmp_path / name / "seed_1" / "checkpoints" / step, ignore_errors=True)
    shutil.rmtree(tmp_path / "behind" / "seed_0" / "checkpoints" / "6")
    train_population(members, tmp_path / "behind")
    train_population(members, tmp_path / "anew")
    train_population(members, tmp_path / "whole")
    for place in members:
        assert_alike(tmp_path / "anew" / place, tmp_path / "whole" / place)
        assert rows(tmp_path / "behind" / place) == rows(tmp_path / "whole" / place)
        a, b = (load(tmp_path / name / place).state for name in ("behind", "whole"))
        jax.tree.map(np.testing.assert_array_equal, a, b)


def test_a_population_run_goes_on_alone(tiny, tmp_path):
    train_population(seeds(tiny("vae", steps=2), 0, 1), tmp_path / "together")
    longer = seeds(tiny("vae", steps=4), 1)["seed_1"]
    train(longer, tmp_path / "together" / "seed_1")
    train(longer, tmp_path / "alone")
    assert_alike(tmp_path / "together" / "seed_1", tmp_path / "alone")


def test_members_that_stream_read_their_own_batches(tiny, tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "x.npz", rng.integers(0, 256, (50, 8, 8, 1), np.uint8))
    data = {"name": f"npz:{tmp_path / 'x.npz'}", "batch_size": 8}
    for place, size in (("resident", 1), ("stream", 0)):
        config = tiny("wgan_gp", steps=3, data=data | {"resident_mb": size})
        train_population(seeds(config, 0, 1), tmp_path / place)
    for seed in ("seed_0", "seed_1"):
        assert_alike(tmp_path / "stream" / seed, tmp_path / "resident" / seed)


def test_devices_agree(tiny, tmp_path):
    """Of three members: two on one device and one beside a spare place; two devices to each, and two left over."""
    method = {"generator": Net(width=8, norm="batch")}
    for count in (1, 2, 8):
        config = tiny("wgan_gp", steps=2, method=method, parallel={"devices": count})
        train_population(seeds(config, 0, 1, 2), tmp_path / str(count))
    for seed in ("seed_0", "seed_1", "seed_2"):
        assert_alike(tmp_path / "2" / seed, tmp_path / "1" / seed)
        assert_alike(tmp_path / "8" / seed, tmp_path / "1" / seed)


def test_a_folder_of_one_run_is_none_of_several(tiny, trained):
    with pytest.raises(Invalid, match="run-dir: .* is one run's; several need a folder of their own"):
        train_population(seeds(tiny("ae"), 0, 1), trained("ae"))


def test_one_alone_is_not_spread_over_the_cores_that_others_are_for(tiny, tmp_path):
    """These show as eight devices, into which a batch of 15 does not divide; nobody asked for them."""
    members = {str(size): tiny("ae", data={"batch_size": size}, parallel={"devices": 0}) for size in (15, 16)}
    train_population(members, tmp_path)
    assert [load(tmp_path / size).config.data.batch_size for size in members] == [15, 16]
