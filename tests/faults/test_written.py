"""What stands in a run folder, edited: config.json, metrics.jsonl, and the bytes of everything."""

import copy
import json
import shutil

import pytest

import genlab
from genlab import cli
from genlab.config.plain import flatten, from_dict, read, to_dict
from genlab.track import history
from genlab.track.folder import RunFolder
from genlab.track.rows import rows
from genlab.track.sinks import Jsonl

VALUES = [None, True, -7, 2.5, float("nan"), 2**100, "", "x", "12", [], [1], ["x"], {}, {"a": 1}, "\ud800", "a\nb"]


def places(plain, path=()):
    """The path of every section and setting."""
    for name, value in plain.items():
        yield (*path, name)
        if isinstance(value, dict):
            yield from places(value, (*path, name))


def edit(plain, path, act):
    edited = copy.deepcopy(plain)
    section = edited
    for name in path[:-1]:
        section = section[name]
    act(section, path[-1])
    return edited


def same(a, b):
    """Equal, and numbers and truth values are not each other."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)


@pytest.mark.parametrize("preset", ["wgan_gp", "ladder_vae", "cgan", "dbn"])
def test_an_edited_configuration_is_refused_by_its_place_or_means_what_it_says(preset, draw, answer):
    plain = to_dict(cli.preset(preset))
    for path in draw.sample(list(places(plain)), 8):
        name, value = path[-1], draw.choice(VALUES)
        edits = {
            "delete": lambda section, name: section.pop(name),
            "retype": lambda section, name, value=value: section.__setitem__(name, value),
            "rename": lambda section, name: section.__setitem__(f"{name}_", section.pop(name)),
            "nest": lambda section, name: section.__setitem__(name, {name: section[name]}),
        }
        for kind, act in edits.items():
            edited = edit(plain, path, act)
            message, config = answer(lambda edited=edited: from_dict(edited), name)
            case = f"{kind} {path} {value!r}"
            if kind in ("rename", "nest"):
                assert message, case
            elif config:
                found, wanted = flatten(to_dict(config)), flatten(edited)
                if kind == "delete":  # the rest is as it was; what is gone is the default
                    assert found.keys() == flatten(plain).keys() or len(path) == 1, case
                assert all(same(found[setting], wanted[setting]) for setting in wanted if wanted[setting] != {}), case


LINES = [b"{}", b"[]", b"null", b'{"step": 3', b'{"step": 1e3}', b'{"step": NaN}', b"\x00", b"\xff", b'"step"']
LINES += [b'{"step": 5, "a": "x"}', b'{"step": 6, "a": {"b": 1}}', b'{"step": 7, "a": [1, "x", null]}', b""]
LINES += [b'{"step": 1' + b"0" * 5000 + b"}", b'{"step": 8, "a": 1e999}', b'{"step": 9, "a": 1' + b"0" * 400 + b"}"]


@pytest.mark.parametrize("case", range(20))
def test_rows_among_anything_are_read_and_nothing_else(case, draw, tmp_path):
    good = [json.dumps({"step": step, "a/loss": step / 7}).encode() for step in range(10)]
    written = sorted([*good, *draw.choices(LINES, k=10)], key=lambda _: draw.random())
    folder = RunFolder.create(tmp_path)
    folder.metrics.write_bytes(b"\n".join(written) + draw.choice([b"", b"\n", b"\r\n"]))
    found = [line.rstrip(b"\r\n") for line, _ in rows(folder.metrics)]
    assert set(good) - set(found) <= {written[-1]}
    assert {name for name in history.curves(folder)} <= {"a", "a/loss"}
    json.dumps(history.curves(folder), allow_nan=False)
    sink = Jsonl(folder.metrics)
    sink.truncate(4)
    sink.close()
    assert all(row["step"] <= 4 for _, row in rows(folder.metrics))
    assert {line for line in good if json.loads(line)["step"] <= 4} - {written[-1]} <= {
        line.rstrip(b"\r\n") for line, _ in rows(folder.metrics)
    }


def hurt(content, draw):
    """Bytes flipped, zeroed, cut off or inserted."""
    place, damaged = draw.randrange(len(content)), bytearray(content)
    kind = draw.choice(["flip", "zero", "cut", "insert"])
    if kind == "flip":
        damaged[place] ^= 1 << draw.randrange(8)
    elif kind == "zero":
        damaged[place : place + 64] = bytes(len(damaged[place : place + 64]))
    elif kind == "cut":
        del damaged[place:]
    else:
        damaged[place:place] = draw.randbytes(draw.randrange(1, 9))
    return bytes(damaged)


@pytest.mark.parametrize("case", range(30))
def test_a_damaged_config_json_is_refused_or_read(case, draw, answer, tmp_path):
    path = tmp_path / "config.json"
    plain = {"config": to_dict(cli.preset("vae")), "shape": [8, 8, 1], "classes": list("0123456789")}
    path.write_bytes(hurt(json.dumps(plain, indent=2).encode(), draw))
    message, _ = answer(lambda: from_dict(read(path)["config"]), "config.json")


@pytest.mark.parametrize("case", range(16))
def test_a_damaged_file_of_a_checkpoint_is_found_or_changes_nothing(case, draw, answer, trained, tmp_path):
    source = trained("vae", steps=4)
    run = shutil.copytree(source, tmp_path / "run")
    path = draw.choice(sorted(path for path in (run / "checkpoints" / "4").rglob("*") if path.is_file()))
    if draw.random() < 0.2:
        path.unlink()
    else:
        path.write_bytes(hurt(path.read_bytes() or b"\0", draw))
    _, model = answer(lambda: genlab.load(run), "checkpoint")
    if model and model.state.step == 4:
        assert (model.sample(2) == genlab.load(source).sample(2)).all()
