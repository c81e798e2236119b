"""Eight simulated devices, and presets small enough to train in a second."""

import dataclasses
import functools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab import cli
from genlab.config.sections import Config
from genlab.data.feed import Batch
from genlab.kernels.random import example_keys
from genlab.nn.layers import AXIS
from genlab.train import spmd
from genlab.train.state import Game
from genlab.train.step import indices, make_iteration, make_step

jax.config.update("jax_num_cpu_devices", 8)
assert len(jax.devices()) == 8  # starts the backend, so that no test can change their number
# the time of these tests is the compiler's; scripts and notebooks, in processes of their own, have all of its work
jax.config.update("jax_disable_most_optimizations", True)
# the same small programs are compiled again and again: once is enough for one session
SESSION = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))  # one for all worker processes
jax.config.update("jax_compilation_cache_dir", str(Path(tempfile.gettempdir()) / f"genlab-tests-{SESSION}"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


@pytest.fixture(scope="module", autouse=True)
def no_hoard() -> Iterator[None]:
    """Compiled programs go with the tests that needed them; a process that keeps them all runs out of memory maps."""
    yield
    jax.clear_caches()


PRESETS = sorted(path.stem for path in cli.CONFIGS.glob("*.py"))


def shrink(config: Config, steps: int = 2, **sections: dict) -> Config:
    """A preset with narrow networks, short intervals and bundled data, on one device; `sections` change it further."""
    method = config.method
    narrow = {
        field.name: dataclasses.replace(getattr(method, field.name), width=8)
        for field in dataclasses.fields(method)
        if hasattr(getattr(method, field.name), "backbone")
    }
    changes: dict[str, dict] = {
        "method": narrow,
        "data": {"batch_size": 16} | ({"name": "digits"} if config.data.kind == "tfds" else {}),
        "train": {"validate_every": 2},
        "checkpoint": {"every": 2},
        "track": {"every": 1, "samples_every": 2, "wandb": "disabled"},
        "parallel": {"devices": 1},
    }
    for section, values in (sections | {"train": sections.get("train", {}) | {"steps": steps}}).items():
        changes[section] |= values
    return dataclasses.replace(
        config, **{name: dataclasses.replace(getattr(config, name), **values) for name, values in changes.items()}
    )


@pytest.fixture
def tiny() -> Callable[..., Config]:
    """`tiny("wgan_gp", steps=4, data={"batch_size": 8})`: a shrunken preset."""
    return lambda name, steps=2, **sections: shrink(cli.preset(name), steps, **sections)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`trained("wgan_gp", steps=4)`: the run of a shrunken preset, trained once for all tests; copy it to change it."""
    from genlab.train.loop import train

    runs: dict[str, Path] = {}

    def find(name: str, steps: int = 2, **sections: dict) -> Path:
        wanted = f"{name} {steps} {sections}"
        if wanted not in runs:
            folder = tmp_path_factory.mktemp(name) / "run"
            train(shrink(cli.preset(name), steps, **sections), folder)
            runs[wanted] = folder
        return runs[wanted]

    return find


@pytest.fixture(params=PRESETS)
def preset(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every preset's name in turn; each brings its own programs, and takes them with it."""
    yield request.param
    jax.clear_caches()


@pytest.fixture(scope="session")
def torch() -> Any:
    """PyTorch, to compare with; `pytest -m torch` runs the tests that ask for it, and no others."""
    return pytest.importorskip("torch", reason="PyTorch is in the bench extra", exc_type=ImportError)


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "torch" in getattr(item, "fixturenames", ()):
            item.add_marker("torch")


@pytest.fixture(scope="session")
def noisy() -> Callable:
    """`noisy(networks)`: the same with parameters away from their first values, so that every one of them tells."""

    def move(networks: Any) -> Any:
        graph, params, rest = nnx.split(networks, nnx.Param, ...)
        leaves, structure = jax.tree.flatten(params)
        keys = jax.random.split(jax.random.key(1), len(leaves))
        moved = [p + 0.3 * jax.random.normal(k, p.shape) for p, k in zip(leaves, keys, strict=True)]
        return nnx.merge(graph, jax.tree.unflatten(structure, moved), rest)

    return move


@pytest.fixture
def root() -> Path:
    """The repository."""
    return Path(__file__).resolve().parents[1]


class Evaluated(NamedTuple):
    """What one evaluation of a loss gives; gradients and statistics by network."""

    loss: jax.Array
    metrics: dict
    grads: dict
    stats: dict  # those that the first device has afterwards


def compiled(f):
    """`jax.jit` for functions that run once: compiling is all that takes time."""
    return jax.jit(f, compiler_options={"xla_backend_optimization_level": 0})


def evaluate(loss, networks, x, keys, devices=1, labels=None) -> Evaluated:
    """A method's loss on examples `x` (None for a loss without any), with the batch cut into so many devices' parts.

    Without labels all examples are of class 0.
    """
    labels = jnp.zeros(len(keys), jnp.int32) if labels is None else jnp.asarray(labels)
    graph, *state = nnx.split(networks, nnx.Param, ...)
    params, stats = map(nnx.to_pure_dict, state)
    cut = jax.tree.map(lambda a: a.reshape(devices, -1, *a.shape[1:]), (x, keys, labels))

    def local(x, keys, labels):
        def objective(params):
            merged = nnx.merge(graph, params, stats)
            batch = None if x is None else Batch(x, labels)
            value, metrics = loss(merged, batch, keys)
            return value, (metrics, nnx.to_pure_dict(nnx.state(merged, nnx.Not(nnx.Param))))

        (value, (metrics, after)), grads = jax.value_and_grad(objective, has_aux=True)(params)
        return *jax.lax.pmean((value, metrics, grads), AXIS), after

    return Evaluated(*jax.tree.map(lambda a: a[0], compiled(jax.vmap(local, axis_name=AXIS))(*cut)))


class Table:
    """A feed of given examples, (iterations, reads, batch, *shape)."""

    axis, single = None, False

    def __init__(self, real):
        self.real = real

    def arrays(self, step):
        return self.real

    def draw(self, arrays, seed, step, read, index, keys):
        return Batch(arrays[step, read][index], jnp.zeros(len(index), jnp.int32))

    def close(self):
        pass


def play(method, real, horizon, iterations):
    """The state after so many iterations of the compiled step, of a training that is to last `horizon` of them."""
    game, feed, devices = Game(method, real.shape[3:], 0, horizon), Table(jnp.asarray(real)), jax.devices()[:1]
    step = spmd.spread(make_step(make_iteration(game, feed, [0.0])), devices, "pmap", feed.axis)
    state = spmd.replicate(compiled(game.init)(), devices)
    index = spmd.scatter(indices(real.shape[2], 1), devices)
    return jax.device_get(step(state, feed.arrays(0), index, np.int32(iterations))[0])


@pytest.fixture(name="compiled")
def _compiled() -> Callable[[Callable], Callable]:
    """See `compiled`."""
    return compiled


@functools.cache
def initial(method, shape):
    game = Game(method, shape, 0, 1)
    return game, compiled(game.init)()


@pytest.fixture
def fresh() -> Callable:
    """`fresh(method, shape)`: its networks at initialisation, in training mode."""

    def networks(method, shape=(2,)):
        game, state = initial(method, shape)
        return game.merge(state.params, state.stats, train=True)

    return networks


@pytest.fixture(name="evaluate")
def _evaluate() -> Callable[..., Evaluated]:
    """See `evaluate`."""
    return evaluate


@pytest.fixture(scope="module", name="play")
def _play() -> Callable:
    """See `play`."""
    return play


@pytest.fixture
def keys() -> Callable:
    """`keys(n, seed)`: one key for each of `n` examples."""
    return lambda n, seed=0: compiled(example_keys)(jax.random.key(seed), jnp.arange(n))
