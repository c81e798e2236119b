"""Every metric by its name: what it needs and the scores it gives."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from genlab.data.toys import DEVIATION, centres
from genlab.errors import Invalid, require
from genlab.evaluate import inference, neighbours, representation
from genlab.evaluate.extractors import Features
from genlab.evaluate.frechet import frechet_between, moments
from genlab.evaluate.kernel import kernel_distance, kernel_subsets
from genlab.evaluate.modes import good_share, modes_covered
from genlab.evaluate.reference import Reference, ReferenceFeatures
from genlab.evaluate.score import inception_score
from genlab.evaluate.transport import transport_distance
from genlab.model import Mixture, Model

ImageMetric = Literal["frechet", "kernel", "score", "precision", "density", "classes", "neighbours"]
PointMetric = Literal["modes", "transport"]
ModelMetric = Literal["likelihood", "reconstruction", "latents", "representation"]
DecoderMetric = Literal["smoothness"]
Metric = ImageMetric | PointMetric | ModelMetric | DecoderMetric

NEIGHBOURS = 10_000  # examples of either kind that metrics of all pairs see, or as many as there are samples
POINTS = 1000  # points that the optimal transport pairs, at most
PROBE = 10_000  # training examples that classifiers of features are fitted to, at most

Scores = dict[str, float]

# scores of which one can be better than another; of the others neither more nor less is better in itself
HIGHER = frozenset(
    ("classifier_score", "inception_score", "precision", "recall", "density", "coverage", "smallest_class")
    + ("label_accuracy", "modes", "good_share", "elbo", "log_likelihood", "ssim", "knn_test", "probe_test")
)
LOWER = frozenset(
    ("frechet", "fid", "kernel_distance", "kid", "transport", "grey_cross_entropy", "bits_per_dimension", "mse")
    + ("path_length",)
)


def main_names(names: Iterable[str]) -> list[str]:
    """Each score's name once, without those of its error and its deviation, which are shown behind it."""
    return [name for name in dict.fromkeys(names) if not name.endswith(("_error", "_std"))]


@dataclass(frozen=True)
class MetricOptions:
    """Settings of single metrics."""

    subsets: tuple[int, int] | None = None
    """Number and size of the kernel distance's random subsets; None takes all pairs."""
    splits: int = 10
    """Parts of the samples for the Inception score."""
    importance: int = 100
    """Draws from the posterior per example, for the bound of the likelihood."""


@dataclass(frozen=True)
class References:
    """The features of real examples that those of samples are compared with."""

    real: ReferenceFeatures
    train: ReferenceFeatures
    held_out: ReferenceFeatures | None
    """Held-out real images, if there are any."""
    options: MetricOptions
    max_examples: int = NEIGHBOURS
    """Examples of either kind that metrics of all pairs see, at most."""

    @property
    def subset(self) -> Float[np.ndarray, "_ d"]:
        """Those of the real examples' features that metrics of all pairs see."""
        return self.real.features.x[: self.max_examples]

    @cached_property
    def squared_radii(self) -> neighbours.SquaredRadii:
        """Squared distances of each of these to its neighbours: the same for all sets of samples."""
        return neighbours.squared_radii(self.subset, neighbours.DENSITY_K)


@dataclass(frozen=True)
class SampleSet:
    """The features of a set of samples, and what they are compared with."""

    features: Features
    references: References
    labels: Int[np.ndarray, " n"] | None = None
    """Theirs, where they have some."""

    @property
    def subset(self) -> Float[np.ndarray, "_ d"]:
        """The features that metrics of all pairs see."""
        return self.features.x[: self.references.max_examples]

    @cached_property
    def overlap(self) -> neighbours.Overlap:
        """Precision, recall, density and coverage, from one pass over the pairs."""
        return neighbours.overlap(self.references.subset, self.subset, self.references.squared_radii)


def frechet(samples: SampleSet) -> Scores:
    name = "fid" if _inception(samples) else "frechet"
    return {name: frechet_between(*samples.references.real.moments, *moments(samples.features.x))}


def kernel(samples: SampleSet) -> Scores:
    subsets = samples.references.options.subsets
    if subsets:
        value, error = kernel_subsets(samples.features.x, samples.references.real.features.x, *subsets, seed=2020)
    else:
        value, error = kernel_distance(samples.references.subset, samples.subset)
    name = "kid" if _inception(samples) else "kernel_distance"
    return {name: value, f"{name}_error": error}


def score(samples: SampleSet) -> Scores:
    splits = samples.references.options.splits
    found = inception_score(_logits(samples, "score"), splits)
    name = "inception_score" if _inception(samples) else "classifier_score"
    return {name: found.value} | ({f"{name}_std": found.error} if splits > 1 else {})


def precision(samples: SampleSet) -> Scores:
    return {name: getattr(samples.overlap, name) for name in ("precision", "recall")}


def density(samples: SampleSet) -> Scores:
    return {name: getattr(samples.overlap, name) for name in ("density", "coverage")}


def classes(samples: SampleSet) -> Scores:
    """The share of samples in the class that has the fewest, and of those in the class that they were to be of."""
    logits = _logits(samples, "classes")
    found = logits.argmax(1)
    scores = {"smallest_class": float((found[:, None] == np.arange(logits.shape[1])).mean(0).min())}
    return scores if samples.labels is None else scores | {"label_accuracy": float((found == samples.labels).mean())}


def nearest(samples: SampleSet) -> Scores:
    train, held_out = samples.references.train, samples.references.held_out
    if held_out is None:
        raise Invalid("metrics: neighbours; needs a test split, to know how near unseen images are; leave it out")
    return {"nearest_ratio": neighbours.nearest_ratio(train.features.x, samples.subset, held_out.features.x)}


def _inception(samples: SampleSet) -> bool:
    return samples.references.real.extractor.name == "inception"


def _logits(samples: SampleSet, metric: str) -> Float[np.ndarray, "n classes"]:
    if samples.features.logits is None:
        raise Invalid(f"metrics: {metric}; needs an extractor with classes (classifier or inception), leave it out")
    return samples.features.logits


IMAGE_METRICS: Mapping[str, Callable[[SampleSet], Scores]] = {
    "frechet": frechet,
    "kernel": kernel,
    "score": score,
    "precision": precision,
    "density": density,
    "classes": classes,
    "neighbours": nearest,
}


def modes(points: np.ndarray, real: Reference, kind: str) -> Scores:
    """Mode coverage of the toy sets that have modes."""
    known, deviation = np.asarray(centres(kind)), DEVIATION[kind]
    return {"modes": float(modes_covered(points, known, deviation)), "good_share": good_share(points, known, deviation)}


def transport(points: np.ndarray, real: Reference, kind: str) -> Scores:
    n = min(POINTS, len(points), len(real.x))
    return {"transport": transport_distance(points[:n], real.x[:n])}


POINT_METRICS: Mapping[str, Callable[[np.ndarray, Reference, str], Scores]] = {"modes": modes, "transport": transport}


def model_metric(
    metric: str, model: Model | Mixture, train: Reference, test: Reference, options: MetricOptions
) -> Scores:
    """The scores of a metric of `ModelMetric`, on held-out examples; of a mixture that of likelihood alone.

    Raises:
        Invalid: the method has nothing of the kind.
    """
    if metric == "likelihood":
        return inference.likelihood(model, test.x, options.importance, test.label)
    (model,) = model.members
    if metric == "reconstruction":
        return inference.reconstruction(model, test.x, test.label)
    if metric == "latents":
        return inference.latents(model, test.x, test.label)
    labels = [part.label[:PROBE] for part in (train, test)]
    train_features, test_features = (
        representation.features(model, part.x[:PROBE], label) for part, label in zip((train, test), labels, strict=True)
    )
    return representation.accuracies(train_features, labels[0], test_features, labels[1])


def select_metrics(metrics: tuple[str, ...], points: bool, classified: bool) -> tuple[str, ...]:
    """The metrics asked for, or those that apply without being asked for.

    Raises:
        Invalid: metrics of images for points, or the other way round.
    """
    allowed, others = (PointMetric, ImageMetric) if points else (ImageMetric, PointMetric)
    wrong = set(metrics) & set(get_args(others))
    if wrong:
        names = ", ".join((*get_args(allowed), *get_args(ModelMetric), *get_args(DecoderMetric)))
        require(False, "metrics", sorted(wrong)[0], f"for {'points' if points else 'images'}; these are: {names}")
    if metrics:
        return metrics
    if points:
        return get_args(PointMetric)
    usual = ("frechet", "kernel", "score", "precision", "density", "classes")
    return tuple(name for name in usual if classified or name not in ("score", "classes"))
