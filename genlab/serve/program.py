"""What a trained model computes as StableHLO programs of its weights, which JAX runs without genlab."""

from collections.abc import Callable

import jax
import numpy as np
from jax import export
from jaxtyping import Array, PyTree

from genlab.errors import Invalid
from genlab.kernels.random import example_keys
from genlab.methods.game import Encoding
from genlab.model import Model
from genlab.parts.types import Networks
from genlab.train import paths
from genlab.train.state import select, stream

PLATFORMS = ("cpu", "cuda", "tpu")  # one program holds the forms of all three
Computation = Callable[..., Array]  # (networks, a batch of examples, their labels if they have any)


def weights(model: Model) -> dict[str, np.ndarray]:
    """The arrays of the networks that sampling needs, by path: parameters and running statistics."""
    return {path: np.asarray(x) for tree in _trees(model) for path, x in paths.leaves(tree)}


def programs(model: Model) -> dict[str, bytes]:
    """The serialised programs, by name; each takes the weights by path and any number b of examples.

    `sample(weights, seed, index)`: a uint32 seed and the int32 (b,) numbers of the samples, to the same samples as
    `Model.sample` numbers so; `decode(weights, z)`: float32 (b, latent) to examples; `encode(weights, x)`: examples to
    latents, where the method encodes. A method with classes takes int32 (b,) labels after these.

    Raises:
        Invalid: JAX cannot lower the method's computation to one program for all platforms.
    """
    method = model.method

    def sample(weights: dict, seed: Array, *rows: Array) -> Array:
        def draw(networks: Networks, index: Array, *labels: Array) -> Array:
            return method.sample(networks, example_keys(stream(seed, "sample"), index), *labels)

        return _per_example(draw, _networks(model, weights), rows)

    def batched(f: Computation) -> Computation:
        return lambda weights, *rows: _per_example(f, _networks(model, weights), rows)

    (b,) = export.symbolic_shape("b")
    labels = [jax.ShapeDtypeStruct((b,), np.int32)] if model.conditional else []
    index, seed = jax.ShapeDtypeStruct((b,), np.int32), jax.ShapeDtypeStruct((), np.uint32)
    z, x = (jax.ShapeDtypeStruct((b, *shape), np.float32) for shape in ((method.latent,), model.shape))
    found = {
        "sample": _lower(model, sample, [seed, index, *labels]),
        "decode": _lower(model, batched(method.decode), [z, *labels]),
    }
    if isinstance(method, Encoding):
        found["encode"] = _lower(model, batched(method.encode), [x, *labels])
    return found


def _per_example(f: Computation, networks: Networks, rows: tuple[Array, ...]) -> Array:
    """`f` of every example by itself: methods may then ask how many examples there are, which no program knows."""
    return jax.vmap(lambda *row: f(networks, *(x[None] for x in row))[0])(*rows)


def _networks(model: Model, arrays: dict[str, Array]) -> Networks:
    """The networks of weights by path."""
    params, stats = _trees(model)
    return model.game.merge(paths.graft(params, arrays), paths.graft(stats, arrays), train=False)


def _lower(model: Model, program: Computation, arguments: list[jax.ShapeDtypeStruct]) -> bytes:
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), weights(model))
    try:
        return bytes(export.export(jax.jit(program), platforms=PLATFORMS)(shapes, *arguments).serialize())
    except (ValueError, NotImplementedError) as error:  # an operation that has no lowering, or none that will last
        name = type(model.method).__name__
        raise Invalid(f"run-dir: {name} has no portable program ({str(error).splitlines()[0]})") from error


def _trees(model: Model) -> tuple[PyTree, PyTree]:
    """Parameters and statistics of the networks that sampling needs."""
    state, sampling = model.state, model.method.sampling
    params, stats = (state.ema["params"], state.ema["stats"]) if model.ema else (state.params, state.stats)
    return select(params, sampling), select(stats, sampling)
