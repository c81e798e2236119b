"""Ctrl-C and SIGTERM as a request, granted at the next whole iteration."""

import signal
from types import FrameType


class Interrupt:
    """While entered, `requested` names the first signal that asked to stop; a second one acts as if never caught."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.requested: str | None = None

    def __enter__(self) -> "Interrupt":
        self._before = {number: signal.signal(number, self._request) for number in self.SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.requested = signal.Signals(number).name
        self._restore()
