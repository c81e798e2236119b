import pytest

from genlab.errors import Invalid
from genlab.track.config import Track


def test_the_defaults_are_valid():
    assert Track().wandb == "auto"


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("every", 0, "at least 1"),
        ("samples_every", -5, "at least 1"),
        ("project", "a/b", "a name without"),
        ("project", "", "a name without"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(field, value, allowed):
    with pytest.raises(Invalid, match=f"^track.{field}: {value!r}; .*{allowed}"):
        Track(**{field: value})
