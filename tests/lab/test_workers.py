"""Processes and jobs that run the same command."""

import os
import signal
import sys
import threading

import pytest

from genlab.errors import Invalid, Stopped
from genlab.lab.workers import start_here, submit


def python(source):
    return [sys.executable, "-c", source]


def test_each_worker_has_a_log_and_a_device(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    command = python("import os, sys; print(os.environ['CUDA_VISIBLE_DEVICES'], file=sys.stderr); print('table')")
    assert start_here(command, 3, tmp_path / "logs", lambda: None) == 0
    logs = [(tmp_path / "logs" / f"{i}.log").read_text() for i in (1, 2, 3)]
    assert logs == ["4\n", "7\n", "4\n"] and capsys.readouterr() == ("", "")


def test_what_workers_refuse_or_die_of_is_said(tmp_path, capsys):
    refuse = "import sys; print('error: storage: nowhere', file=sys.stderr); sys.exit(2)"
    with pytest.raises(Invalid, match="^storage: nowhere$"):
        start_here(python(refuse), 2, tmp_path, lambda: None)
    assert start_here(python("import os; os.kill(os.getpid(), 9)"), 1, tmp_path, lambda: None) == 1
    assert capsys.readouterr().err == "worker 1 ended with code -9: it said nothing\n"


def test_a_signal_is_handed_on_once(tmp_path):
    wait = """
import os, signal, sys
assert os.getsid(0) == os.getpid()  # no key pressed in our terminal reaches it
def end(*_):
    print("saved", file=sys.stderr, flush=True)
    sys.exit(1)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)
print("ready", file=sys.stderr, flush=True)
signal.pause()
"""
    timer = []

    def when_ready():
        ready = all((tmp_path / f"{i}.log").read_text() == "ready\n" for i in (1, 2))
        if ready and not timer:
            timer.append(threading.Timer(0.0, os.kill, (os.getpid(), signal.SIGINT)))
            timer[0].start()

    with pytest.raises(Stopped, match="^by SIGINT; the same command continues$"):
        start_here(python(wait), 2, tmp_path, when_ready)
    assert [(tmp_path / f"{i}.log").read_text() for i in (1, 2)] == ["ready\nsaved\n"] * 2


def test_jobs_of_a_cluster_run_the_command(tmp_path):
    """Submitit's own executor of this machine stands for the cluster."""
    command = python(f"import os, pathlib; pathlib.Path({str(tmp_path)!r}, 'by-' + str(os.getpid())).touch()")
    jobs = submit(command, 2, tmp_path / "jobs", ["partition=gpu"], cluster="local")
    assert [job.result().returncode for job in jobs] == [0, 0]
    assert len(list(tmp_path.glob("by-*"))) == 2


def test_what_no_cluster_takes_is_refused(tmp_path, monkeypatch):
    with pytest.raises(Invalid, match="^slurm: 'partition' is not an option of sbatch and its value"):
        submit(python(""), 1, tmp_path, ["partition"])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Invalid, match="^launcher: 'slurm' takes no jobs here \\(.*srun"):
        submit(python(""), 1, tmp_path, ["partition=gpu"])
