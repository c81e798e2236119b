"""torch-fidelity as an oracle, and small models to measure."""

import importlib
import sys
import types

import pytest

from genlab.model import Model
from genlab.train.state import Game

STANDINS = (".datasets", ".models", ".transforms", ".transforms.functional")


@pytest.fixture(scope="session")
def fidelity(torch):
    """`fidelity("metric_fid")`: a module of torch-fidelity, where it is installed.

    It imports torchvision for data sets and other networks, which nothing here uses; and torchvision would demand
    another PyTorch. An empty stand-in lets it be imported.
    """
    if importlib.util.find_spec("torch_fidelity") is None:
        pytest.skip("needs torch-fidelity: pip install --no-deps torch-fidelity==0.4.0")
    standins = {f"torchvision{name}": types.ModuleType(name) for name in ("", *STANDINS)}
    for path, module in list(standins.items())[1:]:
        parent, _, name = path.rpartition(".")
        setattr(standins[parent], name, module)
    for name in ("CIFAR10", "CIFAR100", "STL10"):
        setattr(standins["torchvision.datasets"], name, object)
    with pytest.MonkeyPatch.context() as patch:
        for name, module in standins.items():
            patch.setitem(sys.modules, name, module)
        yield lambda name: importlib.import_module(f"torch_fidelity.{name}")


@pytest.fixture
def untrained(tiny):
    """`untrained(preset, shape, data={...})`: a model of first weights."""

    def make(preset, shape, **sections):
        config = tiny(preset, **sections)
        game = Game(config.method, shape, config.train.seed, config.train.steps)
        return Model(config, shape, game, game.init(), True)

    return make
