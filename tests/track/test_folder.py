"""The run folder: who may open it, who may write to it, what it says about itself."""

import json
import os
import signal
import subprocess
import sys

import pytest

from genlab.errors import Invalid
from genlab.track import folder
from genlab.track.folder import RunFolder, git_commit, versions, write_json


def test_create_then_open(tmp_path):
    path = tmp_path / "runs" / "a"
    with pytest.raises(Invalid, match="run-dir: .*config.json"):
        RunFolder.open(path)
    run = RunFolder.create(path)
    assert run.samples.is_dir() and run.checkpoints.is_dir() and not run.is_run()
    write_json(run.config, {"seed": 1})
    assert RunFolder.open(str(path)) == run == RunFolder.create(path)
    assert json.loads(run.config.read_text()) == {"seed": 1}


def test_a_path_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Invalid, match="run-dir: .*file; must be a folder that can be written to"):
        RunFolder.create(tmp_path / "file")


def test_a_failed_write_leaves_the_old_json(tmp_path):
    path = tmp_path / "config.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["config.json"]


def test_one_trainer_at_a_time(tmp_path):
    run = RunFolder.create(tmp_path)
    with run.lock(), pytest.raises(Invalid, match=f"must not be in use, process {os.getpid()} "), run.lock():
        pass
    with run.lock():
        pass


def test_a_killed_trainer_lets_go(tmp_path):
    run = RunFolder.create(tmp_path)
    code = f"""
import pathlib, time
from genlab.track.folder import RunFolder
with RunFolder(pathlib.Path({str(tmp_path)!r})).lock():
    print("held", flush=True)
    time.sleep(60)
"""
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Invalid, match=f"process {holder.pid} "), run.lock():
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with run.lock():
            pass


def test_versions_name_the_packages_and_the_device():
    found = versions()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["jax"][0].isdigit() and "cpu" in found["device"]
    assert all(isinstance(value, str) for value in found.values())


def test_the_commit_of_a_checkout(tmp_path, monkeypatch):
    assert git_commit(tmp_path) is None

    def git(*words):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *words], check=True, capture_output=True)

    try:
        git("init")
    except FileNotFoundError:
        pytest.skip("git is not installed")
    assert git_commit(tmp_path) is None  # no commit yet
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-m", "a")
    git("tag", "v1")
    clean = git_commit(tmp_path)
    assert len(clean) == 40 and int(clean, 16)
    (tmp_path / "a").write_text("2")
    assert git_commit(tmp_path) == clean + "-dirty"
    (tmp_path / "site-packages").mkdir()
    assert git_commit(tmp_path / "site-packages") is None  # the checkout around an installed package is not its source
    monkeypatch.setenv("PATH", "")
    assert git_commit(tmp_path) is None


def test_a_git_that_hangs_or_fails_is_no_error(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    assert git_commit(tmp_path) is None

    def hang(*args, timeout, **kwargs):
        raise subprocess.TimeoutExpired(args, timeout)

    monkeypatch.setattr(folder.subprocess, "run", hang)
    assert git_commit(tmp_path) is None
