"""What a run folder says of itself, gathered once for all findings."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Array, Float, Int

from genlab.config.sections import Config
from genlab.data.feed import to_uint8
from genlab.data.splits import Dataset, Examples, Split
from genlab.evaluate import classifier
from genlab.evaluate.extractors import extract
from genlab.evaluate.inference import over_examples
from genlab.kernels.random import Keys
from genlab.lab.probe import Turn, probe
from genlab.methods.game import Divergent
from genlab.model import Model, load
from genlab.parts.types import Networks
from genlab.track.folder import RunFolder
from genlab.track.rows import Row, rows
from genlab.train.setup import load_data

EXAMPLES = 512  # samples, and held-out examples, that are looked at
MAX_VALUES = 2**26  # numbers of training examples that the nearest ones are sought among: 256 MiB

Images = Float[np.ndarray, "_ *shape"]


@dataclass(frozen=True)
class Samples:
    """Samples beside real examples, images in [-1, 1] or points, as the method sees them."""

    fake: Images
    held_out: Images
    train: Images | None
    """None where no two reads of the data are alike."""
    classes: tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]] | None
    """Those that a classifier sees in the samples and in the held-out examples; None where there is none."""


@dataclass(frozen=True)
class Evidence:
    """All that findings are made of."""

    folder: RunFolder
    config: Config
    step: int
    rows: tuple[Row, ...]
    turns: tuple[Turn, ...]
    samples: Samples | None
    """None where no example is held out, or where samples are not finite."""
    divergences: Float[np.ndarray, "n latent"] | None
    """KL(q(z_i|x) || p(z_i)) of held-out examples in nats; None where no latent has one of its own."""


def gather(run_dir: Path) -> Evidence:
    """The evidence of a run at its newest checkpoint.

    Raises:
        Invalid: the folder holds no run, no checkpoint that can be read, or its data are not to be had.
    """
    folder = RunFolder.open(run_dir)
    recorded = tuple(row for _, row in rows(folder.metrics))
    model = load(run_dir)
    dataset = load_data(model.config)
    fake = model.sample(EXAMPLES)
    held = _read(dataset.validation if len(dataset.validation) else dataset.test, EXAMPLES)
    turns = probe(model.config, dataset, model.game, model.state)
    samples = _samples(model, dataset, fake, held) if len(held.x) > 1 and np.isfinite(fake).all() else None
    divergences = _divergences(model, held) if len(held.x) else None
    step = int(model.state.step)
    return Evidence(folder, model.config, step, recorded, tuple(turns), samples, divergences)


def _read(split: Split, count: int) -> Examples:
    """So many examples that lie evenly in a split, fewer if it has fewer."""
    count = min(count, len(split))
    return split.read(np.arange(count) * len(split) // max(count, 1))


def _samples(model: Model, dataset: Dataset, fake: Images, held: Examples) -> Samples:
    def as_seen(networks: Networks, x: Array, keys: Keys, labels: Array | None) -> Array:
        return x

    own = classifier.bundled(model.config.data.name)
    if model.config.data.kind == "points":
        return Samples(fake, held.x, None, None)
    examples = _read(dataset.train, MAX_VALUES // fake[0].size), held
    train, real = (over_examples(model, x, as_seen, "examples", labels) for x, labels in examples)
    return Samples(fake, real, train, None if own is None else (_classes(own, fake), _classes(own, real)))


def _classes(path: Path, x: Images) -> Int[np.ndarray, " n"]:
    logits = extract(classifier.load(path), to_uint8(x)).logits
    assert logits is not None
    return logits.argmax(1)


def _divergences(model: Model, held: Examples) -> Float[np.ndarray, "n latent"] | None:
    method = model.method
    if not isinstance(method, Divergent):
        return None

    def divergences(networks: Networks, x: Array, keys: Keys, labels: Array | None) -> dict[str, Array]:
        kl = method.divergences(networks, x, keys, labels)
        return {} if kl is None else {"kl": kl}

    return over_examples(model, held.x, divergences, "divergences", held.label).get("kl")
