"""A trained model from nothing but its run folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from genlab.errors import Invalid, require
from genlab.kernels.random import example_keys
from genlab.methods.game import Networks
from genlab.track.folder import RunFolder
from genlab.train import spmd
from genlab.train.checkpoint import Checkpoints, abstract
from genlab.train.config import Config, from_dict, read
from genlab.train.state import Game, TrainState, stream

CHUNK = 256  # examples per call; always as many, so that an example does not depend on how many are asked for


@dataclass(frozen=True)
class Model:
    """A trained model: its configuration, the shape of its data, and the weights of one checkpoint."""

    config: Config
    shape: tuple[int, ...]  # (h, w, c) of images, (2,) of points
    game: Game
    state: TrainState
    ema: bool

    def chunks(self, n: int, seed: int) -> Iterator[Float[np.ndarray, "chunk *shape"]]:
        """`n` samples in chunks: images in [-1, 1], or points. Sample i depends on the seed and i alone."""

        @jax.jit
        def draw(networks_state: TrainState, index: Array) -> Float[Array, "chunk *shape"]:
            networks: Networks = self.game.samplers(networks_state, ema=self.ema)
            return self.game.method.sample(networks, example_keys(stream(seed, "sample"), index))

        for start in range(0, n, CHUNK):
            drawn = draw(self.state, jnp.arange(start, start + CHUNK))
            yield np.asarray(drawn)[: n - start]

    def sample(self, n: int, seed: int = 0) -> Float[np.ndarray, "n *shape"]:
        """`n` samples at once; see `chunks`."""
        require(n >= 1, "n", n, "at least 1")
        return np.concatenate(list(self.chunks(n, seed)))


def load(run_dir: str | Path, step: int | None = None, ema: bool = True) -> Model:
    """The model trained in `run_dir`, at its newest checkpoint or at `step`, with averaged or with last weights.

    Raises:
        Invalid: the folder holds no run, or no such checkpoint.
    """
    folder = RunFolder.open(run_dir)
    written = read(folder.config)
    config, shape = from_dict(written["config"]), tuple(written["shape"])
    game = Game(config.method, shape, config.train.seed, config.train.steps, config.init.freeze)
    like = abstract(jax.eval_shape(game.init), spmd.replicated(jax.devices()[:1]))
    with Checkpoints(folder.checkpoints) as checkpoints:
        steps = checkpoints.steps
        if not steps or (step is not None and step not in steps):
            wanted, found = "newest" if step is None else step, ", ".join(map(str, steps)) or "none"
            raise Invalid(f"step: {wanted} is not among the checkpoints of {run_dir}: {found}")
        state = checkpoints.load(steps[-1] if step is None else step, like)
    return Model(config, shape, game, state, ema)
