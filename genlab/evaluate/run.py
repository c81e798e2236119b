"""Models and foreign images measured: from what the user asks for to results with their stamps."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from genlab.config.sections import Parallel
from genlab.data.config import Data
from genlab.data.sources import load
from genlab.data.splits import Dataset
from genlab.data.toys import DEVIATION
from genlab.errors import Invalid, require
from genlab.evaluate import classifier, inception, inference, neighbours
from genlab.evaluate.devices import ALL
from genlab.evaluate.extractors import Extractor, Pixels, extract
from genlab.evaluate.measure import (
    NEIGHBOURS,
    OF_IMAGES,
    OF_POINTS,
    Against,
    Drawn,
    Metric,
    OfDecoders,
    OfModels,
    Scores,
    Settings,
    chosen,
    of_model,
)
from genlab.evaluate.protocol import PROTOCOLS, BatchNorm, Stamp, seeds
from genlab.evaluate.reference import Seen, examples
from genlab.evaluate.samples import QUANTISED, Foreign, Sampler
from genlab.evaluate.smoothness import path_length
from genlab.model import Model
from genlab.track import grids

PICTURED = 32  # samples shown beside their nearest training images
Draw = tuple[np.ndarray, np.ndarray | None]  # samples and, where they are of classes, their labels
MOST = 10_000  # samples, unless another number is asked for
ENOUGH = 500  # samples a part of the Inception score should have


@dataclass(frozen=True)
class Wish:
    """How to measure."""

    metrics: tuple[Metric, ...] = ()
    """What to measure; by default all that samples alone tell. The others: neighbours, a memorisation check with its
    picture; likelihood, reconstruction, latents, representation, of the model on held-out examples; smoothness, the
    perceptual path length between samples."""
    n: int | None = None
    """Samples; by default as many as there are real test images, 10,000 at most, so that both can be compared."""
    seeds: int = 3
    """Sets of so many samples; scores are means over them."""
    split: Literal["train", "train+validation", "test"] = "train"
    """Real examples to measure against."""
    n_real: int | None = None
    """How many of them; all by default."""
    extractor: Literal["auto", "pixels", "classifier", "inception"] = "auto"
    """What features are taken with. auto: the classifier that comes with genlab for the set, else pixels."""
    weights: Path | None = None
    """The extractor's weights: `.pth` or `.safetensors` for inception, train_classifier.py's for classifier."""
    grey: Literal["refused", "repeated"] = "refused"
    """What inception does with grey images: repeated feeds it three copies."""
    batch_norm: BatchNorm = "average"
    """Batch norm in sampling: running averages, or the statistics of batches of 100."""
    importance: int = 100
    """Draws from the posterior per example, for the bound of the likelihood."""
    protocol: Literal["none", "lucic", "mimicry", "studiogan", "paper"] = "none"
    """A published protocol, which sets n, seeds, split, n_real, extractor, batch_norm and --no-ema."""

    def __post_init__(self) -> None:
        require(self.n is None or self.n >= 6, "n", self.n, "at least 6, five neighbours and the sample itself")
        require(self.n_real is None or self.n_real >= 6, "n_real", self.n_real, "at least 6")
        require(self.seeds >= 1, "seeds", self.seeds, "at least 1")
        require(self.importance >= 1, "importance", self.importance, "at least 1")


@dataclass(frozen=True)
class Result:
    """The scores of one thing that was measured."""

    name: str
    """What was measured: a run folder, a file of images, or "real"."""
    stamp: Stamp
    scores: Scores
    """Means over the seeds."""
    spread: Scores = field(default_factory=dict)
    """Standard deviations over the seeds."""
    run: Path | None = None
    """The run's folder."""
    step: int | None = None
    """The checkpoint's iteration."""
    which: str = ""
    """Whether that is the "best" checkpoint, the "last", or both."""
    picture: np.ndarray | None = None
    """Samples above their nearest training images."""


@dataclass(frozen=True)
class Subject:
    """A model to measure."""

    run: Path
    model: Model
    which: str = "last"

    def result(
        self, stamp: Stamp, scores: Scores, spread: Scores | None = None, picture: np.ndarray | None = None
    ) -> Result:
        """Its scores."""
        step = int(self.model.state.step)
        return Result(str(self.run), stamp, scores, spread or {}, self.run, step, self.which, picture)


class Bench:
    """Everything to measure one data set with: real examples, extractor, metrics; on the devices of `parallel`."""

    def __init__(self, data: Data, wish: Wish, parallel: Parallel = ALL):
        published = PROTOCOLS.get(wish.protocol)
        if published:
            own = {"seeds", "split", "n_real", "extractor", "batch_norm"}
            changed = {name: value for name, value in vars(published).items() if name in own}
            wish = dataclasses.replace(wish, n=published.n_generated, **changed)
        self.data, self.wish, self.published, self.parallel = data, wish, published, parallel
        self.dataset: Dataset = load(data)
        self.points = data.kind == "points"
        self.extractor: Extractor | None = None if self.points else make_extractor(data.name, self.dataset.shape, wish)
        self.real = examples(self.dataset, wish.split, wish.n_real)
        self.train = self.real if (wish.split, wish.n_real) == ("train", None) else examples(self.dataset, "train")
        whole_test = (wish.split, wish.n_real) == ("test", None)
        held = examples(self.dataset, "test") if len(self.dataset.test) else None
        self.test = self.real if whole_test else held
        self.n = wish.n or min(MOST, len(self.test.x) if self.test else MOST)
        self.quantised = published.quantised if published else "round"
        splits = published.splits if published else min(10, max(1, self.n // ENOUGH))
        self.settings = Settings(published.subsets if published else None, splits, wish.importance)
        classified = self.extractor is not None and self.extractor.name != "pixels"
        asked = chosen(wish.metrics, self.points, classified)
        self.of_models = tuple(name for name in asked if name in get_args(OfModels))
        self.of_decoders = tuple(name for name in asked if name in get_args(OfDecoders))
        self.of_samples = tuple(name for name in asked if name not in (*self.of_models, *self.of_decoders))
        if self.points and data.place not in DEVIATION:
            if "modes" in wish.metrics:
                raise Invalid(f"metrics: modes; {data.name} has none, leave it out")
            self.of_samples = tuple(name for name in self.of_samples if name != "modes")
        if self.extractor:
            seen = {id(r): Seen(r, self.extractor, parallel) for r in (self.real, self.train, self.test) if r}
            unseen = seen[id(self.test)] if self.test else None
            most = max(NEIGHBOURS, self.n)
            self.against = Against(seen[id(self.real)], seen[id(self.train)], unseen, self.settings, most)

    def stamp(self, n: int | None) -> Stamp:
        """What all samples measured here share."""
        extractor, kernel = self.extractor, self.settings.subsets
        everyone = Stamp(self.dataset.name, self.real.split, self.real.digest, len(self.real.x), n)
        everyone = dataclasses.replace(everyone, protocol=self.wish.protocol.removeprefix("none"))
        if extractor is None:
            return dataclasses.replace(everyone, extractor="coordinates")
        return dataclasses.replace(
            everyone,
            extractor=extractor.name,
            weights=extractor.digest or None,
            resize=extractor.resize,
            grey=extractor.grey if self.dataset.shape[-1] == 1 else None,
            n_neighbours=self.against.most,
            kernel=f"{kernel[0]} subsets of {kernel[1]}" if kernel else "all pairs",
            splits=self.settings.splits,
        )

    def samples(self, sets: Iterator[Draw]) -> tuple[Scores, Scores, np.ndarray | None]:
        """Mean and spread of the scores of several sets of samples; the first set's picture, if it is asked for."""
        found, picture = [], None
        for x, labels in sets:
            scores, fake = self._scores(x, labels)
            found.append(scores)
            if "neighbours" in self.of_samples and picture is None:
                picture = self._picture(x, fake)
        mean = {name: float(np.mean([scores[name] for scores in found])) for name in found[0]}
        spread = {name: float(np.std([scores[name] for scores in found], ddof=1)) for name in mean if len(found) > 1}
        return mean, spread, picture

    def _scores(self, x: np.ndarray, labels: np.ndarray | None) -> tuple[Scores, np.ndarray]:
        scores: Scores = {}
        if self.extractor is None:
            for name in self.of_samples:
                scores |= OF_POINTS[name](x, self.real, self.data.place)
            return scores, x
        shape = self.dataset.shape
        require(x.shape[1:] == shape, "images", x.shape[1:], f"of the real images' shape {shape}")
        drawn = Drawn(extract(self.extractor, x, self.parallel), self.against, labels)
        for name in self.of_samples:
            scores |= OF_IMAGES[name](drawn)
        return scores, drawn.some

    def _picture(self, x: np.ndarray, fake: np.ndarray) -> np.ndarray:
        """The samples nearest to a training image, nearest first, each above that image."""
        train = self.against.train
        index, squared = neighbours.nearest(fake, train.features.x)
        shown = np.argsort(squared)[:PICTURED]
        return grids.pairs(x[shown], train.reference.x[index[shown]])

    def floor(self) -> Result | None:
        """Held-out real examples in the place of samples."""
        held = (self.test if self.wish.split != "test" else self.train) if self.of_samples else None
        if held is None or len(held.x) < 6:
            return None
        x = held.x[: self.n]
        scores, _, _ = self.samples(iter([(x, None)]))
        return Result("real", self.stamp(len(x)), scores)

    def foreign(self, images: Foreign) -> Result:
        """Images of another program."""
        drawn = seeds(self.wish.seeds if self.n < len(images.images) else 1)
        mean, spread, picture = self.samples((images.draw(self.n, seed), None) for seed in drawn)
        return Result(str(images.place), self.stamp(self.n), mean, spread, picture=picture)

    def model(self, subject: Subject) -> Iterator[Result]:
        """A model's samples, then what the model says of held-out examples."""
        if self.of_samples or self.of_decoders:
            yield self._sampled(subject)
        if self.of_models:
            yield self._asked(subject)

    def _sampled(self, subject: Subject) -> Result:
        model, numbers, parallel = subject.model, seeds(self.wish.seeds), subject.model.config.parallel
        sampler = Sampler(model.game, model.ema, self.wish.batch_norm)
        quantised = (lambda x: x) if self.points else QUANTISED[self.quantised]
        sets = (
            (
                quantised(sampler.draw(model.state, self.n, seed, str(subject.run), parallel)),
                sampler.labels(self.n, seed),
            )
            for seed in numbers
        )
        stamp = dataclasses.replace(
            self.stamp(self.n),
            quantised=None if self.points else self.quantised,
            ema=model.ema,
            batch_norm=self.wish.batch_norm,
            seeds=numbers,
        )
        mean, spread, picture = self.samples(sets) if self.of_samples else ({}, {}, None)
        if self.of_decoders:
            mean |= path_length(model, self.extractor, self.n)
        return subject.result(stamp, mean, spread, picture)

    def _asked(self, subject: Subject) -> Result:
        if self.test is None:
            raise Invalid(f"metrics: {self.of_models[0]}; needs a test split, which {self.dataset.name} has not")
        scores: Scores = {}
        for name in self.of_models:
            scores |= of_model(name, subject.model, self.train, self.test, self.settings)
        model, data = subject.model, subject.model.config.data
        stamp = Stamp(
            self.dataset.name,
            "test",
            self.test.digest,
            len(self.test.x),
            binarised=inference.binarised(data, self.test.x),
            dequantised=None if self.points else data.dequantise,
            ema=model.ema,
        )
        if "likelihood" in self.of_models:
            observation = getattr(model.method, "observation", None)
            stamp = dataclasses.replace(stamp, importance=self.wish.importance, observation=observation)
        return subject.result(stamp, scores)


def make_extractor(name: str, shape: tuple[int, ...], wish: Wish) -> Extractor:
    """The extractor that the user asks for, or that the data set calls for.

    Raises:
        Invalid: there are no weights for it, or it cannot read such images.
    """
    kind, own = wish.extractor, classifier.shipped(name)
    if kind == "inception":
        if wish.weights is None:
            raise Invalid("weights: none; inception needs a file, such as pt_inception-2015-12-05-6726825d.pth")
        found: Extractor = inception.load(wish.weights, wish.grey == "repeated")
    elif kind == "classifier" or (kind == "auto" and own and classifier.load(own).shape == shape):
        path = wish.weights or own
        if path is None:
            raise Invalid(f"weights: none; {name} needs a file that scripts/train_classifier.py writes")
        found = classifier.load(path)
    else:
        found = Pixels()
    found.check(shape)
    return found


def evaluate(subjects: Sequence[Subject], foreign: Mapping[Path, Foreign], data: Data, wish: Wish) -> list[Result]:
    """Real held-out examples first, where there are any, then models, then foreign images.

    `data` is what foreign images are measured against where there is no model; otherwise the models' own set. Models
    are spread over devices as their runs were, as far as there are so many; all else as the first of them.

    Raises:
        Invalid: nothing to measure, models of different data sets, and whatever cannot be measured.
    """
    require(bool(subjects or foreign), "run_dirs", [], "at least one folder of a run, --npz or --folder")
    sets = {(s.model.config.data.name, s.model.shape): s.model.config.data for s in subjects}
    spoken = ", ".join(sorted(f"{name} {shape}" for name, shape in sets))
    require(len(sets) <= 1, "run_dirs", spoken, "one data set; evaluate each by itself")
    parallel = subjects[0].model.config.parallel if subjects else ALL
    bench = Bench(next(iter(sets.values()), data), wish, parallel)
    results = [floor] if (floor := bench.floor()) else []
    for subject in subjects:
        results += bench.model(subject)
    return results + [bench.foreign(images) for images in foreign.values()]
