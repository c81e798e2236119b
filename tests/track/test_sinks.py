"""Sinks: the record on disk, and its copy in Weights & Biases read back from a real offline run."""

import ast
import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genlab.track.folder import RunFolder
from genlab.track.sinks import Jsonl, Pngs, Tracker, Wandb

CONFIG = {"data": {"name": "digits", "batch_size": 128}, "train": {"steps": 8000, "lr": 1e-3}}


def pixels(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)


# JSONL


def write_rows(sink, steps):
    for step in steps:
        sink.scalars(step, {"critic/loss": 1.0 / (step + 3), "generator/loss": -step / 7})


def test_jsonl_rows_read_back_exactly(tmp_path):
    sink = Jsonl(tmp_path / "metrics.jsonl")
    value = float(np.float32(0.1))
    sink.scalars(12, {"critic/loss": value, "bad": float("nan"), "worse": -float("inf")})
    rows = (tmp_path / "metrics.jsonl").read_text().splitlines()  # before closing: a row is on disk once written

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    row = json.loads(rows[0], parse_constant=refuse)
    assert row == {"step": 12, "critic/loss": value, "bad": None, "worse": None}
    assert list(row)[0] == "step" and len(rows) == 1
    sink.close()


@pytest.mark.parametrize("torn", [b"", b'{"step": 60, "critic/lo', b'{"step": 40, "critic/loss": 0.1}', b"\x00\x00"])
def test_a_resumed_record_is_bitwise_that_of_a_run_that_never_stopped(tmp_path, torn):
    whole = Jsonl(tmp_path / "whole.jsonl")
    write_rows(whole, range(0, 100, 10))
    whole.close()
    killed = Jsonl(tmp_path / "killed.jsonl")
    write_rows(killed, range(0, 60, 10))
    killed.close()
    with (tmp_path / "killed.jsonl").open("ab") as file:
        file.write(torn)
    resumed = Jsonl(tmp_path / "killed.jsonl")
    resumed.truncate(40)
    write_rows(resumed, range(50, 100, 10))
    resumed.close()
    assert (tmp_path / "killed.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["killed.jsonl", "whole.jsonl"]


def test_a_new_record_can_be_truncated(tmp_path):
    sink = Jsonl(tmp_path / "metrics.jsonl")
    sink.truncate(0)
    sink.close()
    assert (tmp_path / "metrics.jsonl").read_bytes() == b""


# PNG


def test_pngs_are_named_by_step_and_exact(tmp_path):
    sink = Pngs(tmp_path)
    sink.image(500, "samples", pixels(0))
    sink.image(500, "reconstruction", pixels(1))
    assert sorted(os.listdir(tmp_path)) == ["reconstruction_step_00000500.png", "step_00000500.png"]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "step_00000500.png")), pixels(0))


def test_the_tracker_hands_everything_to_every_sink(tmp_path):
    class Memory:
        def __init__(self):
            self.calls = []

        def scalars(self, step, values):
            self.calls.append((step, dict(values)))

        def image(self, step, name, pixels):
            self.calls.append((step, name))

        def close(self):
            self.calls.append("closed")

    first, second = Memory(), Memory()
    tracker = Tracker([first, second])
    tracker.scalars(1, {"a": 2.0})
    tracker.image(1, "samples", pixels())
    tracker.close()
    assert first.calls == second.calls == [(1, {"a": 2.0}), (1, "samples"), "closed"]


# Weights & Biases


def read_wandb(path):
    """The records of the `.wandb` file of a finished run; its writer, another process, may take a moment longer."""
    deadline = time.monotonic() + 20
    while not (records := parse_wandb(path.read_bytes())) or not records[-1].HasField("exit"):
        assert time.monotonic() < deadline, "the run has no end"
        time.sleep(0.05)
    return records


def parse_wandb(data):
    """A 7-byte header, then LevelDB's log format: chunks of at most a 32 KiB block, each with a header."""
    from wandb.proto.wandb_internal_pb2 import Record

    assert data[:4] in (b":W&B", b"")
    at, parts, records = 7, [], []
    while at + 7 <= len(data):
        room = 32768 - at % 32768
        if room < 7:  # too little for a chunk's header: padding
            at += room
            continue
        _, size, kind = struct.unpack("<IHB", data[at : at + 7])
        parts.append(data[at + 7 : at + 7 + size])
        at += 7 + size
        if kind in (1, 4):  # a full record, or the last part of one
            records.append(Record.FromString(b"".join(parts)))
            parts = []
    return records


def parts_of(folder):
    return sorted(folder.wandb.glob("offline-run-*/*.wandb"))


def history(records):
    """Rows as logged, without what W&B adds; a picture is spread over `name/path` and the like."""
    rows = [record.history.item for record in records if record.HasField("history")]
    rows = [{item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in row} for row in rows]
    return [{key: value for key, value in row.items() if not key.startswith("_")} for row in rows]


def test_an_offline_run_holds_the_same_names_steps_config_and_images(tmp_path, capfd):
    folder = RunFolder.create(tmp_path)
    handlers = [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)]
    sink, rows = Wandb(folder, "offline", "genlab", "digits", CONFIG), Jsonl(folder.metrics)
    both = Tracker([sink, rows])
    assert [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)] == handlers
    print("a line of the trainer's")
    for step in range(0, 300, 100):
        both.scalars(step, {"critic/loss": -0.5 * step, "eval/fid": 1.0 / (step + 1)})
    both.image(200, "samples", pixels())
    both.close()

    (path,) = parts_of(folder)
    records = read_wandb(path)
    logged = history(records)
    assert logged[:3] == [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    assert logged[3]["step"] == 200 and logged[3]["samples/_type"] == "image-file"
    picture = Image.open(path.parent / "files" / logged[3]["samples/path"])
    np.testing.assert_array_equal(np.asarray(picture), pixels())
    run = next(record.run for record in records if record.HasField("run"))
    assert (run.project, run.display_name) == ("genlab", "digits")
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert {name: config[name] for name in CONFIG} == CONFIG
    assert ("*", "step") in {(r.metric.glob_name, r.metric.step_metric) for r in records if r.HasField("metric")}
    assert not run.HasField("git") or not run.git.commit
    assert not list((path.parent / "files").glob("**/*.py")) and not any(r.HasField("output") for r in records)
    assert capfd.readouterr() == ("a line of the trainer's\n", "")


def test_a_resumed_offline_run_goes_on_under_its_id_without_dropped_steps(tmp_path, capfd):
    folder = RunFolder.create(tmp_path)
    for steps in (range(0, 50, 10), range(30, 80, 10)):  # killed after 40, restored at 20
        sink = Wandb(folder, "offline", "genlab", "digits", CONFIG)
        write_rows(sink, steps)
        sink.close()
    first, second = (read_wandb(path) for path in parts_of(folder))
    assert [row["step"] for row in history(first)] == [0, 10, 20, 30, 40]
    assert [row["step"] for row in history(second)] == [30, 40, 50, 60, 70]
    runs = [next(record.run for record in part if record.HasField("run")) for part in (first, second)]
    assert {run.run_id for run in runs} == {(folder.wandb / "run-id").read_text()}
    assert all(run.resume for run in runs)  # what `wandb sync` needs to append the second to the first
    assert capfd.readouterr() == ("", "")


def test_two_runs_of_one_process_stay_apart(tmp_path):
    folders = [RunFolder.create(tmp_path / name) for name in "ab"]
    open_sinks = [Wandb(folder, "offline", "genlab", "x", {}) for folder in folders]
    for step, sink in enumerate(open_sinks):
        sink.scalars(step, {"a": 1.0})
    for sink in open_sinks:
        sink.close()
    assert [[row["step"] for row in history(read_wandb(*parts_of(folder)))] for folder in folders] == [[0], [1]]


def test_runs_that_are_trained_together_are_a_group(tmp_path):
    folder = RunFolder.create(tmp_path)
    Wandb(folder, "offline", "genlab", "train.ema=0.9/seed_0", {}, "averages").close()
    run = next(record.run for record in read_wandb(*parts_of(folder)) if record.HasField("run"))
    assert (run.display_name, run.run_group) == ("train.ema=0.9/seed_0", "averages")


def test_disabled_leaves_nothing(tmp_path):
    folder = RunFolder.create(tmp_path)
    sink = Wandb(folder, "disabled", "genlab", "digits", CONFIG)
    sink.scalars(1, {"a": 1.0})
    sink.image(1, "samples", pixels())
    sink.close()
    assert not folder.wandb.exists()


def warned(caplog):
    return [record.getMessage() for record in caplog.records if record.name.startswith("genlab")]


def test_a_sink_that_breaks_is_left_behind_with_one_line(tmp_path, caplog):
    folder = RunFolder.create(tmp_path)
    sink = Wandb(folder, "offline", "genlab", "digits", CONFIG)

    class Broken:
        def log(self, row):
            raise OSError("No space left on device\nand more")

    sink._run = Broken()
    for step in range(3):
        sink.scalars(step, {"a": 1.0})
    sink.close()
    assert warned(caplog) == ["Weights & Biases stopped recording: No space left on device"]
    assert recorded(folder) == []  # W&B has ended it


def test_a_start_that_fails_is_one_line(tmp_path, caplog):
    folder = RunFolder.create(tmp_path)
    folder.wandb.touch()  # a file where the folder should be
    Wandb(folder, "offline", "genlab", "digits", CONFIG).close()
    (line,) = warned(caplog)
    assert line.startswith("Weights & Biases records nothing: ")


# Other machines: environments of a fresh process


def train(tmp_path, mode, env, begin="", end="tracker.close()"):
    """Three rows from a process of its own, with a fresh home and no W&B settings but `env`."""
    program = f"""
{begin}
import genlab.track.sinks as sinks
from genlab.track.folder import RunFolder
sinks.INIT_SECONDS = 5.0  # less than the 15 s, for a service out of reach; a busy machine takes some to start one
tracker = sinks.Wandb(RunFolder.create({str(tmp_path / "run")!r}), {mode!r}, "genlab", "digits", {{}})
for step in range(3):
    tracker.scalars(step, {{"a": 1.0}})
{end}
"""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    home = {"HOME": str(tmp_path), "NETRC": str(tmp_path / "netrc")}
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", program],
        env=clean | home | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    seconds = time.monotonic() - start
    return done, RunFolder(tmp_path / "run"), seconds


def running(pid):
    """Whether there is such a process, that has not merely been left unburied."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc, to find W&B's service")
@pytest.mark.parametrize("rows", [1, 20_000])  # few wait in the socket; so many that it is full before the end
@pytest.mark.parametrize("signal_name", ["SIGSTOP", "SIGKILL"])
def test_a_service_that_hangs_or_is_gone_costs_one_line_and_no_more_than_the_limits(tmp_path, signal_name, rows):
    """And it does not outlive the trainer."""
    begin = "import os, signal, warnings; warnings.simplefilter('ignore', ResourceWarning)  # of a process left behind"
    end = f"""
sinks.FINISH_SECONDS, sinks.TEARDOWN_SECONDS = 2.0, 1.0
(pid,) = sinks._services()
open({str(tmp_path / "pid")!r}, "w").write(str(pid))
os.kill(pid, signal.{signal_name})
for step in range(3, 3 + {rows}):
    tracker.scalars(step, {{"a": 1.0}})
tracker.close()
"""
    try:
        done, _, seconds = train(tmp_path, "offline", {}, begin=begin, end=end)
        assert not running((tmp_path / "pid").read_text())
    finally:
        with contextlib.suppress(OSError):
            os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("Weights & Biases stopped recording: ") and done.stderr.count("\n") == 1
    assert seconds < 30


def recorded(folder):
    return [row["step"] for path in parts_of(folder) for row in history(read_wandb(path))]


def test_auto_without_a_key_is_offline_and_silent(tmp_path):
    done, folder, _ = train(tmp_path, "auto", {})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert recorded(folder) == [0, 1, 2]


def test_online_without_a_key_never_asks(tmp_path):
    done, folder, _ = train(tmp_path, "online", {})
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "Weights & Biases records offline: no API key; `wandb login` stores one\n"
    assert recorded(folder) == [0, 1, 2]


@pytest.mark.parametrize("where", ["environment", "netrc"])
def test_a_service_out_of_reach_costs_one_line(tmp_path, where):
    env, key = {"WANDB_BASE_URL": "http://127.0.0.1:9"}, "0" * 40  # the port of `discard`, closed
    if where == "environment":
        env["WANDB_API_KEY"] = key
    else:
        (tmp_path / "netrc").write_text(f"machine 127.0.0.1:9\n  login user\n  password {key}\n")
        (tmp_path / "netrc").chmod(0o600)
    done, folder, seconds = train(tmp_path, "auto", env)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("Weights & Biases records offline: ") and done.stderr.count("\n") == 1
    assert recorded(folder) == [0, 1, 2]
    assert seconds < 30


def test_a_malformed_key_costs_one_line(tmp_path):
    done, folder, _ = train(tmp_path, "auto", {"WANDB_API_KEY": "short"})
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("Weights & Biases records offline: ") and done.stderr.count("\n") == 1
    assert recorded(folder) == [0, 1, 2]


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_auto_obeys_the_user_s_own_wandb_mode(tmp_path, mode):
    done, folder, _ = train(tmp_path, "auto", {"WANDB_MODE": mode, "WANDB_API_KEY": "0" * 40})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert recorded(folder) == ([0, 1, 2] if mode == "offline" else [])


def test_a_wish_to_be_online_outweighs_the_user_s_own_wandb_mode(tmp_path):
    """A key is found although W&B is told to be offline, so that it is the service which is out of reach."""
    env = {"WANDB_MODE": "offline", "WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9"}
    done, folder, _ = train(tmp_path, "online", env, end="import wandb; print(wandb.setup().settings.mode)")
    assert (done.returncode, done.stdout) == (0, "offline\n")
    assert done.stderr.startswith("Weights & Biases records offline: ") and "API key" not in done.stderr


def test_a_run_of_the_caller_s_own_stays_and_decides(tmp_path):
    """Beside it W&B cannot log in; offline, it says that there is no key."""
    begin = (
        f"import wandb; own = wandb.init(mode='offline', dir={str(tmp_path)!r}, settings=wandb.Settings(silent=True))"
    )
    done, folder, _ = train(tmp_path, "auto", {}, begin=begin, end="tracker.close(); own.log({'b': 1}); own.finish()")
    assert (done.returncode, done.stdout) == (0, "") and "records" not in done.stderr
    assert recorded(folder) == [0, 1, 2]
    (path,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    assert [row["b"] for row in history(read_wandb(path))] == [1]


def test_only_what_is_public_of_weights_and_biases_is_used(root):
    """No submodule, no name with an underscore, no internal setting (those begin with x_)."""
    for path in (root / "genlab").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("wandb"), path
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("wandb.") for alias in node.names), path
            if isinstance(node, ast.Call):
                assert not any((keyword.arg or "").startswith("x_") for keyword in node.keywords), path
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "wandb":
                assert not node.attr.startswith("_") and node.attr != "sdk", path
