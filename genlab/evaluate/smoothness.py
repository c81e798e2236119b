"""Perceptual path length: how much the features of samples change on the way from one to another."""

import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from genlab.evaluate.devices import over_rows
from genlab.evaluate.extractors import Extractor
from genlab.kernels.random import example_keys, fold
from genlab.latent.paths import lerp, slerp
from genlab.latent.smoothness import speeds
from genlab.model import Model
from genlab.train.state import stream

CHUNK = 32  # ways to a device at a time


def path_length(model: Model, extractor: Extractor | None, n: int) -> dict[str, float]:
    """Mean squared speed of features, over `n` ways between latents of the prior; of points that of coordinates.

    Ways are arcs where latents are drawn from N(0, I), else lines. See `latent.smoothness.speeds`.
    """
    method = model.method

    def speed(constants: PyTree, index: Int[Array, " b"]) -> Float[Array, " b"]:
        state, weights, key = constants
        networks, keys = model.game.sampling_networks(state, ema=model.ema), example_keys(key, index)
        labels = method.draw_labels(keys)

        def features(z: Float[Array, "b latent"]) -> Float[Array, "b features"]:
            x = method.decode(networks, z, labels)
            return x if extractor is None else extractor.apply(weights, (x + 1) * 127.5)[0]

        a, b = (method.draw_latents(networks, fold(keys, i)) for i in (1, 2))
        return speeds(features, a, b, fold(keys, 3), slerp if model.gaussian else lerp)

    constants = (model.state, () if extractor is None else extractor.weights, stream(0, "smoothness"))
    found = over_rows(speed, constants, np.arange(n), CHUNK, "path length", model.config.parallel)
    return {"path_length": float(found.mean())}
