"""The two ways to end early: what the user can mend before starting, and what happens to a run."""


class Invalid(ValueError):
    """Bad input: one line that names the field, the value and what is allowed. Scripts print it and exit with 2."""


class Stopped(RuntimeError):
    """A run cannot go on: one line that says why, and where it stands. Scripts print it and exit with 1."""


def require(ok: bool, field: str, value: object, allowed: str) -> None:
    """Raise `Invalid` ("field: value is not allowed-text") unless `ok`."""
    if not ok:
        raise Invalid(f"{field}: {value!r} is not {allowed}")
