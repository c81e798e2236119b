"""The run folder: where everything about one run lies, and who may write to it."""

import fcntl
import json
import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from genlab.errors import Invalid, Stopped

PACKAGES = ("genlab", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run: `config.json`, `versions.json`, `metrics.jsonl`, `samples/`, `checkpoints/`, `wandb/`."""

    path: Path

    @staticmethod
    def create(path: str | Path) -> "RunFolder":
        """The folder at `path` for a trainer, made if absent.

        Raises:
          Invalid: `path` cannot be made or written to.
        """
        folder = RunFolder(Path(path))
        try:
            folder.samples.mkdir(parents=True, exist_ok=True)
            folder.checkpoints.mkdir(exist_ok=True)
            folder._lock.touch()
        except OSError as error:
            raise Invalid(f"run-dir: {path}; must be a folder that can be written to ({error.strerror})") from None
        return folder

    @staticmethod
    def open(path: str | Path) -> "RunFolder":
        """The folder of an existing run, for reading.

        Raises:
          Invalid: there is no run at `path`.
        """
        folder = RunFolder(Path(path))
        if not folder.is_run():
            raise Invalid(f"run-dir: {path}; must be the folder of a run (it has no {folder.config.name})")
        return folder

    config = property(lambda self: self.path / "config.json")
    versions = property(lambda self: self.path / "versions.json")
    metrics = property(lambda self: self.path / "metrics.jsonl")
    diagnosis = property(lambda self: self.path / "diagnosis.jsonl")
    samples = property(lambda self: self.path / "samples")
    checkpoints = property(lambda self: self.path / "checkpoints")
    wandb = property(lambda self: self.path / "wandb")
    _lock = property(lambda self: self.path / ".lock")

    def check(self) -> None:
        """That the folder is where it was, and the trainer's, which writes to it.

        Raises:
          Stopped: it, or what the trainer writes to, was deleted or moved; what is written would be lost, or lie apart
            from the run.
        """
        parts = (self.path, self.config, self.metrics, self.samples, self.checkpoints)
        gone = next((part for part in parts if not part.exists()), None)
        if gone is not None:
            raise Stopped(f"run-dir: {gone} was deleted or moved while the run was training in it")

    def is_run(self) -> bool:
        """Whether a run was started here."""
        return os.path.isfile(self.config)  # of a name that no file system can hold pathlib raises

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for one trainer. The kernel lets go of it when the process ends, however it ends.

        Raises:
          Invalid: another trainer holds it.
        """
        with self._lock.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = file.read() or "another process"
                raise Invalid(f"run-dir: {self.path}; must not be in use, {holder} is training in it") from None
            file.truncate(0)
            file.write(f"process {os.getpid()}")
            file.flush()
            yield


def write_json(path: Path, value: Any) -> None:
    """Write `value` so that a reader, or a kill, sees the old file or the new one, never half of it."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(value, indent=2) + "\n")
    part.replace(path)


def versions() -> dict[str, str]:
    """What the run was made with: Python, packages, device, and the git commit where the source is a checkout."""
    import jax

    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    found["device"] = f"{jax.device_count()} x {jax.devices()[0].device_kind} ({jax.default_backend()})"
    commit = git_commit(Path(__file__).parents[2])
    return found | ({"git": commit} if commit else {})


def git_commit(root: Path) -> str | None:
    """The commit checked out at `root`, with `-dirty` after it if files differ; None if `root` is no checkout.

    A checkout that merely contains `root`, such as a project around its virtual environment, is not the source's.
    """
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
