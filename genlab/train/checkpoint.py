"""Checkpoints by Orbax: asynchronous, atomic, the newest few, the best and snapshots kept. It alone knows Orbax."""

import contextlib
import functools
import json
import logging
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from jaxtyping import PyTree
from orbax.checkpoint import v1 as ocp

from genlab.config.sections import Config
from genlab.errors import Invalid, Stopped
from genlab.train import record
from genlab.train.snapshots import Snapshots

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Kept:
    """Orbax's policy that keeps the checkpoints of these steps."""

    steps: Snapshots

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        return [checkpoint.step in self.steps for checkpoint in checkpoints]


class Checkpoints(contextlib.AbstractContextManager["Checkpoints"]):
    """The checkpoints of the run that is configured so, by step: to write, keeping the best, the newest `keep` and all
    snapshots, or only to read. Each is read as it was written, or not at all: see `record`.

    Raises:
        Invalid: a checkpoint's own records are damaged; `set_aside_damaged` moves such ones away.
        Stopped: from whatever writes, when it cannot, as on a full disk.
    """

    def __init__(self, folder: Path, config: Config, keep: int | None = None):
        policies = ocp.training.preservation_policies
        best = policies.BestN(  # the lowest validation metric; a checkpoint saved in haste has none and is not the best
            get_metric_fn=lambda metrics: metrics["monitor"], reverse=True, n=1, keep_checkpoints_without_metrics=False
        )
        self._folder = folder.resolve()
        self._config = config
        _silence_abandoned()
        self._saving: Any = None  # the response of the last save, which holds a thread until it is asked
        try:
            self._checkpointer = ocp.training.Checkpointer(
                self._folder,
                preservation_policy=policies.AnyPreservationPolicy(
                    [policies.LatestN(keep), best, _Kept(Snapshots.of(config))]
                ),
                cleanup_tmp_directories=keep is not None,  # what lies unfinished may be a trainer's at work
            )
        except ValueError as error:
            raise Invalid(f"checkpoints: {folder} holds a damaged one ({error}); train on to set it aside") from None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with (
            contextlib.suppress(Exception) if kind else self._stop_on_failure()
        ):  # it would repeat what stopped the run
            try:
                self._wait_for_save()
            finally:
                self._checkpointer.close()

    @property
    def steps(self) -> list[int]:
        """Steps with a complete checkpoint, oldest first."""
        return sorted(checkpoint.step for checkpoint in self._checkpointer.checkpoints)

    @property
    def monitors(self) -> dict[int, float]:
        """The validation metric of each step that was saved with one, lowest and so best first."""
        found = {c.step: c.metrics["monitor"] for c in self._checkpointer.checkpoints if c.metrics}
        return dict(sorted(found.items(), key=lambda entry: entry[1]))

    def save(self, step: int, state: PyTree, monitor: float | None = None) -> None:
        """Start saving `state`; what it holds now is saved, whatever happens to its memory afterwards.

        `monitor` is the validation metric, lower is better, by which the best checkpoint is kept.
        """
        metrics = None if monitor is None else {"monitor": monitor}
        with self._stop_on_failure():
            self._wait_for_save()
            self._saving = self._checkpointer.save_checkpointables_async(
                step,
                {"state": state},
                metrics=metrics,
                force=True,
                custom_metadata=record.create(step, self._config, state),
            )

    def wait(self) -> None:
        """Until everything is on disk."""
        with self._stop_on_failure():
            self._wait_for_save()
            self._checkpointer.wait()

    def _wait_for_save(self) -> None:
        """Wait for the save under way, if there is one; each that is never asked for its result leaks a thread."""
        saving, self._saving = self._saving, None
        if saving:
            saving.result()

    @contextlib.contextmanager
    def _stop_on_failure(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a full disk comes as whatever its writer raises, at this save or at the next
            last = f"the last is of step {self.steps[-1]}" if self.steps else "there is none yet"
            raise Stopped(f"a checkpoint could not be written, {last} ({_first_line(error)})") from error

    def load(self, step: int, abstract: PyTree) -> PyTree:
        """The state saved at `step`, in the structure, types and placement of `abstract`.

        Raises:
            Invalid: it cannot be read, or is not what was written at this step of this run.
        """
        try:
            loaded = self._checkpointer.load_checkpointables(step, {"state": abstract})
            state = jax.block_until_ready(loaded["state"])
            written = self._checkpointer.checkpointables_metadata(step).custom_metadata
            arrays = record.named_arrays(state)
            record.check_finite(arrays)
            if written:
                record.verify(written, step, self._config, arrays)
            else:  # an older genlab wrote none
                logger.warning("checkpoints: that of step %s has no record of its arrays to verify them by", step)
            return state
        except Exception as error:  # whatever a damaged file makes its reader raise
            warnings.filterwarnings("ignore", r"coroutine '_read\w+' was never awaited", RuntimeWarning)
            raise Invalid(
                f"checkpoints: that of step {step} cannot be read ({_first_line(_root_cause(error))})"
            ) from error

    def latest(self, abstract: PyTree) -> tuple[int, PyTree] | None:
        """The newest checkpoint that can be read, with its step; damaged ones are set aside and passed over.

        Raises:
            Invalid: there are checkpoints, but none can be read: more likely the wrong reader than damage.
        """
        damaged: dict[int, Invalid] = {}
        for step in reversed(self.steps):
            try:
                state = self.load(step, abstract)
            except Invalid as error:
                damaged[step] = error
                continue
            for other, reason in damaged.items():
                place = _set_aside(self._folder / str(other))
                logger.warning("%s; it is set aside as %s", reason, place.name)
            if damaged:
                self._checkpointer.reload()
                logger.warning("checkpoints: the run goes on from step %s", step)
            return step, state
        if damaged:
            first = next(iter(damaged.values()))
            raise Invalid(f"{first}; nor can any other of {sorted(damaged)} in {self._folder}: use another --run-dir")
        return None


def set_aside_damaged(folder: Path) -> None:
    """Set aside the checkpoints whose own records are cut short; Orbax refuses a whole folder for one of them."""
    for step in (path for path in folder.glob("[0-9]*") if path.name.isdigit() and path.is_dir()):
        records = [step / "_CHECKPOINT_METADATA", step / "metrics" / "metrics"]
        try:
            for record in (path for path in records if path.exists()):
                json.loads(record.read_text())
        except ValueError as error:
            logger.warning("checkpoints: that of step %s is damaged (%s)", step.name, error)
            _set_aside(step)


def _set_aside(step: Path) -> Path:
    return step.rename(step.with_name(f"damaged-{step.name}-{time.time_ns()}"))


@functools.cache  # once in a process
def _silence_abandoned() -> None:
    """If a read or a write fails, say nothing of what becomes of the others, for which Orbax no longer waits.

    They end whenever they do, also in threads of Orbax's own, and would each print a traceback.
    """
    before = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        where = getattr(getattr(unraisable.object, "cr_code", None), "co_filename", "")
        if "Event loop is closed" not in str(unraisable.exc_value) and "orbax" not in where:
            before(unraisable)

    sys.unraisablehook = hook


def _root_cause(error: BaseException) -> BaseException:
    """What was raised first."""
    cause = error.__cause__ or error.__context__
    return _root_cause(cause) if cause else error


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:400] or type(error).__name__


def abstract(state: PyTree, sharding: jax.sharding.Sharding) -> PyTree:
    """Shapes, types and placement of a state, for loading one like it."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), state)
