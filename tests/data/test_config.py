"""A bad value is one line that names the field, the value and what is allowed."""

import pytest

from genlab.data import Data
from genlab.errors import Invalid


@pytest.mark.parametrize(
    "field, value",
    [
        ("name", "mnist"),
        ("name", "digits:8"),
        ("name", "points"),
        ("name", "points:9gaussians"),
        ("name", "tfds:"),
        ("batch_size", 0),
        ("image_size", 7),
        ("image_size", 65),
        ("validation", -0.1),
        ("validation", 1.0),
        ("test", float("nan")),
        ("resident_mb", -1),
        ("crop", -1),
    ],
)
def test_refused(field, value):
    with pytest.raises(Invalid) as caught:
        Data(**{field: value})
    message = str(caught.value)
    assert message.startswith(f"data.{field}: {value}; ") and "allowed" in message and "\n" not in message


def test_unknown_name_lists_the_sources():
    with pytest.raises(Invalid, match=r"digits, points:8gaussians\|25gaussians\|swissroll, tfds:<name>, folder:<path>"):
        Data("mnist")


def test_shares_together():
    with pytest.raises(Invalid, match="data.validation: 0.5; .*data.test"):
        Data(validation=0.5, test=0.5)


def test_folder_needs_a_size():
    with pytest.raises(Invalid, match="data.image_size: None; "):
        Data("folder:photos")
    assert Data("folder:/photos:2", image_size=64).place == "/photos:2"


@pytest.mark.parametrize(
    "option", [{"image_size": 32}, {"dequantise": True}, {"binarise": True}, {"flip": True}, {"crop": 1}]
)
def test_points_are_no_images(option):
    (field,) = option
    with pytest.raises(Invalid, match=f"data.{field}: .*images only"):
        Data("points:8gaussians", **option)


def test_two_values_are_not_dequantised():
    with pytest.raises(Invalid, match="data.binarise: True; .*data.dequantise"):
        Data(binarise=True, dequantise=True)
