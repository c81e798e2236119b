"""Trials that are trained: what they are scored by, and what ends them early."""

import contextlib
import dataclasses
import json

import optuna
import pytest
from optuna.trial import TrialState

from genlab.errors import Invalid
from genlab.lab.search import check_validation, run_config, run_folder, work
from genlab.lab.space import from_dict
from genlab.lab.study import Study
from genlab.track.folder import RunFolder
from genlab.train.checkpoint import Checkpoints
from genlab.train.loop import train

RATE = "method.critic_optimizer.learning_rate"
MONITOR = "validation/sliced_wasserstein"


@pytest.fixture
def join(tmp_path):
    """`join(plan)`: the study of a test, until it ends."""
    with contextlib.ExitStack() as stack:
        yield lambda plan: stack.enter_context(Study(plan, None, tmp_path / "s"))


def rows(folder):
    """A run's rows, without the speed of this machine."""
    read = [json.loads(line) for line in RunFolder(folder).metrics.read_text().splitlines()]
    return [{name: value for name, value in row.items() if not name.startswith("time/")} for row in read]


def test_a_trial_scores_the_mean_of_its_runs_best_checkpoints(plan, join):
    plan = dataclasses.replace(plan, seeds=2)
    study = join(plan)
    work(study, 1)
    (trial,) = study.trials()
    best = []
    for seed in range(2):
        config, folder = run_config(plan, trial, seed), run_folder(study.folder, 0, seed)
        assert config.train.seed == seed and config.method.critic_optimizer.learning_rate == trial.params[RATE]
        with Checkpoints(folder / "checkpoints", config) as checkpoints:
            best.append(min(checkpoints.monitors.values()))
    assert trial.user_attrs["scores"] == best and trial.value == sum(best) / 2
    assert best[0] != best[1]
    validated = [row["validation/sliced_wasserstein"] for row in rows(folder) if "validation/sliced_wasserstein" in row]
    assert len(validated) == 2 and best[1] == min(validated)
    assert list(trial.intermediate_values) == [5, 10]  # of the first run alone


def finished(space, value):
    """A trial of others, that reached a value at step 5 and kept it."""
    trial = optuna.trial.create_trial(
        params={name: dimension.ends()[0] for name, dimension in space.items()},
        distributions={
            name: optuna.distributions.FloatDistribution(*dimension.ends()) for name, dimension in space.items()
        },
        value=value,
        intermediate_values={5: value, 10: value},
    )
    return trial


@pytest.mark.parametrize(("others", "steps"), [(1e-3, [5]), (1e3, [5, 10])])
def test_a_trial_worse_than_the_median_ends_at_its_first_validation(plan, join, others, steps):
    plan = dataclasses.replace(plan, pruner="median", space=from_dict({RATE: {"low": 1e-4, "high": 1e-2}}))
    study = join(plan)
    for _ in range(5):
        study.record.add_trial(finished(plan.space, others))
    work(study, 6)
    trial = study.trials()[-1]
    assert trial.state == (TrialState.PRUNED if len(steps) == 1 else TrialState.COMPLETE)
    assert list(trial.intermediate_values) == steps
    assert max(row["step"] for row in rows(run_folder(study.folder, 5))) == steps[-1]


def test_a_trial_whose_run_ends_early_is_complete(plan, join):
    patient = dataclasses.replace(plan.settings.train, validate_every=1, patience=1, ema=0.0)
    space = from_dict({RATE.replace("critic", "generator"): {"choices": [0.3]}})
    study = join(dataclasses.replace(plan, settings=dataclasses.replace(plan.settings, train=patient), space=space))
    work(study, 1)
    (trial,) = study.trials()
    found = {row["step"]: row.get(MONITOR) for row in rows(run_folder(study.folder, 0)) if MONITOR in row}
    assert trial.state == TrialState.COMPLETE and trial.value == min(found.values())
    assert max(found) < 10 and found[max(found)] >= trial.value


def test_hyperband_ends_trials_too(plan, join):
    train_settings = dataclasses.replace(plan.settings.train, steps=27, validate_every=1)
    settings = dataclasses.replace(plan.settings, train=train_settings)
    study = join(dataclasses.replace(plan, pruner="hyperband", settings=settings))
    for value in range(30):  # ever worse
        trial = study.claim(30)
        ended = next((s for s in range(1, 28) if study.report(trial, s, float(value))), None)
        study.prune(trial) if ended else study.complete(trial, [float(value)])
        study.release(trial)
    states = [trial.state for trial in study.trials()]
    assert TrialState.PRUNED in states and TrialState.COMPLETE in states


def test_what_diverges_or_cannot_be_built_costs_a_trial_not_the_study(plan, join):
    entry = {"choices": [1e30, 1e-3]}
    norm = {"choices": ["batch", "none"]}
    space = from_dict({RATE: entry, "method.critic.norm": norm})
    study = join(dataclasses.replace(plan, space=space, sampler="grid"))
    work(study, 4)
    found = {(t.params[RATE], t.params["method.critic.norm"]): t for t in study.trials()}
    for rate in (1e30, 1e-3):
        refused = found[rate, "batch"]
        assert refused.state == TrialState.FAIL and "norm" in refused.user_attrs["error"]
    assert found[1e30, "none"].value == float("inf") and 0 < found[1e-3, "none"].value < 10


def test_a_trial_taken_up_again_is_the_one_that_never_stopped(plan, join, monkeypatch):
    """Its worker ends after the first checkpoint, as a kill would end it; the next goes on from there."""
    study = join(plan)
    trial = study.claim(1)
    config, folder = run_config(plan, trial), run_folder(study.folder, 0)

    class Killed(Exception):
        pass

    class Kill:
        def scalars(self, step, values):
            if step == 10:
                raise Killed

        def image(self, step, name, pixels):
            pass

        def close(self):
            pass

    with pytest.raises(Killed):
        train(config, folder, sinks=[Kill()])
    assert (folder / "checkpoints" / "5").is_dir() and not (folder / "checkpoints" / "10").exists()
    study.release(trial)
    work(study, 1)
    train(config, study.folder / "whole")
    assert rows(folder) == rows(study.folder / "whole")
    (again,) = study.trials()
    assert again.state == TrialState.COMPLETE and again.number == 0


def test_a_search_needs_a_validation_split(plan):
    check_validation(plan.settings)
    digits = dataclasses.replace(plan.settings.data, name="digits", validation=0.0)
    with pytest.raises(Invalid, match="^data.validation: 0.0 is not possible in a search"):
        check_validation(dataclasses.replace(plan.settings, data=digits))
