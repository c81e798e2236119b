"""How bad input must be answered: with one line and an exit code, or with the right result."""

import contextlib
import io
import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from genlab import cli


@pytest.fixture
def answer(request: pytest.FixtureRequest) -> Callable[..., tuple[str | None, Any]]:
    """`answer(act, *names)`: (None, what it returns), or (its message, None), which names one of `names`.

    `act` ends as a script's command does, at a terminal of one encoding or another: the message is the one line on
    stderr, with code 2 or 1; any other exception is a failure.
    """
    encoding = random.Random(f"terminal of {request.node.name}").choice(["utf-8", "latin-1", "ascii"])

    def terminal() -> io.TextIOWrapper:
        return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace")

    def ask(act: Callable[[], Any], *names: str) -> tuple[str | None, Any]:
        found: list[Any] = []
        with contextlib.redirect_stdout(terminal()), contextlib.redirect_stderr(terminal()) as errors:
            code = cli.run(lambda argv: found.append(act()), [])
            errors.flush()
        if code == 0:
            return None, found[0]
        lines = errors.buffer.getvalue().decode(encoding).splitlines(keepends=True)
        said = "".join(line for line in lines if not re.match(r"step \d+/\d+ ", line))  # progress is no complaint
        assert said.endswith("\n") and said.count("\n") == 1, said
        kind, _, message = said.rstrip("\n").partition(": ")
        assert kind == {2: "error", 1: "stopped"}[code] and message, said
        assert not names or any(name in message for name in names), message
        return message, None

    return ask


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> random.Random:
    """Random choices by the name of the test alone, which are the same in every run."""
    return random.Random(request.node.name)
