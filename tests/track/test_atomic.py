"""What is written appears whole, or not at all."""

import errno
from pathlib import Path

import pytest

from genlab.errors import Invalid
from genlab.track.atomic import atomic_write


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_it_is_whole(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with atomic_write(tmp_path / "a.txt") as part:
        part.write_text("new")
        assert (part.suffix, part.name[0]) == (".txt", ".")
        assert (tmp_path / "a.txt").read_text() == "old"
    assert (tmp_path / "a.txt").read_text() == "new" and names(tmp_path) == ["a.txt"]


def test_so_does_a_folder_also_in_new_and_empty_ones(tmp_path):
    (tmp_path / "empty").mkdir()
    for out in (tmp_path / "empty", tmp_path / "new" / "deep"):
        with atomic_write(out) as part:
            part.mkdir()
            (part / "x").touch()
            assert not out.exists() or names(out) == []
        assert names(out) == ["x"] and len(names(out.parent)) in (1, 2)


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_leaves_nothing_and_takes_nothing(tmp_path, fault):
    (tmp_path / "a").write_text("old")
    for out in (tmp_path / "a", tmp_path / "b"):
        with pytest.raises((Invalid, KeyboardInterrupt)) as error, atomic_write(out) as part:
            part.mkdir() if out.name == "b" else part.write_text("half")
            raise fault
        if isinstance(fault, OSError):
            assert str(error.value) == f"out: {out} cannot be written (No space left on device)"
    assert names(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "old"


def test_places_that_cannot_be(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    for out in (tmp_path / "full", tmp_path / "full" / "x" / "y.png"):
        with (
            pytest.raises(Invalid, match="out: .*(the folder must be empty|cannot be written)"),
            atomic_write(out) as part,
        ):
            part.write_text("new")
    (tmp_path / "empty").mkdir()
    with pytest.raises(Invalid, match="cannot be written"), atomic_write(tmp_path / "empty") as part:
        part.write_text("a file in the place of a folder")
    assert names(tmp_path) == ["empty", "full"]


@pytest.mark.parametrize("name", ["/", ".", "a\0.txt"])
def test_a_name_that_names_nothing_is_refused(name):
    with pytest.raises(Invalid, match="out: .*; must name a file or a folder"), atomic_write(Path(name)):
        pass
