"""Runs by configuration: what makes another one, what does not, and what is said of it."""

import pytest

from genlab.errors import Invalid
from genlab.lab.groups import ABSENT, describe, differing, find_runs, group_runs


def grouped(*runs):
    groups = group_runs(find_runs(runs))
    return [[run.folder.path.name for run in group.runs] for group in groups], differing(groups)


def test_what_trains_no_other_model_makes_no_other_configuration(recorded_run):
    runs = [
        recorded_run("a", train={"seed": 3}),
        recorded_run("b", train={"seed": 1, "validate_every": 7}),
        recorded_run("c", track={"every": 5}, checkpoint={"keep": 9}, parallel={"devices": 2}, data={"dir": "x"}),
    ]
    assert grouped(*runs) == ([["c", "b", "a"]], {})


def test_only_what_differs_is_shown(recorded_run):
    runs = [
        recorded_run("a", train={"seed": 0}),
        recorded_run("b", train={"seed": 0}, data={"batch_size": 8}),
        recorded_run("c", train={"seed": 1}, steps=9),
    ]
    names, differs = grouped(*runs)
    assert names == [["a"], ["b"], ["c"]]
    assert differs == {"data.batch_size": (16, 8, 16), "train.steps": (2, 2, 9)}


def test_a_setting_that_only_some_methods_have_is_shown_where_these_differ(recorded_run):
    shared = {"method.name", "method.latent"}
    vae, gan = recorded_run("vae", "vae"), recorded_run("gan", "gan")
    assert shared <= grouped(vae, gan)[1].keys() and "method.objective.beta" not in grouped(vae, gan)[1]
    other = recorded_run("other", "vae", method={"objective": _beta(4.0)})
    differs = grouped(vae, gan, other)[1]
    assert differs["method.objective.beta"] == (1.0, ABSENT, 4.0)
    assert differs.keys() == grouped(vae, gan)[1].keys() | {"method.objective.beta"}


def _beta(beta):
    import dataclasses

    from genlab import cli

    return dataclasses.replace(cli.preset("vae").method.objective, beta=beta)


def test_a_configuration_is_described_by_the_shortest_names(learning_rates):
    groups = group_runs(find_runs(learning_rates))
    rates = ["method.critic_optimizer.learning_rate", "method.generator_optimizer.learning_rate"]
    assert describe(groups[1], rates[:1]) == "learning_rate 0.0001"
    assert describe(groups[1], rates).startswith("critic_optimizer.learning_rate 0.0001, generator_optimizer.")
    assert describe(groups[0], ["method.name", "train.steps"]) == "method wgan_gp, steps 2"


def test_folders_of_runs_and_runs_named_twice(recorded_run, tmp_path):
    runs = [recorded_run(f"many/seed_{seed}", train={"seed": seed}) for seed in range(2)]
    (tmp_path / "many" / "notes").mkdir()
    assert grouped(tmp_path / "many", runs[1])[0] == [["seed_0", "seed_1"]]


def test_a_population_of_settings_and_seeds_is_folders_of_runs(recorded_run, tmp_path):
    for beta in (0.5, 0.9):
        for seed in range(2):
            sections = {"train": {"seed": seed, "ema": beta}}
            recorded_run(f"many/train.ema={beta}/seed_{seed}", **sections)
    assert grouped(tmp_path / "many") == ([["seed_0", "seed_1"]] * 2, {"train.ema": (0.5, 0.9)})


def test_what_cannot_be_grouped_is_said_in_one_line(recorded_run, tmp_path):
    (tmp_path / "empty").mkdir()
    one, twin = recorded_run("one"), recorded_run("twin", track={"every": 9})
    points = recorded_run("points", "wgan_gp_points", (2,))
    broken = recorded_run("broken")
    (broken / "config.json").write_text((broken / "config.json").read_text().replace('"wgan_gp"', '"unheard"'))
    for paths, said in (
        ([], "run_dirs: .* at least one folder"),
        ([tmp_path / "empty"], "run_dirs: .*empty; must be the folder of a run, or of runs"),
        ([tmp_path / "absent"], "run_dirs: .*absent; must be the folder of a run, or of runs"),
        ([one, points], r"run_dirs: 'digits \(8, 8, 1\), points:8gaussians \(2,\)' is not one data set"),
        ([one, twin], "run_dirs: .*one, .*twin are one configuration with one seed, 0; give one of them"),
        ([one, broken], "run_dirs: .*broken: config.json: method.name: 'unheard'"),
    ):
        with pytest.raises(Invalid, match=said) as error:
            grouped(*paths)
        assert "\n" not in str(error.value)
