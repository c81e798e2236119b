"""The one exception that means: the user can mend this."""


class Invalid(ValueError):
    """Bad input. Its message is one line that names the field, the value and what is allowed; scripts print it and exit with 2."""
