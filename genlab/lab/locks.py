"""Locks that a worker holds while it lives, however it ends: the kernel's of files, or a PostgreSQL server's."""

import abc
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from genlab.errors import Stopped

if TYPE_CHECKING:
    from sqlalchemy import Engine


class Locks(abc.ABC):
    """Named locks, each held by one worker at a time, and by that once."""

    @abc.abstractmethod
    def acquire(self, name: str, wait: bool = False) -> bool:
        """Take a lock if nobody else has it, or when nobody else has it any more; whether it is taken."""

    @abc.abstractmethod
    def release(self, name: str) -> None:
        """Let go of a lock."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of all."""

    @abc.abstractmethod
    def check(self) -> None:
        """That what was taken is still held.

        Raises:
            Stopped: it was lost.
        """

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Wait for a lock, and hold it."""
        self.acquire(name, wait=True)
        try:
            yield
        finally:
            self.release(name)


class FileLocks(Locks):
    """One file for each name in a folder. Several machines need a file system on which flock holds among them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._held: dict[str, IO[str]] = {}

    def acquire(self, name: str, wait: bool = False) -> bool:
        file = (self._folder / name).open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            file.close()
            return False
        self._held[name] = file
        return True

    def release(self, name: str) -> None:
        self._held.pop(name).close()

    def close(self) -> None:
        for name in list(self._held):
            self.release(name)

    def check(self) -> None:
        """A kernel's locks are not lost."""


class ServerLocks(Locks):
    """PostgreSQL's advisory locks of one session, which the server lets go of when the session ends.

    It ends with the process, and about a minute after its machine is gone: see `study.DEAD`.
    """

    def __init__(self, engine: "Engine", scope: str) -> None:
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._scope = scope
        self._held: set[str] = set()

    def acquire(self, name: str, wait: bool = False) -> bool:
        function = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
        if name in self._held or self._call(function, name) is False:  # the server gives a session what it has again
            return False
        self._held.add(name)
        return True

    def release(self, name: str) -> None:
        self._held.remove(name)
        self._call("pg_advisory_unlock", name)

    def close(self) -> None:
        self._connection.close()

    def check(self) -> None:
        from sqlalchemy import text
        from sqlalchemy.exc import SQLAlchemyError

        try:
            self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            raise Stopped(
                "storage: the server has ended the session that held the trial; the same command continues"
            ) from None

    def _call(self, function: str, name: str) -> object:
        from sqlalchemy import text

        digest = hashlib.sha256(f"genlab {self._scope} {name}".encode()).digest()
        key = int.from_bytes(digest[:8], "big", signed=True)
        return self._connection.execute(text(f"SELECT {function}({key})")).scalar()


class JournalLock:
    """What Optuna takes to write a journal: a lock, under which a line that a kill cut short is cut off."""

    def __init__(self, locks: Locks, journal: Path) -> None:
        self._locks, self._journal = locks, journal

    def acquire(self) -> bool:
        """Wait for the journal."""
        self._locks.acquire("journal", wait=True)
        with self._journal.open("r+b") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":
                    file.truncate(self._journal.read_bytes().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        """Let go of it."""
        self._locks.release("journal")
