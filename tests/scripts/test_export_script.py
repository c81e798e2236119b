"""Exports: run where there is no genlab, give the same numbers, and are whole or not there."""

import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file

import genlab
from genlab.errors import Invalid
from genlab.nn.net import Net
from genlab.serve.card import card
from genlab.serve.program import PLATFORMS
from genlab.track.folder import RunFolder

CONVOLUTIONS = {"encoder": Net("dcgan", width=2), "decoder": Net("dcgan", width=2, norm="batch")}
# what a user has: the card's code, and neither genlab nor flax
CLEAN = """
import sys
sys.modules["genlab"] = sys.modules["flax"] = None
{code}
z, labels = np.load("../z.npy"), {labels}
decode = export.deserialize(bytearray(Path("decode.stablehlo").read_bytes()))
np.savez("../found.npz", x=x, few=sample.call(weights, np.uint32(7), np.array([3, 60], np.int32), *labels),
         decoded=decode.call(weights, z, *labels), platforms=sample.platforms)
"""


@pytest.fixture
def export(script):
    return script("export")


@pytest.fixture
def run(trained, tmp_path):
    """A run to be changed."""
    return shutil.copytree(trained("wgan_gp", steps=4), tmp_path / "run")


@pytest.mark.parametrize(
    "name, method",
    [("vae", CONVOLUTIONS), ("ae", {}), ("wgan_gp_points", {}), ("cgan", {})],
    ids=["convolutions", "codes", "points", "classes"],
)
def test_the_cards_code_makes_the_models_samples_without_genlab(export, trained, tmp_path, name, method):
    run = trained(name, method=method)
    export(run, "--out", tmp_path / "new" / "export")
    model = genlab.load(run)
    conditional, own, chosen = model.conditional, np.arange(64) % 10, np.array([4, 7], np.int32)
    z = np.random.default_rng(0).normal(size=(2, model.method.latent)).astype(np.float32)
    np.save(tmp_path / "new" / "z.npy", z)
    folder = tmp_path / "new" / "export"
    code = re.search("```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)[1]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    clean = CLEAN.format(code=code, labels="[np.array([4, 7], np.int32)]" if conditional else "[]")
    subprocess.run([sys.executable, "-c", clean], cwd=folder, env=environment, check=True)
    with np.load(tmp_path / "new" / "found.npz") as found:
        np.testing.assert_allclose(found["x"], model.sample(64, labels=own if conditional else None), rtol=0, atol=2e-6)
        few = [
            model.sample(1, seed=7, start=i, labels=int(c) if conditional else None)[0]
            for i, c in zip((3, 60), chosen, strict=True)
        ]
        np.testing.assert_allclose(found["few"], few, rtol=0, atol=2e-6)
        np.testing.assert_allclose(
            found["decoded"], model.decode(z, chosen if conditional else None), rtol=0, atol=2e-6
        )
        assert abs(found["x"]).max() > 0.01
        assert tuple(found["platforms"]) == PLATFORMS
    held = load_file(folder / "weights.safetensors")
    assert {path.split("/")[0] for path in held} <= set(model.method.sampling)
    assert sorted(map(np.sum, held.values())) == sorted(map(np.sum, jax.tree.leaves(jax.device_get(model.state.ema))))


def test_damaged_weights_are_refused_by_the_cards_code(export, trained, tmp_path):
    """One flipped bit of a number, which their reader would not see."""
    folder = tmp_path / "export"
    export(trained("wgan_gp_points"), "--out", folder)
    weights = bytearray((folder / "weights.safetensors").read_bytes())
    weights[-2] ^= 1
    (folder / "weights.safetensors").write_bytes(weights)
    assert load_file(folder / "weights.safetensors")
    code = re.search("```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "weights.safetensors is damaged\n")


def test_encoders_come_along(export, trained, tmp_path):
    run = trained("vae", method=CONVOLUTIONS)
    export(run, "--out", tmp_path / "export", "--no-ema")
    x = np.random.default_rng(0).uniform(-1, 1, (3, 8, 8, 1)).astype(np.float32)
    program = jax.export.deserialize(bytearray((tmp_path / "export" / "encode.stablehlo").read_bytes()))
    found = program.call(load_file(tmp_path / "export" / "weights.safetensors"), x)
    np.testing.assert_allclose(found, genlab.load(run, ema=False).encode(x), rtol=0, atol=2e-6)
    assert abs(found - genlab.load(run, ema=True).encode(x)).max() > 1e-4


def test_the_card_holds_configuration_and_scores_of_these_weights(export, run, tmp_path):
    rows = [
        '{"step": 2, "stamp": {"data": "digits", "split": "test", "reference": "r", "n_real": 9}, "scores": {"a": 5}}',
        '{"step": 4, "stamp": {"data": "digits", "split": "test", "reference": "r", "n_real": 9, "ema": true, '
        '"seeds": [0, 1]}, "scores": {"frechet": 0.125}, "spread": {"frechet": 0.5}}',
        '{"step": 4, "stamp": {"data": "digits", "split": "test", "reference": "r", "n_real": 9, "ema": false}, '
        '"scores": {"recall": 0.25}}',
    ]
    (run / "evaluation.jsonl").write_text("\n".join(rows))
    export(run, "--out", tmp_path / "export")
    text = (tmp_path / "export" / "README.md").read_text()
    assert "| frechet | 0.125 | 0.5 |" in text
    assert "against 9 of the test split (reference r, ema True, seeds 0 1)" in text
    assert "recall" not in text and "| a |" not in text
    assert "method.name = 'wgan_gp'" in text and f"jax {jax.__version__}" in text and "iteration 4, averaged" in text
    assert f"made these programs on {date.today():%-d %B %Y}" in text
    export(run, "--out", tmp_path / "earlier", "--step", 2, "--no-ema")
    assert "| a | 5 |" in (tmp_path / "earlier" / "README.md").read_text()
    assert (tmp_path / "export" / "config.json").read_text() == (run / "config.json").read_text()


@pytest.mark.parametrize(
    ("day", "end"),
    [
        (date(2026, 1, 15), "15 July 2026"),
        (date(2026, 6, 30), "30 December 2026"),
        (date(2026, 7, 1), "1 January 2027"),
        (date(2026, 8, 31), "28 February 2027"),
        (date(2027, 8, 31), "29 February 2028"),
        (date(2026, 12, 31), "30 June 2027"),
    ],
)
def test_the_card_says_until_when_and_how_to_make_it_anew(trained, day, end):
    """Six months, as JAX promises; the command makes these weights, and no others."""
    run = trained("wgan_gp", steps=4)
    last, earlier = (card(genlab.load(run, *which), RunFolder.open(run), day, "0") for which in ((), (2, False)))
    assert f"jax {jax.__version__} made these programs on {day.day} {day:%B %Y}." in last
    assert f"they end by {end} at the latest" in last
    assert "\npython scripts/export.py RUN_DIR --step 4 --out FOLDER\n" in last
    assert "\npython scripts/export.py RUN_DIR --step 2 --no-ema --out FOLDER\n" in earlier


def test_an_export_is_whole_or_not_there(export, run, tmp_path, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("dear")
    with pytest.raises(Invalid, match="out: .*full; must be an empty folder"):
        export(run, "--out", tmp_path / "full")
    with pytest.raises(Invalid, match="out: .*mine; must be an empty folder"):
        export(run, "--out", tmp_path / "full" / "mine")
    with pytest.raises(Invalid, match="out: .* cannot be written"):
        export(run, "--out", tmp_path / "full" / "mine" / "export")
    assert (tmp_path / "full" / "mine").read_text() == "dear"

    write = Path.write_bytes
    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_bytes", lambda path, content: _full(path, write(path, content)))
        with pytest.raises(Invalid, match="out: .*export cannot be written .No space left"):
            export(run, "--out", tmp_path / "export")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "run"]
    (tmp_path / "export").mkdir()
    export(run, "--out", tmp_path / "export")
    assert len(list((tmp_path / "export").iterdir())) == 5


def _full(path, written):
    """A disk on which the weights find no room."""
    if path.name == "weights.safetensors":
        raise OSError(28, "No space left on device")
    return written


def test_mistakes_are_named(export, run, tmp_path):
    with pytest.raises(Invalid, match="must be the folder of a run"):
        export(tmp_path, "--out", tmp_path / "x")
    with pytest.raises(Invalid, match="out: '.*x.onnx' is not a folder, whose name has no suffix"):
        export(run, "--out", tmp_path / "x.onnx")
    with pytest.raises(Invalid, match="step: 99 is not among the checkpoints"):
        export(run, "--step", 99, "--out", tmp_path / "x")
    for name in ("evaluation.jsonl", "versions.json"):
        (run / name).write_text("[")
        with pytest.raises(Invalid, match=f"{name} cannot be read"):
            export(run, "--out", tmp_path / "x")
        (run / name).unlink()
    assert not (tmp_path / "x").exists()
