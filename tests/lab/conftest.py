"""Run folders as training and evaluating leave them, plans of searches, and a PostgreSQL server of the tests' own."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from genlab import cli
from genlab.config.plain import to_dict
from genlab.config.sections import Config
from genlab.evaluate.evaluator import Result
from genlab.evaluate.protocol import Stamp
from genlab.evaluate.report import row
from genlab.lab.plan import Plan
from genlab.lab.space import Space, from_dict
from genlab.track.folder import RunFolder
from genlab.track.sinks import Jsonl, Pngs

STAMP = Stamp("digits", "train", "b90e9f2f341f", 1437, 180, "classifier", seeds=(0, 1))
NAME = "wgan_gp_points"
FLAGS = """--method.generator.width 8 --method.critic.width 8 --data.batch-size 16 --track.every 5
    --track.samples-every 1000 --train.validate-every 5 --checkpoint.every 5 --train.steps 10 --parallel.devices 1"""
RANGES = {
    "method.critic-optimizer.learning-rate": {"low": 1e-4, "high": 1e-2, "log": True, "points": 3},
    "method.n_critic": {"low": 1, "high": 3},
    "method.critic.activation": {"choices": ["relu", "leaky_relu"]},
}


@pytest.fixture
def stamp():
    """How the scores of `evaluated` are made."""
    return STAMP


@pytest.fixture
def recorded_run(tiny, tmp_path):
    """`recorded_run("a-0", "wgan_gp", train={"seed": 0})`: the folder of a run that has recorded nothing yet."""

    def make(name, preset="wgan_gp", shape=(8, 8, 1), **sections):
        folder = RunFolder.create(tmp_path / name)
        config = tiny(preset, **sections)
        folder.config.write_text(json.dumps({"config": to_dict(config), "shape": shape, "classes": []}))
        return folder.path

    return make


@pytest.fixture
def evaluated():
    """`evaluated(run, frechet=1.5)`: scripts/evaluate.py has found this of its last checkpoint, iteration 2."""

    def write(run, which="last", step=2, stamp=STAMP, **scores):
        with (run / "evaluation.jsonl").open("a") as file:
            file.write(json.dumps(row(Result(str(run), stamp, scores, run=run, step=step, which=which))) + "\n")

    return write


@pytest.fixture
def course():
    """`course(run, {"validation/sliced_wasserstein": [3, 2, 1]})`: metrics of iterations 2, 4, 6, and samples."""

    def write(run, metrics):
        sink = Jsonl(run / "metrics.jsonl")
        for place in range(len(next(iter(metrics.values())))):
            sink.scalars(2 * place + 2, {name: float(values[place]) for name, values in metrics.items()})
            Pngs(run / "samples").image(2 * place + 2, "samples", np.full((9, 9, 3), 9 * place, np.uint8))
        sink.close()

    return write


@pytest.fixture
def learning_rates(recorded_run, evaluated):
    """Runs of two learning rates, seeds 0 to 2, with Frechet distances (1, 2, 3) and (2.5, 3.5, 4.5)."""
    from genlab import cli

    optimizer = cli.preset("wgan_gp").method.critic_optimizer
    found = []
    for letter, rate, scores in (("a", 1e-3, (1.0, 2.0, 3.0)), ("b", 1e-4, (2.5, 3.5, 4.5))):
        slow = {"critic_optimizer": dataclasses.replace(optimizer, learning_rate=rate)}
        for seed, score in enumerate(scores):
            run = recorded_run(f"{letter}-{seed}", train={"seed": seed}, method=slow)
            evaluated(run, frechet=score, frechet_std=9.0)
            found.append(run)
    return found


@pytest.fixture
def settings() -> Config:
    """Settings of runs that take seconds, most of them to compile."""
    return cli.parse(["--config", NAME, *FLAGS.split()]).settings


@pytest.fixture
def space() -> Space:
    """A range by logarithm, integers and choices: 18 points of a grid."""
    return from_dict(RANGES)


@pytest.fixture
def plan(settings: Config, space: Space) -> Plan:
    """A search at random that prunes nothing."""
    return Plan(NAME, settings, space, "random", "none")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server, run as an ordinary user in a temporary folder, behind a socket there."""
    places = os.pathsep.join([os.environ["PATH"], *map(str, Path("/usr/lib/postgresql").glob("*/bin"))])
    initdb, server, ready = (shutil.which(name, path=places) for name in ("initdb", "postgres", "pg_isready"))
    if not (initdb and server and ready):
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # its user must get in, and a socket's path is short
    user = {"user": "nobody"} if os.getuid() == 0 else {}  # the server refuses root
    if user:
        shutil.chown(folder, **user)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder} | user
    subprocess.run([initdb, "-D", folder / "data", "-U", "lab", "-A", "trust", "--no-sync"], check=True, **quiet)
    options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
    process = subprocess.Popen([server, "-D", folder / "data", *options], **quiet)
    try:
        deadline = time.monotonic() + 60
        while subprocess.run([ready, "-h", folder], **quiet).returncode:
            assert process.poll() is None and time.monotonic() < deadline, "the server does not start"
            time.sleep(0.1)
        yield f"postgresql://lab@/postgres?host={folder}"
    finally:
        process.send_signal(signal.SIGINT)  # does not wait for who is connected
        process.wait()
        shutil.rmtree(folder)
