"""What is looked at between iterations: losses on held-out examples, and pictures."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from genlab.config.sections import Config
from genlab.data.config import Data
from genlab.data.feed import Batch, to_float, to_uint8
from genlab.data.splits import Dataset, Split
from genlab.kernels.random import example_keys
from genlab.losses.divergence import sliced_wasserstein
from genlab.methods.game import Encoding
from genlab.nn.layers import AXIS
from genlab.parts.types import Metrics
from genlab.track import grids
from genlab.train.state import Game, TrainState, stream

EXAMPLES = 2048  # held-out examples looked at, at most
PICTURES = 64  # samples in a grid
ROWS, COLUMNS = 8, 16  # of a conditional method's, a column to a class, at most


def held_out(dataset: Dataset, data: Data, seed: int) -> Batch | None:
    """Up to `EXAMPLES` of the validation split in whole batches, (batches, batch, ...); None if it is empty."""
    count = min(len(dataset.validation), EXAMPLES)
    size = min(data.batch_size, count)
    if not size:
        return None
    count -= count % size
    return _batches(dataset.validation, np.arange(count), size, data, seed)


def training_batches(dataset: Dataset, data: Data, seed: int, like: Batch) -> Batch:
    """Examples of the training split, from all over it, as many as those held out and in as large batches."""
    count, size = like.label.size, like.label.shape[1]
    return _batches(dataset.train, np.arange(count) * len(dataset.train) // count, size, data, seed)


def validation_batches(dataset: Dataset, config: Config) -> tuple[Batch | None, Batch | None]:
    """What validation looks at: held-out examples, and training examples where the method compares both."""
    data, seed = config.data, config.train.seed
    held = held_out(dataset, data, seed)
    return held, training_batches(dataset, data, seed, held) if held and config.method.gap else None


def _batches(split: Split, rows: Int[np.ndarray, " n"], size: int, data: Data, seed: int) -> Batch:
    examples = split.read(rows)
    x = jnp.asarray(examples.x)
    if x.ndim == 4:
        x = to_float(x, example_keys(stream(seed, "validation data"), jnp.arange(len(rows))), data.unaugmented)
    return Batch(x.reshape(-1, size, *x.shape[1:]), jnp.asarray(examples.label).reshape(-1, size))


def validate(game: Game, state: TrainState, batches: Batch, train_batches: Batch | None = None) -> Metrics:
    """Every loss that looks at real examples, in evaluation mode, with the noise held fixed: a pure function.

    Also the sliced Wasserstein distance between as many samples of the averaged networks and the held-out examples,
    in units of the data: the one number that all methods share. With batches of training examples also by how much more
    the method's `gap` is on those held out.
    """
    count, size = batches.label.shape
    keys = example_keys(stream(game.seed, "validation"), jnp.arange(count * size)).reshape(count, size)

    def losses(batch: Batch, keys: Array) -> Metrics:
        networks = game.merge(state.params, state.stats, train=False)
        metrics: Metrics = {}
        for player in game.players:
            if player.real:
                loss, player_metrics = player.loss(networks, batch, keys, None)
                metrics |= {f"validation/{player.name}/{k}": v for k, v in ({"loss": loss} | player_metrics).items()}
        return metrics

    def means(batches: Batch, only: str = "") -> Metrics:
        on_one_device = jax.vmap(losses, axis_name=AXIS)  # the axis that losses may average over

        def batch_losses(batch: tuple[Batch, Array]) -> Metrics:
            values = on_one_device(*jax.tree.map(lambda a: a[None], batch))
            return {only: values[only]} if only else values

        values = jax.lax.map(batch_losses, (batches, keys))
        return jax.tree.map(lambda m: m.mean((0, 1)), values)  # over batches, and the one device of each

    metrics = means(batches)
    if train_batches is not None:
        name = f"validation/{game.method.gap}"
        metrics[f"{name}_gap"] = metrics[name] - means(train_batches, name)[name]
    networks = game.sampling_networks(state, ema=True)
    samples = jax.lax.map(lambda k: game.method.sample(networks, k), keys)
    fake, real = (x.reshape(count * size, -1) for x in (samples, batches.x))
    distance = sliced_wasserstein(fake, real, stream(game.seed, "directions"))
    return metrics | {"validation/sliced_wasserstein": distance}


def make_validation(game: Game, batches: Batch, train_batches: Batch | None = None) -> Callable[[TrainState], Metrics]:
    """`validate`, compiled, as a function of the state."""
    compiled = jax.jit(partial(validate, game))
    return lambda state: compiled(state, batches, train_batches)


def draw(game: Game, state: TrainState, batches: Batch | None) -> dict[str, Float[Array, "n *shape"]]:
    """Samples from fixed latents, and reconstructions of held-out examples where the method can encode, traced.

    Images of a conditional method have a column for each class, and a row for each latent.
    """
    method, images, columns = game.method, len(game.shape) == 3, _columns(game)
    keys = example_keys(stream(game.seed, "pictures"), jnp.arange(PICTURES * (1 if images else 16)))
    keys = jnp.repeat(keys[:ROWS], columns) if columns else keys
    classes = jnp.tile(jnp.arange(columns), ROWS) if columns else None
    networks = game.sampling_networks(state, ema=True)
    drawn = {"samples": method.sample(networks, keys, classes)}
    if batches is not None and isinstance(method, Encoding):
        real = batches.x.reshape(-1, *game.shape)[: PICTURES // 2]
        labels = batches.label.reshape(-1)[: PICTURES // 2] if method.classes else None
        drawn["reconstruction"] = method.reconstruct(networks, real, labels)
    return drawn


def make_pictures(game: Game, batches: Batch | None) -> Callable[[TrainState], dict[str, np.ndarray]]:
    """A function of the state: what `draw` draws, compiled, as pictures."""
    compiled = jax.jit(partial(draw, game))
    return lambda state: pictures(game, compiled(state, batches), batches)


def pictures(game: Game, drawn: dict[str, Array], batches: Batch | None) -> dict[str, np.ndarray]:
    """What `draw` has drawn as pictures, points among the held-out ones."""
    real = None if batches is None else batches.x.reshape(-1, *game.shape)
    return {name: _picture(name, np.asarray(x), real, _columns(game)) for name, x in drawn.items()}


def _columns(game: Game) -> int:
    """Of a picture of samples, one to a class; 0 leaves it to the picture."""
    return min(game.method.classes, COLUMNS) if len(game.shape) == 3 else 0


def _picture(name: str, x: np.ndarray, real: Array | None, columns: int) -> np.ndarray:
    if x.ndim == 2:
        reference = np.zeros((0, 2), np.float32) if real is None else np.asarray(real)
        return grids.scatter(x, reference)
    images = to_uint8(x)
    if name == "reconstruction":
        assert real is not None
        return grids.pairs(to_uint8(np.asarray(real[: len(images)])), images)
    return grids.tile(images, columns or None)
