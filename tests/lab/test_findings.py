"""What a study says in the end, by hand."""

import dataclasses
import shlex

import pytest
from PIL import Image

from genlab import cli
from genlab.errors import Invalid, Stopped
from genlab.lab.findings import short_names, summary, table, tell, train_command
from genlab.lab.space import configured
from genlab.lab.study import Study


@pytest.fixture
def told(tmp_path, plan):
    """A study of six trials: three with a score, one that diverged, one pruned and one failed."""
    with Study(dataclasses.replace(plan, seeds=2), None, tmp_path / "s") as study:
        for scores in ([0.5, 0.7], [0.125, 0.375], [2.0, 4.0], [float("inf"), 1.0], None, "no memory"):
            trial = study.claim(9)
            if scores is None:
                study.report(trial, 5, 0.75)
                study.prune(trial)
            elif isinstance(scores, str):
                study.fail(trial, scores)
            else:
                study.complete(trial, scores)
            study.release(trial)
        yield study


def test_the_table_has_the_best_first(told):
    lines = table(told.trials(), list(told.plan.space)).splitlines()
    assert [line.split()[:2] for line in lines] == [["trial", "score"], ["1", "0.25"], ["0", "0.6"], ["2", "3"]]
    assert lines[0].split()[2:] == ["critic_optimizer.learning_rate", "n_critic", "critic.activation"]
    assert "0.25 ± 0.2 " in lines[1]
    assert summary(told.trials(), 9) == "6 of 9 trials: 3 scored, 1 diverged, 1 pruned, 1 failed"


def test_names_without_their_section_unless_two_share_them():
    assert short_names(["method.n_critic", "train.steps", "data.x", "method.x"]) == [
        "n_critic",
        "steps",
        "data.x",
        "method.x",
    ]


def test_the_command_is_that_of_the_best_trials_settings(told):
    best = told.trials()[1]
    words = shlex.split(train_command(told.plan, best, told.folder))
    assert words[:4] == ["python", "scripts/train.py", "--config", "wgan_gp_points"]
    command = cli.parse(words[2:])
    assert command.settings == configured("wgan_gp_points", told.plan.settings, told.plan.space, best.params)
    assert command.settings.method.critic_optimizer.learning_rate == best.params[next(iter(told.plan.space))]
    assert command.run_dir == told.folder / "best"


def test_pictures_are_written_beside_the_trials(told):
    said = tell(told, 9)
    assert said.splitlines()[0].startswith("6 of 9") and said.splitlines()[-1].startswith("python scripts/train.py")
    for name in ("importances", "slices"):
        with Image.open(told.folder / f"{name}.png") as picture:
            assert picture.width > 500 and len(picture.convert("RGB").getcolors(10**6)) > 3


def test_a_study_without_a_score_has_nothing_to_say(tmp_path, plan):
    with Study(plan, None, tmp_path / "s") as study:
        with pytest.raises(Invalid, match="^run_dir: the study .* is empty"):
            tell(study, 9)
        trial = study.claim(9)
        study.fail(trial, "no memory")
        study.release(trial)
        with pytest.raises(Stopped, match="^1 of 9 trials: 1 failed; none has a score \\(no memory\\)"):
            tell(study, 9)
    assert not list(study.folder.glob("*.png"))
