"""How bad input must be answered: with one line and an exit code, or with the right result."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from genlab.errors import Invalid, Stopped


@pytest.fixture
def answer() -> Callable[..., tuple[str | None, Any]]:
    """`answer(act, *names)`: (None, what it returns), or (its message, None), which names one of `names`.

    Invalid and Stopped, or an OSError, are what `cli.main` makes exit codes 2 and 1 of; everything else is a failure.
    """

    def ask(act: Callable[[], Any], *names: str) -> tuple[str | None, Any]:
        try:
            return None, act()
        except (Invalid, Stopped, OSError) as error:
            message = str(error)
        assert message and len(message.splitlines()) == 1, message
        assert not names or any(name in message for name in names), message
        return message, None

    return ask


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> random.Random:
    """Random choices by the name of the test alone, which are the same in every run."""
    return random.Random(request.node.name)
