"""The one exception that means: the user can mend this."""


class Invalid(ValueError):
    """Bad input: one line that names the field, the value and what is allowed. Scripts print it and exit with 2."""


def require(ok: bool, field: str, value: object, allowed: str) -> None:
    """Raise `Invalid` ("field: value is not allowed-text") unless `ok`."""
    if not ok:
        raise Invalid(f"{field}: {value!r} is not {allowed}")
