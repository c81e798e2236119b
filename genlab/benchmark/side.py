"""One side of a comparison: what it can run, timed in a process of its own, so that memory and threads are its own."""

import abc
import multiprocessing
import resource
import time
from collections.abc import Callable
from typing import Any, Literal

Task = Literal["update", "looped", "iteration"]
MATRIX = 2048  # side of the matrices whose product sets the scale, on a CPU
SECONDS = 0.3  # a measurement repeats its task until it takes about so long


class Side(abc.ABC):
    """A library that trains a workload."""

    compile_seconds: float  # to compile the whole iteration; 0 where nothing is compiled
    flop: float  # of one update, counted from the program

    @abc.abstractmethod
    def tasks(self) -> dict[Task, Callable[[int], None]]:
        """What it can run: each function does it so many times and waits for the last.

        "update" is one update of the first player, by itself; "looped" the same within whatever loop the library trains
        in; "iteration" the whole iteration, every player's plays.
        """

    @abc.abstractmethod
    def matmul(self, size: int, compute: str) -> Callable[[int], None]:
        """The product of two square matrices, so many times."""

    @abc.abstractmethod
    def device_memory(self) -> int | None:
        """The most bytes that were in use on the accelerator; None on a CPU."""

    @abc.abstractmethod
    def device(self) -> str:
        """The device's name."""


class Worker:
    """A side in its own process. It idles unless asked, so that two workers can be measured in turn."""

    def __init__(self, make: Callable[[], Side], compute: str):
        context = multiprocessing.get_context("spawn")
        self._pipe, worker_pipe = context.Pipe()
        self._process = context.Process(target=_serve, args=(worker_pipe, make, compute), daemon=True)
        self._process.start()
        self.tasks: list[str] = self._receive()

    def seconds(self, task: str) -> float:
        """The time of one run of a task, the mean of as many as take about `SECONDS`."""
        return self._request("seconds", task)

    def facts(self) -> dict[str, Any]:
        """Compile time, FLOP, peak memory and the device."""
        return self._request("facts", None)

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(10)
        self._process.kill()

    def _request(self, what: str, task: str | None) -> Any:
        self._pipe.send((what, task))
        return self._receive()

    def _receive(self) -> Any:
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


def _serve(pipe: Any, make: Callable[[], Side], compute: str) -> None:
    try:
        side = make()
        matrix = MATRIX if side.device_memory() is None else 4 * MATRIX
        before = _peak()
        tasks: dict[str, Callable[[int], None]] = {"matmul": side.matmul(matrix, compute)}
        tasks |= {str(name): task for name, task in side.tasks().items()}
        times = {name: _calibrate(task) for name, task in tasks.items()}
        pipe.send(list(tasks))
        while True:
            what, task = pipe.recv()
            if what == "seconds":
                pipe.send(_time(tasks[task], times[task]))
            else:
                memory = side.device_memory() or _peak() - before
                pipe.send(
                    {
                        "compile_seconds": side.compile_seconds,
                        "flop": side.flop,
                        "memory_bytes": memory,
                        "device": side.device(),
                        "matrix": matrix,
                    }
                )
    except EOFError:
        pass
    except Exception as error:
        pipe.send(RuntimeError(f"{type(error).__name__}: {error}"))


def _calibrate(task: Callable[[int], None]) -> int:
    """How many runs take about `SECONDS`; the first run compiles and warms up."""
    task(1)
    return max(1, round(SECONDS / _time(task, 1)))


def _time(task: Callable[[int], None], times: int) -> float:
    started = time.perf_counter()
    task(times)
    return (time.perf_counter() - started) / times


def _peak() -> int:
    """The most memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
