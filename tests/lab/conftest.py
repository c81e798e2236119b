"""A PostgreSQL server of the tests' own, and studies whose trials are told, not trained."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from genlab import cli
from genlab.config.sections import Config
from genlab.lab.plan import Plan
from genlab.lab.space import Space, from_dict

NAME = "wgan_gp_points"
FLAGS = """--method.generator.width 8 --method.critic.width 8 --data.batch-size 16 --track.every 5
    --track.samples-every 1000 --train.validate-every 5 --checkpoint.every 5 --train.steps 10 --parallel.devices 1"""
RANGES = {
    "method.critic-optimizer.learning-rate": {"low": 1e-4, "high": 1e-2, "log": True, "points": 3},
    "method.n_critic": {"low": 1, "high": 3},
    "method.critic.activation": {"choices": ["relu", "leaky_relu"]},
}


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
