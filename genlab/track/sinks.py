"""Where metrics and images go: a JSONL file and PNG files always, Weights & Biases as a copy."""

import contextlib
import json
import logging
import os
import secrets
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from genlab.kernels.penalty import EDGES
from genlab.track.config import Mode
from genlab.track.folder import RunFolder
from genlab.track.grids import Pixels, picture
from genlab.track.rows import keep_rows

Value = float | Sequence[float]  # a number, or shares of slopes between kernels.penalty.EDGES

INIT_SECONDS = 15.0  # for W&B to answer before the run goes on offline
FINISH_SECONDS = 30.0  # for the last uploads
TEARDOWN_SECONDS = 2.0  # beyond that, for its service to answer at all

log = logging.getLogger(__name__)


@runtime_checkable
class Sink(Protocol):
    """Something that takes the record of a run."""

    def scalars(self, step: int, values: Mapping[str, Value]) -> None:
        """Take the metrics of iteration `step`."""

    def image(self, step: int, name: str, pixels: Pixels) -> None:
        """Take a picture made at iteration `step`."""

    def close(self) -> None:
        """Finish writing."""


class Tracker:
    """Hands everything to each of its sinks, in order."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self.sinks = tuple(sinks)

    def scalars(self, step: int, values: Mapping[str, Value]) -> None:
        for sink in self.sinks:
            sink.scalars(step, values)

    def image(self, step: int, name: str, pixels: Pixels) -> None:
        for sink in self.sinks:
            sink.image(step, name, pixels)

    def close(self) -> None:
        for sink in self.sinks:
            sink.close()


class Jsonl:
    """One JSON object a line, `{"step": 12, "critic/loss": -0.5}`; a value that is not finite is written as null."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab")

    def scalars(self, step: int, values: Mapping[str, Value]) -> None:
        finite = {name: value if np.isfinite(value).all() else None for name, value in values.items()}
        self._file.write(json.dumps({"step": step} | finite).encode() + b"\n")
        self._file.flush()

    def image(self, step: int, name: str, pixels: Pixels) -> None:
        pass

    def truncate(self, step: int, keep: Callable[[Mapping[str, Any]], bool] = lambda row: True) -> None:
        """Forget rows after `step`, those that do not belong, and a line cut short by a kill; other bytes stay.

        A run restored at `step` writes those rows again, so its file ends up the one of a run that never stopped.
        """
        self.close()
        keep_rows(self.path, lambda row: row["step"] <= step and keep(row))
        self._file = self.path.open("ab")

    def close(self) -> None:
        self._file.close()


class Pngs:
    """`samples` as `step_00000500.png`, any other name before it: `reconstruction_step_00000500.png`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def scalars(self, step: int, values: Mapping[str, Value]) -> None:
        pass

    def image(self, step: int, name: str, pixels: Pixels) -> None:
        prefix = "" if name == "samples" else f"{name}_"
        picture(pixels).save(self.folder / f"{prefix}step_{step:08d}.png")

    def close(self) -> None:
        pass


class Wandb:
    """The same names, steps, pictures and configuration in Weights & Biases; silent, and never a reason to stop.

    `auto` is online when an API key is configured and offline otherwise (`WANDB_MODE`, if set, decides). What cannot
    go online goes offline, with one line to say so. Every start of a run folder continues one W&B run, under the id in
    `wandb/run-id`; an offline start leaves a part in `wandb/offline-run-*`, and `wandb sync RUN_DIR/wandb` uploads the
    parts in order, each after the last (`--include-online` adds what an online part could not deliver). W&B writes a
    part now and then (0.31: every 15 s), so one that SIGKILL cuts short lacks its last rows; `metrics.jsonl` has them.

    Its service, a process of its own, may be killed or hang at any time: what is asked of it is waited for within
    limits, and a run that fails once is left behind.

    The x axis is the metric `step`: W&B's own counter drops rows that go back, as those after a restored checkpoint do.
    """

    def __init__(
        self,
        folder: RunFolder,
        mode: Mode,
        project: str,
        name: str,
        config: Mapping[str, Any],
        group: str | None = None,
    ) -> None:
        self._run: Any = None
        if mode == "disabled":
            return
        init = {"project": project, "name": name, "group": group, "config": dict(config), "dir": str(folder.path)}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._run = _start(mode, init | {"id": _run_id(folder), "resume": "allow"})
        except Exception as error:
            _warn("records nothing", error)

    def scalars(self, step: int, values: Mapping[str, Value]) -> None:
        def send(run: Any) -> None:
            import wandb

            logged = {
                name: wandb.Histogram(np_histogram=(np.asarray(value), EDGES)) if isinstance(value, Sequence) else value
                for name, value in values.items()
            }
            run.log({"step": step} | logged)

        self._try(send)

    def image(self, step: int, name: str, pixels: Pixels) -> None:
        def send(run: Any) -> None:
            import wandb

            run.log({"step": step, name: wandb.Image(pixels)})

        self._try(send)

    def close(self) -> None:
        failed = sys.exc_info()[0] is not None  # closed on the way out of an error: W&B shows the run as failed
        self._try(lambda run: run.finish(exit_code=int(failed)))
        self._run = None

    def _try(self, action: Callable[[Any], object]) -> None:
        """Do something with the W&B run; if that fails or takes too long, training goes on without it."""
        if self._run is not None:
            try:
                _with_timeout(FINISH_SECONDS + TEARDOWN_SECONDS, lambda: action(self._run))
            except Exception as error:
                _warn("stopped recording", error)
                self._run = None
                _tear_down()


def _with_timeout(seconds: float, action: Callable[[], object]) -> None:
    """Do something that W&B may never answer: then only a daemon thread waits on. Raises what it raises.

    Raises:
        TimeoutError: it took longer.
    """
    raised: list[BaseException] = []

    def attempt() -> None:
        try:
            action()
        except BaseException as error:  # W&B's teardown may exit
            raised.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"no answer within {seconds:.0f} s")
    for error in raised:
        raise error


def _tear_down() -> None:
    """Take leave of W&B's service, for which W&B would else wait as Python exits, for ever or to print a traceback.

    One that does not answer is killed, as it would outlive this process. A run of the caller's own keeps it.
    """
    import wandb

    if wandb.run is None:
        try:
            _with_timeout(TEARDOWN_SECONDS, wandb.teardown)
        except TimeoutError:
            for service in _services():
                os.kill(service, signal.SIGKILL)
        except (Exception, SystemExit):
            pass


def _services() -> list[int]:
    """W&B's services among the children of this process, as Linux tells; W&B names them to nobody."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            name, _, rest = stat.read_text().rpartition(")")
            if name.endswith("(wandb-core") and int(rest.split()[1]) == os.getpid():
                found.append(int(stat.parent.name))
    return found


def _start(mode: str, init: dict[str, Any]) -> Any:
    """A W&B run, online if that is asked for and possible."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # else its own telemetry prints, and holds up the exit
    import wandb

    settings_mode = wandb.setup(wandb.Settings(silent=True)).settings.mode
    if mode == "auto" and settings_mode in ("offline", "dryrun", "disabled"):
        mode = settings_mode
    if mode in ("auto", "online"):
        try:
            if _has_api_key():
                return _open("online", init)
            if mode == "online":
                raise LookupError("no API key; `wandb login` stores one")
        except Exception as error:
            _warn("records offline", error)
            wandb.teardown()  # its service would keep the id of the run that did not start
            wandb.setup(wandb.Settings(silent=True))
        mode = "offline"
    return _open(mode, init)


def _has_api_key() -> bool:
    """Whether W&B has an API key for this process; nobody is asked, neither the user nor the service."""
    import wandb

    if wandb.run is not None:  # a run of the caller's own: W&B logs in before it, not beside it
        return wandb.run.settings.mode == "online"
    settings_mode = wandb.setup().settings.mode
    wandb.setup(wandb.Settings(mode="online"))  # while it is offline by WANDB_MODE, W&B looks for no key
    try:
        return wandb.login(prompt=False, verify=False)
    finally:
        wandb.setup(wandb.Settings(mode=settings_mode))


def _open(mode: Any, init: dict[str, Any]) -> Any:
    import wandb

    settings = wandb.Settings(
        silent=True,
        console="off",  # the terminal is not captured
        disable_git=True,
        disable_code=True,
        save_code=False,
        label_disable=True,  # or it searches the main module for labels
        reinit="create_new",  # a run of the caller's own stays its own
        init_timeout=INIT_SECONDS,
        finish_timeout=FINISH_SECONDS,
        finish_timeout_raises=True,
    )
    run = wandb.init(mode=mode, settings=settings, **init)
    run.define_metric("step")
    run.define_metric("*", step_metric="step")
    return run


def _warn(what: str, why: object) -> None:
    """One line, however many the reason has."""
    log.warning("Weights & Biases %s: %s", what, (str(why).splitlines() or [type(why).__name__])[0])


def _run_id(folder: RunFolder) -> str:
    """The id of the folder's W&B run, drawn at the first start."""
    path = folder.wandb / "run-id"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(secrets.token_hex(8))
    return path.read_text()
