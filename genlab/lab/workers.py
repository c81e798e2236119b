"""Workers of a search as processes of this machine, or as jobs of a SLURM cluster: each runs the same command."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from genlab.errors import Invalid, Stopped
from genlab.train.interrupt import Interrupt

POLL_SECONDS = 0.5


def start_here(command: Sequence[str], n: int, logs: Path, progress: Callable[[], None]) -> int:
    """Run a command `n` times at once, and wait for all; `logs/1.log`, ... take what each prints to stderr.

    Returns how many of them failed, or were killed; a line is printed for each.

    Ctrl-C and SIGTERM are handed to each once, so that it saves what it is at. Of the devices that
    CUDA_VISIBLE_DEVICES lists, if it does, each is given its own, in turn. `progress` is called while they run.

    Raises:
        Invalid: the first complaint of a worker that refused to start.
        Stopped: a signal ended them.
    """
    logs.mkdir(parents=True, exist_ok=True)
    files = [(logs / f"{i + 1}.log").open("w") for i in range(n)]
    workers = [_start(command, i, file) for i, file in enumerate(files)]
    with Interrupt() as interrupt:
        while any(worker.poll() is None for worker in workers) and not interrupt.requested:
            progress()
            time.sleep(POLL_SECONDS)
        if interrupt.requested:
            for worker in workers:
                worker.terminate()
        for worker in workers:
            worker.wait()
    progress()
    for file in files:
        file.close()
    if interrupt.requested:
        raise Stopped(f"by {interrupt.requested}; the same command continues")
    for i, worker in enumerate(workers):
        said = _last_line(logs / f"{i + 1}.log")
        if worker.returncode == 2:
            raise Invalid(said.removeprefix("error: "))
        if worker.returncode:
            print(f"worker {i + 1} ended with code {worker.returncode}: {said}", file=sys.stderr)
    return sum(worker.returncode != 0 for worker in workers)


def _start(command: Sequence[str], index: int, log: IO[str]) -> "subprocess.Popen[str]":
    devices = [device for device in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if device]
    own = {"CUDA_VISIBLE_DEVICES": devices[index % len(devices)]} if devices else {}
    # in a session of its own: a Ctrl-C in the terminal would reach it beside ours, and a second one ends it at once
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=log, env=os.environ | own, start_new_session=True, text=True
    )


def _last_line(log: Path) -> str:
    return (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]


def submit(command: Sequence[str], n: int, folder: Path, options: Sequence[str], cluster: str = "slurm") -> list[Any]:
    """Submit a command as `n` jobs, by submitit, which writes what they print to `folder`; the jobs.

    Args:
        options: of sbatch, as `partition=gpu` or `time=120` (minutes).
        cluster: submitit's name of it; `local` runs them here.

    Raises:
        Invalid: an option without a value, no submitit, or no SLURM.
    """
    try:
        import submitit
    except ImportError:
        raise Invalid("launcher: 'slurm' needs submitit; pip install -e \".[slurm]\"") from None
    parameters = dict(option.partition("=")[::2] for option in options)
    wrong = next((name for name, value in parameters.items() if not name or not value), None)
    if wrong is not None:
        raise Invalid(f"slurm: {wrong!r} is not an option of sbatch and its value, as partition=gpu")
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
        executor.update_parameters(name="genlab-search", slurm_additional_parameters=parameters)
        with executor.batch():
            return [executor.submit(subprocess.run, list(command), check=True) for _ in range(n)]
    except (RuntimeError, OSError, submitit.core.utils.FailedSubmissionError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise Invalid(f"launcher: 'slurm' takes no jobs here ({reason}); 'here' is allowed") from None
