"""Models, and images of other programs, measured: from the user's settings to results with their stamps."""

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
    IMAGE_METRICS,
    NEIGHBOURS,
    POINT_METRICS,
    DecoderMetric,
    Metric,
    MetricOptions,
    ModelMetric,
    References,
    SampleSet,
    Scores,
    model_metric,
    select_metrics,
)
from genlab.evaluate.protocol import PROTOCOLS, BatchNorm, Stamp, seeds
from genlab.evaluate.reference import ReferenceFeatures, examples
from genlab.evaluate.samples import QUANTISED, ExternalImages, Sampler
from genlab.evaluate.smoothness import path_length
from genlab.model import Mixture, Model, in_order
from genlab.track import grids

N_PICTURED = 32  # samples shown beside their nearest training images
LabelledSamples = tuple[np.ndarray, np.ndarray | None]  # samples and, where they are of classes, their labels
MAX_SAMPLES = 10_000  # samples, unless another number is asked for
MIN_PER_SPLIT = 500  # samples a part of the Inception score should have


@dataclass(frozen=True)
class Settings:
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
    """The checkpoint's iteration; None of a mixture."""
    which: str = ""
    """Whether that is the "best" checkpoint, the "last", or both; or a "mixture" of several."""
    picture: np.ndarray | None = None
    """Samples above their nearest training images."""
    steps: tuple[int, ...] = ()
    """The iterations of a mixture's checkpoints."""


@dataclass(frozen=True)
class Run:
    """A trained model to measure: one checkpoint of a run, or a mixture of several."""

    folder: Path
    model: Model | Mixture
    which: str = "last"

    def result(
        self, stamp: Stamp, scores: Scores, spread: Scores | None = None, picture: np.ndarray | None = None
    ) -> Result:
        """Its scores."""
        steps = self.model.steps
        step, several = (steps[0], ()) if len(steps) == 1 else (None, steps)
        return Result(str(self.folder), stamp, scores, spread or {}, self.folder, step, self.which, picture, several)

    def draw(self, sampler: Sampler, n: int, seed: int) -> np.ndarray:
        """Its first `n` samples of a seed."""
        shares, parallel = self.model.shares(n, seed), self.model.config.parallel
        return in_order(
            shares,
            [sampler.draw_at(member.state, index, seed, str(self.folder), parallel) for member, index in shares],
        )


class Evaluator:
    """Everything to measure one data set with: real examples, extractor, metrics; on the devices of `parallel`."""

    def __init__(self, data: Data, settings: Settings, parallel: Parallel = ALL):
        published = PROTOCOLS.get(settings.protocol)
        if published:
            own = {"seeds", "split", "n_real", "extractor", "batch_norm"}
            changed = {name: value for name, value in vars(published).items() if name in own}
            settings = dataclasses.replace(settings, n=published.n_generated, **changed)
        self.data, self.settings, self.published, self.parallel = data, settings, published, parallel
        self.dataset: Dataset = load(data)
        self.points = data.kind == "points"
        self.extractor: Extractor | None = (
            None if self.points else make_extractor(data.name, self.dataset.shape, settings)
        )
        self.real = examples(self.dataset, settings.split, settings.n_real)
        self.train = (
            self.real if (settings.split, settings.n_real) == ("train", None) else examples(self.dataset, "train")
        )
        whole_test = (settings.split, settings.n_real) == ("test", None)
        held = examples(self.dataset, "test") if len(self.dataset.test) else None
        self.test = self.real if whole_test else held
        self.n = settings.n or min(MAX_SAMPLES, len(self.test.x) if self.test else MAX_SAMPLES)
        self.quantised = published.quantised if published else "round"
        splits = published.splits if published else min(10, max(1, self.n // MIN_PER_SPLIT))
        self.options = MetricOptions(published.subsets if published else None, splits, settings.importance)
        classified = self.extractor is not None and self.extractor.name != "pixels"
        metrics = select_metrics(settings.metrics, self.points, classified)
        self.model_metrics = tuple(name for name in metrics if name in get_args(ModelMetric))
        self.decoder_metrics = tuple(name for name in metrics if name in get_args(DecoderMetric))
        self.sample_metrics = tuple(
            name for name in metrics if name not in (*self.model_metrics, *self.decoder_metrics)
        )
        if self.points and data.place not in DEVIATION:
            if "modes" in settings.metrics:
                raise Invalid(f"metrics: modes; {data.name} has none, leave it out")
            self.sample_metrics = tuple(name for name in self.sample_metrics if name != "modes")
        if self.extractor:
            sets = [reference for reference in (self.real, self.train, self.test) if reference]
            features = {id(x): ReferenceFeatures(x, self.extractor, parallel) for x in sets}
            held_out = features[id(self.test)] if self.test else None
            max_examples = max(NEIGHBOURS, self.n)
            real, train = features[id(self.real)], features[id(self.train)]
            self.references = References(real, train, held_out, self.options, max_examples)

    def stamp(self, n: int | None) -> Stamp:
        """What all samples measured here share."""
        extractor, kernel = self.extractor, self.options.subsets
        stamp = Stamp(self.dataset.name, self.real.split, self.real.digest, len(self.real.x), n)
        stamp = dataclasses.replace(stamp, protocol=self.settings.protocol.removeprefix("none"))
        if extractor is None:
            return dataclasses.replace(stamp, extractor="coordinates")
        return dataclasses.replace(
            stamp,
            extractor=extractor.name,
            weights=extractor.digest or None,
            resize=extractor.resize,
            grey=extractor.grey if self.dataset.shape[-1] == 1 else None,
            n_neighbours=self.references.max_examples,
            kernel=f"{kernel[0]} subsets of {kernel[1]}" if kernel else "all pairs",
            splits=self.options.splits,
        )

    def score_samples(self, sets: Iterator[LabelledSamples]) -> tuple[Scores, Scores, np.ndarray | None]:
        """Mean and spread of the scores of several sets of samples; the first set's picture, if it is asked for."""
        found, picture = [], None
        for x, labels in sets:
            scores, fake = self._scores(x, labels)
            found.append(scores)
            if "neighbours" in self.sample_metrics and picture is None:
                picture = self._picture(x, fake)
        mean = {name: float(np.mean([scores[name] for scores in found])) for name in found[0]}
        spread = {name: float(np.std([scores[name] for scores in found], ddof=1)) for name in mean if len(found) > 1}
        return mean, spread, picture

    def _scores(self, x: np.ndarray, labels: np.ndarray | None) -> tuple[Scores, np.ndarray]:
        scores: Scores = {}
        if self.extractor is None:
            for name in self.sample_metrics:
                scores |= POINT_METRICS[name](x, self.real, self.data.place)
            return scores, x
        shape = self.dataset.shape
        require(x.shape[1:] == shape, "images", x.shape[1:], f"of the real images' shape {shape}")
        samples = SampleSet(extract(self.extractor, x, self.parallel), self.references, labels)
        for name in self.sample_metrics:
            scores |= IMAGE_METRICS[name](samples)
        return scores, samples.subset

    def _picture(self, x: np.ndarray, fake: np.ndarray) -> np.ndarray:
        """The samples nearest to a training image, nearest first, each above that image."""
        train = self.references.train
        index, squared = neighbours.nearest(fake, train.features.x)
        shown = np.argsort(squared)[:N_PICTURED]
        return grids.pairs(x[shown], train.reference.x[index[shown]])

    def evaluate_real(self) -> Result | None:
        """Held-out real examples in the place of samples; None where there are too few."""
        held = (self.test if self.settings.split != "test" else self.train) if self.sample_metrics else None
        if held is None or len(held.x) < 6:
            return None
        x = held.x[: self.n]
        scores, _, _ = self.score_samples(iter([(x, None)]))
        return Result("real", self.stamp(len(x)), scores)

    def evaluate_images(self, images: ExternalImages) -> Result:
        """Images of another program."""
        set_seeds = seeds(self.settings.seeds if self.n < len(images.images) else 1)
        mean, spread, picture = self.score_samples((images.draw(self.n, seed), None) for seed in set_seeds)
        return Result(str(images.place), self.stamp(self.n), mean, spread, picture=picture)

    def check(self, model: Model | Mixture) -> None:
        """That all that is to be measured can be.

        Raises:
            Invalid: a mixture has no such thing.
        """
        alone = [name for name in (*self.model_metrics, *self.decoder_metrics) if name != "likelihood"]
        if len(model.members) > 1 and alone:
            raise Invalid(f"metrics: {alone[0]}; a mixture of checkpoints has none, leave it out")

    def evaluate_run(self, run: Run) -> Iterator[Result]:
        """A model's samples, then what the model says of held-out examples."""
        if self.sample_metrics or self.decoder_metrics:
            yield self._evaluate_samples(run)
        if self.model_metrics:
            yield self._evaluate_model(run)

    def _evaluate_samples(self, run: Run) -> Result:
        model, set_seeds = run.model, seeds(self.settings.seeds)
        sampler = Sampler(model.game, model.ema, self.settings.batch_norm)
        quantised = (lambda x: x) if self.points else QUANTISED[self.quantised]
        sets = ((quantised(run.draw(sampler, self.n, seed)), sampler.labels(self.n, seed)) for seed in set_seeds)
        stamp = dataclasses.replace(
            self.stamp(self.n),
            quantised=None if self.points else self.quantised,
            ema=model.ema,
            batch_norm=self.settings.batch_norm,
            seeds=set_seeds,
        )
        mean, spread, picture = self.score_samples(sets) if self.sample_metrics else ({}, {}, None)
        if self.decoder_metrics:
            mean |= path_length(model.members[0], self.extractor, self.n)
        return run.result(stamp, mean, spread, picture)

    def _evaluate_model(self, run: Run) -> Result:
        if self.test is None:
            raise Invalid(f"metrics: {self.model_metrics[0]}; needs a test split, which {self.dataset.name} has not")
        scores: Scores = {}
        for name in self.model_metrics:
            scores |= model_metric(name, run.model, self.train, self.test, self.options)
        model, data = run.model, run.model.config.data
        stamp = Stamp(
            self.dataset.name,
            "test",
            self.test.digest,
            len(self.test.x),
            binarised=inference.binarised(data, self.test.x),
            dequantised=None if self.points else data.dequantise,
            ema=model.ema,
        )
        if "likelihood" in self.model_metrics:
            observation = getattr(model.method, "observation", None)
            stamp = dataclasses.replace(stamp, importance=self.settings.importance, observation=observation)
        return run.result(stamp, scores)


def make_extractor(name: str, shape: tuple[int, ...], settings: Settings) -> Extractor:
    """The extractor that the user asks for, or that the data set calls for.

    Raises:
        Invalid: there are no weights for it, or it cannot read such images.
    """
    kind, own = settings.extractor, classifier.bundled(name)
    if kind == "inception":
        if settings.weights is None:
            raise Invalid("weights: none; inception needs a file, such as pt_inception-2015-12-05-6726825d.pth")
        found: Extractor = inception.load(settings.weights, settings.grey == "repeated")
    elif kind == "classifier" or (kind == "auto" and own and classifier.load(own).shape == shape):
        path = settings.weights or own
        if path is None:
            raise Invalid(f"weights: none; {name} needs a file that scripts/train_classifier.py writes")
        found = classifier.load(path)
    else:
        found = Pixels()
    found.check(shape)
    return found


def evaluate(
    runs: Sequence[Run], external: Mapping[Path, ExternalImages], data: Data, settings: Settings
) -> list[Result]:
    """Real held-out examples first, where there are any, then models, then images of other programs.

    `data` is what those images are measured against where there is no model; otherwise the models' own set. Models
    are spread over devices as their runs were, as far as there are so many; all else as the first of them.

    Raises:
        Invalid: nothing to measure, models of different data sets, and whatever cannot be measured.
    """
    require(bool(runs or external), "run_dirs", [], "at least one folder of a run, --npz or --folder")
    sets = {(run.model.config.data.name, run.model.shape): run.model.config.data for run in runs}
    names = ", ".join(sorted(f"{name} {shape}" for name, shape in sets))
    require(len(sets) <= 1, "run_dirs", names, "one data set; evaluate each by itself")
    parallel = runs[0].model.config.parallel if runs else ALL
    evaluator = Evaluator(next(iter(sets.values()), data), settings, parallel)
    for run in runs:
        evaluator.check(run.model)
    results = [real] if (real := evaluator.evaluate_real()) else []
    for run in runs:
        results += evaluator.evaluate_run(run)
    return results + [evaluator.evaluate_images(images) for images in external.values()]
