"""Workers that share a study: who is given which trial, and what storages and other studies are refused."""

import concurrent.futures
import contextlib
import dataclasses
import itertools
import re
import socket
import subprocess
import sys
import time

import pytest
import sqlalchemy
from optuna.trial import TrialState
from sqlalchemy.pool import NullPool

from genlab.errors import Invalid, Stopped
from genlab.lab.findings import best_quarter
from genlab.lab.locks import FileLocks, ServerLocks
from genlab.lab.space import from_dict, grid
from genlab.lab.study import KILLS, Study


def claim_all(plan, folder, wanted, workers=2, url=None):
    """The trials that so many workers take in turn, each told a score before the next is asked for."""
    with contextlib.ExitStack() as stack:
        studies = [stack.enter_context(Study(plan, url, folder)) for _ in range(workers)]
        found = []
        for study in itertools.cycle(studies):
            trial = study.claim(wanted)
            if trial is None:
                assert all(other.claim(wanted) is None for other in studies)
                return found
            found.append(trial)
            study.complete(trial, [float(trial.number)])
            study.release(trial)


@pytest.fixture
def join(tmp_path, plan):
    """`join(url)`: a worker's own view of the study that all share in a test."""
    with contextlib.ExitStack() as stack:
        yield lambda url=None: stack.enter_context(Study(plan, url, tmp_path / "s"))


@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe"])
def test_two_workers_draw_distinct_trials_within_the_ranges(tmp_path, plan, sampler):
    plan = dataclasses.replace(plan, sampler=sampler)
    trials = claim_all(plan, tmp_path / "s", 12)
    assert [trial.number for trial in trials] == list(range(12))
    rate, critic, activation = plan.space
    assert len({trial.params[rate] for trial in trials}) == 12
    assert all(1e-4 <= trial.params[rate] <= 1e-2 for trial in trials)
    assert {trial.params[critic] for trial in trials} == {1, 2, 3}
    assert {trial.params[activation] for trial in trials} == {"relu", "leaky_relu"}
    assert Study(plan, None, tmp_path / "s").claim(12) is None  # the same command again
    if sampler != "tpe":  # a function of seed and number, whoever asks
        alone = claim_all(plan, tmp_path / "alone", 12, workers=1)
        assert [trial.params for trial in alone] == [trial.params for trial in trials]


def test_a_quasi_random_sequence_fills_the_range(tmp_path, settings, plan):
    """Of 8 points of a Sobol sequence, one lies in each eighth; the first trial is not of it."""
    plan = dataclasses.replace(plan, sampler="qmc", space=from_dict({"train.ema": {"low": 0.0, "high": 0.8}}))
    values = [trial.params["train.ema"] for trial in claim_all(plan, tmp_path / "s", 9)]
    assert sorted(int(10 * value) for value in values[1:]) == list(range(8))


def test_workers_that_ask_at_once_are_given_different_trials(tmp_path, plan):
    """Optuna's counter of a quasi-random sequence, and the number of trials, bear no two at a time."""
    plan = dataclasses.replace(plan, sampler="qmc")

    def work(_):
        with Study(plan, None, tmp_path / "s") as study:
            found = []
            while trial := study.claim(24):
                found.append(trial)
                study.complete(trial, [0.0])
                study.release(trial)
            return found

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        trials = [trial for found in pool.map(work, range(6)) for trial in found]
    assert sorted(trial.number for trial in trials) == list(range(24))
    assert len({trial.params["method.critic_optimizer.learning_rate"] for trial in trials}) == 24


def test_a_grid_is_exhausted_exactly(tmp_path, plan):
    plan = dataclasses.replace(plan, sampler="grid")
    trials = claim_all(plan, tmp_path / "s", plan.trials(100), workers=3)
    found = {tuple(trial.params[setting] for setting in plan.space) for trial in trials}
    assert len(trials) == 18 and found == set(itertools.product(*grid(plan.space).values()))


def test_trials_under_way_count_and_are_left_alone(join):
    one, other = join(), join()
    first, second = one.claim(2), other.claim(2)
    assert (first.number, second.number) == (0, 1)
    assert one.claim(2) is None and other.claim(2) is None
    one.release(first)  # as when its worker is told to stop
    again = other.claim(2)
    assert (again.number, again.params) == (0, first.params)
    assert one.claim(2) is None


def test_a_trial_that_was_being_drawn_is_drawn_to_the_end(plan, join):
    study = join()
    study.record.ask()  # what a worker leaves that is killed as it draws
    trial = study.claim(1)
    assert trial.number == 0 and set(trial.params) == set(plan.space)
    assert study.claim(1) is None


def test_a_trial_that_kills_its_workers_fails(tmp_path, plan, join):
    for _ in range(KILLS):
        with Study(plan, None, tmp_path / "s") as worker:  # which lets go of its locks, as when it is killed
            assert worker.claim(1).number == 0
    study = join()
    assert study.claim(1) is None
    (trial,) = study.trials()
    assert trial.state == TrialState.FAIL and trial.user_attrs["error"] == f"{KILLS} workers were killed in it"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"space": from_dict({"train.ema": {"low": 0.0, "high": 0.5}})}, "space."),
        ({"sampler": "tpe"}, "sampler = 'random', not 'tpe'"),
        ({"seeds": 2}, "seeds = 1, not 2"),
    ],
)
def test_another_plan_is_refused(tmp_path, plan, change, said):
    claim_all(plan, tmp_path / "s", 2)
    before = (tmp_path / "s" / "study.journal").read_bytes()
    with pytest.raises(Invalid, match="^run_dir: it holds a study with " + re.escape(said)):
        Study(dataclasses.replace(plan, **change), None, tmp_path / "s")
    train = dataclasses.replace(plan.settings.train, steps=99)
    with pytest.raises(Invalid, match="train.steps = 10, not 99"):
        Study(dataclasses.replace(plan, settings=dataclasses.replace(plan.settings, train=train)), None, tmp_path / "s")
    track = dataclasses.replace(plan.settings.track, every=99)
    Study(dataclasses.replace(plan, settings=dataclasses.replace(plan.settings, track=track)), None, tmp_path / "s")
    after = (tmp_path / "s" / "study.journal").read_bytes()
    assert after.startswith(before) and b"user_attr" not in after[len(before) :]


def test_a_journal_that_a_kill_cut_short_is_mended(tmp_path, plan):
    claim_all(plan, tmp_path / "s", 2)
    journal = tmp_path / "s" / "study.journal"
    journal.write_bytes(journal.read_bytes() + b'{"op_code":4,"wor')
    assert [trial.number for trial in claim_all(plan, tmp_path / "s", 4)] == [2, 3]
    assert len(Study(plan, None, tmp_path / "s").trials()) == 4


def test_a_damaged_journal_is_refused(tmp_path, plan):
    claim_all(plan, tmp_path / "s", 2)
    journal = tmp_path / "s" / "study.journal"
    damaged = b"x" + journal.read_bytes()
    journal.write_bytes(damaged)
    with pytest.raises(Invalid, match="^storage: .*study.journal cannot be read or written"):
        Study(plan, None, tmp_path / "s")
    assert journal.read_bytes() == damaged


def test_the_best_quarter_of_all_that_ended(tmp_path, plan):
    """Of 8 trials told 0 to 7, that is the first two, in an order that their numbers do not give."""
    trials = claim_all(plan, tmp_path / "s", 8)
    rate, critic, activation = plan.space
    found = best_quarter(Study(plan, None, tmp_path / "s").record)
    two = [trial.params for trial in trials[:2]]
    assert (found[rate].low, found[rate].high) == tuple(sorted(values[rate] for values in two))
    assert (found[critic].low, found[critic].high) == tuple(sorted(values[critic] for values in two))
    assert set(found[activation].choices) == {values[activation] for values in two}
    with pytest.raises(Invalid, match="^narrow: 'empty' is empty"):
        best_quarter(Study(plan, None, tmp_path / "empty").record)


@pytest.fixture
def silent():
    """The port of a server that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u:secret@127.0.0.1:1/x", "'postgresql://u:***@127.0.0.1:1/x' does not answer (connection"),
        ("postgresql://u@127.0.0.1:SILENT/x", "does not answer (connection"),
        ("sqlite:////proc/none/x.db", "does not answer (No such file or directory)"),
        ("mysql://u@host/x", "'mysql://u@host/x' is not sqlite:///FILE or postgresql://USER@HOST/DATABASE"),
        ("sqlite://", "'sqlite://' is not sqlite:///FILE"),
        ("study.db", "'study.db' does not answer (Could not parse SQLAlchemy URL"),
    ],
)
def test_a_storage_that_does_not_answer_is_named_within_seconds(tmp_path, plan, silent, url, said):
    began = time.monotonic()
    with pytest.raises(Invalid) as refused:
        Study(plan, url.replace("SILENT", str(silent)), tmp_path / "s")
    assert said in str(refused.value) and "secret" not in str(refused.value) and "\n" not in str(refused.value)
    assert time.monotonic() - began < 10 and not (tmp_path / "s").exists()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_databases_keep_a_study_as_the_journal_does(tmp_path, plan, join, kind, request):
    url = f"sqlite:///{tmp_path}/study.db" if kind == "sqlite" else request.getfixturevalue("postgres")
    trials = claim_all(plan, tmp_path / "s", 4, url=url)
    assert [trial.params for trial in trials] == [trial.params for trial in claim_all(plan, tmp_path / "own", 4)]
    one, other = join(url), join(url)
    held = one.claim(5)
    assert held.number == 4 and other.claim(5) is None
    one.complete(held, [float("inf")])
    one.release(held)
    assert [trial.value for trial in other.trials()] == [0, 1, 2, 3, float("inf")]


HOLD = """
import sys, sqlalchemy
from genlab.lab.locks import FileLocks, ServerLocks
from pathlib import Path
url = sys.argv[1]
locks = FileLocks(Path(url)) if url.startswith("/") else ServerLocks(sqlalchemy.create_engine(url), "x")
assert locks.acquire("a")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("kind", ["file", "server"])
def test_a_lock_is_free_when_its_holder_is_killed(tmp_path, kind, request):
    if kind == "file":
        place, locks = str(tmp_path), FileLocks(tmp_path)
    else:
        place = request.getfixturevalue("postgres").replace("postgresql:", "postgresql+psycopg:")
        locks = ServerLocks(sqlalchemy.create_engine(place, poolclass=NullPool), "x")
    holder = subprocess.Popen([sys.executable, "-c", HOLD, place], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    assert not locks.acquire("a") and locks.acquire("b")
    holder.kill()
    holder.communicate()
    assert locks.acquire("a", wait=True)
    locks.check()
    locks.close()


def test_a_session_that_the_server_ended_is_noticed(postgres):
    engine = sqlalchemy.create_engine(postgres.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
    locks = ServerLocks(engine, "y")
    assert locks.acquire("a") and not locks.acquire("a")
    with engine.connect() as other:
        other.execute(sqlalchemy.text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"))
    with pytest.raises(Stopped, match="^storage: the server has ended the session"):
        locks.check()
    locks.close()
