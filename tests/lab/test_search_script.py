"""A search as a user meets it: mistakes, several processes, one of them killed."""

import contextlib
import json
import os
import runpy
import shlex
import signal
import subprocess
import sys
import time
import tomllib

import pytest

from genlab import cli
from genlab.errors import Invalid
from genlab.lab import space as spaces
from genlab.lab.campaign import Command
from genlab.lab.plan import Plan
from genlab.lab.study import Study

FLAGS = """--config wgan_gp_points --method.generator.width 8 --method.critic.width 8 --data.batch-size 16
    --train.validate-every 500 --checkpoint.every 500 --track.every 500 --track.samples-every 100000
    --parallel.devices 1 --pruner none --sampler random""".split()  # noqa: SIM905 (as they are typed)
SPACE = '["method.critic_optimizer.learning_rate"]\nlow = 1e-4\nhigh = 1e-2\nlog = true\n'
RATE = "method.critic_optimizer.learning_rate"


@pytest.fixture
def search(root):
    """`search("--trials", 3)`: the script's command, in this process."""
    command = runpy.run_path(str(root / "scripts" / "search.py"))["command"]
    return lambda *arguments: command([str(argument) for argument in arguments])


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(SPACE)
    return path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "space: None is not a file of settings to search, unless there is --narrow"),
        (["--space", "SPACE", "--narrow", "x"], "is not one of them, not both"),
        (["--space", "none.toml"], "space: none.toml cannot be read (No such file or directory)"),
        (["--space", "SPACE", "--trials", "0"], "trials: 0 is not at least 1"),
        (["--space", "SPACE", "--workers", "-1"], "workers: -1 is not at least 0"),
        (["--space", "SPACE", "--sampler", "gird"], "sampler"),
        (["--space", "SPACE", "--sampler", "grid"], f"space: {RATE}.points: None is not allowed in a grid"),
        (["--space", "SPACE", "--workers", "0"], "run_dir: there is no study RUN; --workers 1 or more begins it"),
        (["--narrow", "none"], "narrow: there is no study none; the folder of an earlier search is needed"),
        (["--space", "SPACE", "--storage", "postgresql://u@127.0.0.1:1/x"], "does not answer"),
        (["--space", "SPACE", "--trial", "3"], "--trial: no such flag; there is --trials"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_written(search, tmp_path, space, arguments, said):
    run = tmp_path / "run"
    arguments = [argument.replace("SPACE", str(space)) for argument in arguments]
    with pytest.raises(Invalid) as refused:
        search("--run-dir", run, *FLAGS, *arguments)
    assert said.replace("RUN", str(run)) in str(refused.value) and "\n" not in str(refused.value)
    assert not run.exists()


def test_a_setting_that_does_not_exist_ends_with_code_2(root, tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(SPACE.replace("critic_optimizer", "critic_optimiser"))
    asked = [sys.executable, "scripts/search.py", "--space", str(path), "--run-dir", str(tmp_path / "run")]
    done = subprocess.run(asked, cwd=root, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: space: --method.critic-optimiser.learning-rate: no such flag; there are")
    assert not (tmp_path / "run").exists()


def test_from_coarse_to_fine(search, tmp_path, space, capsys):
    """The ranges of a study are those that the best quarter of an earlier one spanned when it was begun."""
    short = [*FLAGS, "--train.steps", "5", "--train.validate-every", "5"]
    settings = cli.parse(short, Command).settings
    plan, rates = Plan("wgan_gp_points", settings, spaces.read(space), "random", "none"), []

    def go_on(until):
        with Study(plan, None, tmp_path / "wide") as study:
            while trial := study.claim(until):
                rates.append(trial.params[RATE])
                study.complete(trial, [-float(trial.number)])  # ever better
                study.release(trial)

    go_on(5)
    fine = ["--run-dir", tmp_path / "fine", "--narrow", tmp_path / "wide", "--trials", "1", *short]
    search(*fine)
    assert capsys.readouterr().out.startswith("1 of 1 trials: 1 scored\n\n")
    written = (tmp_path / "fine" / "space.toml").read_text()
    entry = tomllib.loads(written)[RATE]
    assert [entry["low"], entry["high"]] == sorted(rates[3:])  # a quarter of 5, rounded up
    go_on(9)
    search(*fine)
    assert (tmp_path / "fine" / "space.toml").read_text() == written
    with pytest.raises(Invalid, match="^run_dir: it holds a study with space"):
        search("--run-dir", tmp_path / "fine", "--space", space, "--trials", "1", *short)


@pytest.fixture
def start(root, tmp_path, space):
    """`start(run, "--trials", "3")`: the script in a process of its own, which ends with the test."""
    with contextlib.ExitStack() as stack:

        def begin(run, *arguments):
            command = [sys.executable, "scripts/search.py", "--run-dir", str(run), "--space", str(space), *FLAGS]
            log = stack.enter_context((tmp_path / f"{time.monotonic_ns()}.log").open("w"))
            process = subprocess.Popen([*command, *arguments], cwd=root, stdout=subprocess.PIPE, stderr=log, text=True)
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield begin


def wait_for(pattern, run, process, seconds=120.0):
    deadline = time.monotonic() + seconds
    while not (found := sorted(run.glob(pattern))):
        assert process.poll() is None and time.monotonic() < deadline, f"no {pattern}"
        time.sleep(0.02)
    return found[0]


@pytest.mark.parametrize("storage", ["journal", "postgres"])
def test_a_killed_workers_trial_is_taken_up_by_another(start, search, space, tmp_path, storage, request, capsys):
    """Two processes on one study: what the one leaves, at a checkpoint, the other ends as if nothing had been."""
    more = ["--storage", request.getfixturevalue("postgres")] if storage == "postgres" else []
    run, asked = tmp_path / f"study-{os.getpid()}", ["--trials", "2", "--train.steps", "3000", *more]
    killed = start(run, *asked)
    wait_for("trials/0000/seed_0/checkpoints/500", run, killed)
    killed.send_signal(signal.SIGSTOP)  # it lives, and what it is at is its own
    other = start(run, *asked)
    wait_for("trials/0001", run, other)
    killed.kill()
    killed.communicate()
    rows = (run / "trials" / "0000" / "seed_0" / "metrics.jsonl").read_text()
    assert '"step": 3000' not in rows, "it was to be killed on its way"
    table, _ = other.communicate(timeout=300)
    assert other.returncode == 0 and table.startswith("2 of 2 trials: 2 scored\n")
    assert sorted(path.name for path in (run / "trials").iterdir()) == ["0000", "0001"]
    configs = [json.loads(path.read_text())["config"] for path in run.glob("trials/*/seed_0/config.json")]
    rates = {config["method"]["critic_optimizer"]["learning_rate"] for config in configs}
    assert len(rates) == 2
    best = cli.parse(shlex.split(table.splitlines()[-1])[2:]).settings
    assert best.method.critic_optimizer.learning_rate in rates
    search("--run-dir", run, "--space", space, *FLAGS, *asked)
    assert capsys.readouterr() == (table, "")  # nothing is trained again
