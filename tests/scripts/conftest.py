"""Runs that are saved as they start, so that scripts have something to load."""

import importlib.util
import sys

import jax
import pytest

from genlab.config.plain import to_dict
from genlab.track.folder import RunFolder, write_json
from genlab.train.checkpoint import Checkpoints
from genlab.train.state import Game

DIGITS = tuple("0123456789")


@pytest.fixture
def script(root, monkeypatch):
    """`script("sample")(run, "--n", 5)`: the command of a script in scripts/, in this process."""

    def find(name):
        spec = importlib.util.spec_from_file_location(f"{name}_script", root / "scripts" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)  # where tyro looks for what its fields mean
        spec.loader.exec_module(module)
        return lambda *arguments: module.command([str(argument) for argument in arguments])

    return find


@pytest.fixture
def saved(tiny, tmp_path):
    """`saved("wgan_gp")`: the folder of a shrunken preset's run, with first weights as its checkpoint 2."""

    def make(preset, shape=(8, 8, 1), **sections):
        config = tiny(preset, **sections)
        folder = RunFolder.create(tmp_path / f"{preset}-run")
        write_json(folder.config, {"config": to_dict(config), "shape": shape, "classes": DIGITS})
        with Checkpoints(folder.checkpoints, config, keep=1) as checkpoints:
            game = Game(config.method, shape, config.train.seed, config.train.steps)
            checkpoints.save(2, jax.jit(game.init)())
            checkpoints.wait()
        return folder.path

    return make
