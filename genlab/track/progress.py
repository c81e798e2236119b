"""What is shown while training: a bar on a terminal, plain lines anywhere else."""

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from tqdm import tqdm

WINDOW_SECONDS = 10.0  # speeds are those of this long


class Progress:
    """The step, recent speeds, time left and the latest of the metrics that matter.

    Args:
      total: the last iteration.
      initial: the iteration it starts from, above 0 for a resumed run.
      images_per_step: real examples consumed per iteration.
      headline: names of the metrics to show.
      stream: a text stream, stderr by default.
      clock: seconds, monotonic.
    """

    def __init__(
        self,
        total: int,
        initial: int,
        images_per_step: int,
        headline: tuple[str, ...],
        stream: Any = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total, self.step = total, initial
        self.images_per_step, self.headline = images_per_step, headline
        self._stream, self._clock = stream or sys.stderr, clock
        self._started = self._drawn = clock()
        self._marks: deque[tuple[float, int]] = deque()
        self._values: dict[str, float] = {}
        self._bar = None
        if self._stream.isatty():
            layout = "{n_fmt}/{total_fmt} |{bar}| {desc}"
            self._bar = tqdm(total=total, initial=initial, file=self._stream, dynamic_ncols=True, bar_format=layout)
        self._interval = 5.0 if self._bar is None else 0.2
        self._draw("starting")

    def update(self, step: int, metrics: Mapping[str, float] | None = None) -> None:
        """Iteration `step` is done (or sent to the device); `metrics` if there are new ones."""
        now = self._clock()
        self.step = step
        self._values |= {name: metrics[name] for name in self.headline if name in metrics} if metrics else {}
        self._marks.append((now, step))
        while len(self._marks) > 2 and now - self._marks[1][0] >= WINDOW_SECONDS:
            self._marks.popleft()
        if now - self._drawn >= self._interval and step < self.total:  # `close` shows the last one
            self._drawn = now
            self._draw(self._status())

    def message(self, text: str) -> None:
        """Show a line of text, above the bar if there is one."""
        if self._bar is None:
            print(text, file=self._stream, flush=True)
        else:
            self._bar.write(text, file=self._stream)

    def close(self) -> None:
        """Show the last state and the time it took."""
        self._draw(self._status(tqdm.format_interval(self._clock() - self._started)))
        if self._bar is not None:
            self._bar.close()

    def speed(self) -> float | None:
        """Iterations per second over the last `WINDOW_SECONDS`; None before the second update.

        The first update comes after compilation, which is no part of the speed.
        """
        if len(self._marks) < 2:
            return None
        (start, first), (end, last) = self._marks[0], self._marks[-1]
        return (last - first) / max(end - start, 1e-9)

    def _status(self, elapsed: str | None = None) -> str:
        speed, parts = self.speed(), []
        if speed:
            images = tqdm.format_sizeof(speed * self.images_per_step)
            parts.append(f"{tqdm.format_sizeof(speed)} steps/s {images} images/s")
        if elapsed:
            parts.append(f"in {elapsed}")
        elif speed:
            parts.append(f"ETA {tqdm.format_interval((self.total - self.step) / speed)}")
        parts += [f"{name.removesuffix('/loss')} {value:.3g}" for name, value in self._values.items()]
        return " ".join(parts)

    def _draw(self, status: str) -> None:
        if self._bar is None:
            print(f"step {self.step}/{self.total} {status}".rstrip(), file=self._stream, flush=True)
        else:
            self._bar.n = self.step
            self._bar.set_description_str(status)
