"""What a run folder says of itself, gathered once for all findings."""

import contextlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from genlab.config.plain import from_dict, read
from genlab.config.sections import Config
from genlab.data.feed import to_float, to_uint8
from genlab.data.splits import Dataset, Examples, Split
from genlab.errors import Invalid
from genlab.evaluate import classifier
from genlab.evaluate.extractors import extract
from genlab.evaluate.inference import over_examples
from genlab.evaluate.samples import Sampler
from genlab.kernels.random import Keys, example_keys
from genlab.lab.origin import Origin, find_origin
from genlab.lab.probe import Probe, Turn
from genlab.lab.start import Start, fresh, starts
from genlab.methods.game import Divergent
from genlab.model import Model, load
from genlab.parts.types import Networks
from genlab.track.folder import RunFolder
from genlab.track.rows import Row, rows
from genlab.train.setup import load_data
from genlab.train.state import Game, TrainState, stream

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
    starts: tuple[Start, ...] = ()
    """Empty of a run that started with another's networks."""
    origin: Origin | None = None
    """Where a run that diverged first held numbers that are not finite; None where that could not be repeated."""


class Examiner(contextlib.AbstractContextManager["Examiner"]):
    """Gathers the evidence of one run at any of its states; what is compiled or read for one serves the next."""

    def __init__(self, folder: RunFolder, config: Config, dataset: Dataset, game: Game):
        self._folder, self._config, self._dataset, self._game = folder, config, dataset, game
        self._probe = Probe(config, dataset, game)
        self._sampler = Sampler(game, True, "average")

    def __exit__(self, *_: object) -> None:
        self._probe.__exit__()

    def evidence(self, state: TrainState) -> Evidence:
        """All there is of this state, which is on the host or on one device, and of what the folder has recorded."""
        config, held = self._config, self._held
        model = Model(config, self._game.shape, self._game, state, True)
        return Evidence(
            folder=self._folder,
            config=config,
            step=int(state.step),
            rows=tuple(row for _, row in rows(self._folder.metrics)),
            turns=self._probe(state),
            samples=self._samples(state) if len(held.x) > 1 else None,
            divergences=_divergences(model, held) if len(held.x) else None,
            starts=self._starts,
        )

    @cached_property
    def _starts(self) -> tuple[Start, ...]:
        return () if self._config.init.run_dir else starts(self._config, self._dataset, self._game)

    @cached_property
    def _held(self) -> Examples:
        dataset = self._dataset
        return _read(dataset.validation if len(dataset.validation) else dataset.test, EXAMPLES)

    def _samples(self, state: TrainState) -> Samples | None:
        try:
            fake = self._sampler.draw(state, EXAMPLES, 0, "the doctor's", self._config.parallel)
        except Invalid:  # they are not finite
            return None
        if self._config.data.kind == "points":
            return Samples(fake, self._held.x, None, None)
        train, real = self._images
        own = classifier.bundled(self._config.data.name)
        return Samples(fake, real, train, None if own is None else (_classes(own, fake), _classes(own, real)))

    @cached_property
    def _images(self) -> tuple[Images, Images]:
        """Training and held-out images as the method sees them."""

        def as_seen(examples: Examples) -> Images:
            keys = example_keys(stream(0, "inference"), jnp.arange(len(examples.x)))
            return np.asarray(to_float(jnp.asarray(examples.x), keys, self._config.data.unaugmented))

        train = _read(self._dataset.train, MAX_VALUES // int(np.prod(self._game.shape)))
        return as_seen(train), as_seen(self._held)


def gather(run_dir: Path) -> Evidence:
    """The evidence of a run at its newest checkpoint, or at its start if it has none.

    Raises:
        Invalid: the folder holds no run, no checkpoint that can be read, or its data are not to be had.
    """
    folder = RunFolder.open(run_dir)
    config = from_dict(read(folder.config)["config"])
    dataset = load_data(config)
    if any(path.name.isdigit() for path in folder.checkpoints.glob("*")) or config.init.run_dir:
        model = load(run_dir)
        game, state = model.game, model.state
    else:
        game = Game.of(config, dataset.shape)
        state = fresh(game, dataset, config)
    with Examiner(folder, config, dataset, game) as examiner:
        found = examiner.evidence(state)
    return replace(found, origin=find_origin(config, dataset, game, state, found.rows))


def _read(split: Split, count: int) -> Examples:
    """So many examples that lie evenly in a split, fewer if it has fewer."""
    count = min(count, len(split))
    return split.read(np.arange(count) * len(split) // max(count, 1))


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
