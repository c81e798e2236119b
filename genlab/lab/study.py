"""A study: what a search has tried so far, in a storage that any number of workers share."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import optuna
import sqlalchemy
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from genlab.config.plain import first_difference, flatten
from genlab.errors import Invalid, Stopped
from genlab.lab.locks import FileLocks, JournalLock, Locks, ServerLocks
from genlab.lab.plan import Plan

CONNECT_SECONDS = 5  # for a server to answer
# a server that hears nothing of a machine asks after it, and after a minute ends its sessions
DEAD = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
KILLS = 3  # workers that a trial may cost before it counts as failed
# what may differ between the commands of one study: where and how things are computed and written
MAY_CHANGE = ("settings.track.", "settings.parallel.", "settings.data.dir", "settings.data.resident_mb")

optuna.logging.set_verbosity(optuna.logging.ERROR)  # what fails is told by us, in a line


class Store(NamedTuple):
    """Where studies lie, and the locks that go with it."""

    storage: BaseStorage
    locks: Locks


def open_store(url: str | None, folder: Path) -> Store:
    """The storage of that URL, or the journal in a study's folder.

    Raises:
        Invalid: it is none that there is, or does not answer.
    """
    if url is None:
        return _open_journal(folder / "study.journal")
    shown = shown_url(url)
    try:
        parsed = sqlalchemy.make_url(url)
        kind, file = parsed.get_backend_name(), parsed.database
        if kind == "sqlite" and file:
            locks: Locks = FileLocks(Path(f"{file}.locks"))
            options: dict[str, Any] = {"connect_args": {"timeout": 60}, "poolclass": NullPool}
        elif kind == "postgresql":
            if parsed.drivername == kind:
                parsed = parsed.set(drivername="postgresql+psycopg")
            options = {"connect_args": {"connect_timeout": CONNECT_SECONDS, "options": DEAD}, "poolclass": NullPool}
            locks = ServerLocks(sqlalchemy.create_engine(parsed, **options), str(file))
        else:
            raise Invalid(f"storage: {shown!r} is not sqlite:///FILE or postgresql://USER@HOST/DATABASE")
        with locks.hold("tables"):
            return Store(RDBStorage(parsed.render_as_string(hide_password=False), options), locks)
    except (SQLAlchemyError, OSError, ImportError, RuntimeError) as error:
        raise Invalid(f"storage: {shown!r} does not answer ({_reason(error)})") from None


def _open_journal(path: Path) -> Store:
    try:
        locks = FileLocks(path.with_name(f"{path.name}.locks"))
        backend = JournalFileBackend(str(path), lock_obj=JournalLock(locks, path))  # type: ignore[arg-type]
        return Store(JournalStorage(backend), locks)
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise Invalid(f"storage: {path} cannot be read or written ({_reason(error)})") from None


def shown_url(url: str) -> str:
    """A storage's URL without its password."""
    try:
        return sqlalchemy.make_url(url).render_as_string()
    except SQLAlchemyError:
        return url


def _reason(error: BaseException) -> str:
    first = str(getattr(error, "orig", None) or getattr(error, "strerror", None) or error).strip().split("\n")[0]
    return first or type(error).__name__


def exists(url: str | None, folder: Path) -> bool:
    """Whether there may be a study: nothing is made by looking into a storage where there is."""
    if url is None:
        return (folder / "study.journal").is_file()
    try:
        parsed = sqlalchemy.make_url(url)
    except SQLAlchemyError:
        return True  # and opening it says what is wrong
    return parsed.get_backend_name() != "sqlite" or Path(parsed.database or "").is_file()


def find(url: str | None, folder: Path) -> "optuna.Study | None":
    """The study that is named as its folder, if there is one; nothing is made.

    Raises:
        Invalid: the storage does not answer.
    """
    if not exists(url, folder):
        return None
    store = open_store(url, folder)
    store.locks.close()
    with contextlib.suppress(KeyError):
        return optuna.load_study(study_name=folder.resolve().name, storage=store.storage)
    return None


def outcome(trial: FrozenTrial) -> str:
    """What came of a trial, in a few words."""
    if trial.state == TrialState.COMPLETE:
        assert trial.value is not None
        return f"{trial.value:.4g}" if math.isfinite(trial.value) else "diverged"
    if trial.state == TrialState.PRUNED:
        return f"pruned at step {trial.last_step}"
    return f"failed: {trial.user_attrs.get('error')}" if trial.state == TrialState.FAIL else "under way"


class Study(contextlib.AbstractContextManager["Study"]):
    """A study that one worker takes part in, until it is closed.

    Its trials are numbered from 0. Each is run by the worker that holds its lock; one that is under way while nobody
    holds its lock has lost its worker, and is taken up again.

    Raises:
        Invalid: the storage does not answer, or holds a study of that name with another plan.
    """

    def __init__(self, plan: Plan, url: str | None, folder: Path, narrowed: str = "") -> None:
        self.plan, self.folder, self.name = plan, folder, folder.resolve().name
        self._store = open_store(url, folder)
        self._shown = shown_url(url) if url else str(folder)
        try:
            self.record = self._begin(narrowed)
        except BaseException:
            self._store.locks.close()
            raise

    def _begin(self, narrowed: str) -> optuna.Study:
        """The study, with this plan if it is new."""
        with self.answering(), self._store.locks.hold(f"{self.name}-ask"):
            record = optuna.create_study(
                storage=self._store.storage, study_name=self.name, load_if_exists=True, pruner=self.plan.make_pruner()
            )
            before = record.user_attrs.get("plan")
            if before is not None or record.get_trials(deepcopy=False):
                self._check_same(before or {})
            else:
                record.set_user_attr("narrowed", narrowed)
                record.set_user_attr("plan", self.plan.to_dict())
            return record

    def __exit__(self, *_: object) -> None:
        self._store.locks.close()

    def _check_same(self, before: dict[str, Any]) -> None:
        other = first_difference(flatten(before), flatten(self.plan.to_dict()), MAY_CHANGE)
        if other:
            other = other.removeprefix("settings.")
            raise Invalid(f"run_dir: it holds a study with {other}; give the same to continue it, or another --run-dir")

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Raise `Stopped` when the storage does not answer any more."""
        try:
            yield
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            reason = _reason(error.__cause__ or error)
            raise Stopped(
                f"storage: {self._shown} does not answer any more ({reason}); the same command continues"
            ) from None

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """The trials in these states, by default all, by number."""
        with self.answering():
            return self.record.get_trials(deepcopy=False, states=states or None)

    def claim(self, wanted: int) -> FrozenTrial | None:
        """A trial for this worker alone: one that has lost its worker, or a new one while there are fewer than wanted.

        Of two workers that ask, one waits: so no trial is begun twice, and there are never too many.
        """
        with self.answering(), self._store.locks.hold(f"{self.name}-ask"):
            for trial in self.trials(TrialState.RUNNING):
                if self._store.locks.acquire(self._lock(trial)):
                    found = self._take_up(trial)
                    if found is not None:
                        return found
            number = len(self.trials())
            if number >= self.plan.trials(wanted):
                return None
            trial = self._draw(number)
            self._store.locks.acquire(self._lock(trial))
            return trial

    def _take_up(self, trial: FrozenTrial) -> FrozenTrial | None:
        """A trial whose lock was free, unless it has ended meanwhile or cost too many workers."""
        trial = self._store.storage.get_trial(trial._trial_id)
        killed = trial.user_attrs.get("killed", 0)
        if trial.state != TrialState.RUNNING:
            self._store.locks.release(self._lock(trial))
        elif killed >= KILLS:
            self.fail(trial, f"{killed} workers were killed in it")
            self.release(trial)
        else:
            return self._draw(trial.number, trial._trial_id)
        return None

    def _draw(self, number: int, trial_id: int | None = None) -> FrozenTrial:
        """A new trial, or the same one, with all settings drawn: a worker may have been killed while it drew them."""
        study = optuna.load_study(
            study_name=self.name,
            storage=self._store.storage,
            sampler=self.plan.make_sampler(number),
            pruner=self.record.pruner,
        )
        trial = study.ask() if trial_id is None else optuna.Trial(study, trial_id)
        for setting, dimension in self.plan.space.items():
            dimension.suggest(trial, setting)
        trial.set_user_attr("killed", trial.user_attrs.get("killed", 0) + 1)  # until it is released
        return self._store.storage.get_trial(trial._trial_id)

    def _lock(self, trial: FrozenTrial) -> str:
        return f"{self.name}-{trial.number}"

    def release(self, trial: FrozenTrial) -> None:
        """Let go of a trial, ended or not."""
        with self.answering():
            killed = trial.user_attrs["killed"] - 1  # its worker lives
            if self._store.storage.get_trial(trial._trial_id).state == TrialState.RUNNING:
                self._store.storage.set_trial_user_attr(trial._trial_id, "killed", killed)
            self._store.locks.release(self._lock(trial))

    def report(self, trial: FrozenTrial, step: int, value: float) -> bool:
        """Record what its first run scores at iteration `step`; whether the trial is to end there.

        What is compared is the lowest score so far, which is that of the best checkpoint.
        """
        storage = self._store.storage
        with self.answering():
            self._store.locks.check()
            earlier = storage.get_trial(trial._trial_id).intermediate_values
            lowest = min([value, *(value for other, value in earlier.items() if other < step)])
            storage.set_trial_intermediate_value(trial._trial_id, step, lowest)
            return bool(self.record.pruner.prune(self.record, storage.get_trial(trial._trial_id)))

    def complete(self, trial: FrozenTrial, scores: list[float]) -> None:
        """End a trial with the score of each of its runs; infinity stands for one that diverged."""
        with self.answering():
            self._store.storage.set_trial_user_attr(trial._trial_id, "scores", scores)
            self.record.tell(trial.number, math.fsum(scores) / len(scores))

    def prune(self, trial: FrozenTrial) -> None:
        """End a trial that is not worth going on with."""
        with self.answering():
            self.record.tell(trial.number, state=TrialState.PRUNED)

    def fail(self, trial: FrozenTrial, reason: str) -> None:
        """End a trial that could not be run."""
        with self.answering():
            self._store.storage.set_trial_user_attr(trial._trial_id, "error", reason)
            self.record.tell(trial.number, state=TrialState.FAIL)
