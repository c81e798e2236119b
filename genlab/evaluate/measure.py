"""Every metric by its name: what it needs and the scores it gives."""

from collections.abc import Callable, Mapping
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
from genlab.evaluate.reference import Reference, Seen
from genlab.evaluate.score import inception_score
from genlab.evaluate.transport import transport_distance
from genlab.model import Model

OfImages = Literal["frechet", "kernel", "score", "precision", "density", "classes", "neighbours"]
OfPoints = Literal["modes", "transport"]
OfModels = Literal["likelihood", "reconstruction", "latents", "representation"]
OfDecoders = Literal["smoothness"]
Metric = OfImages | OfPoints | OfModels | OfDecoders

NEIGHBOURS = 10_000  # examples of either kind that metrics of all pairs see, or as many as there are samples
POINTS = 1000  # points that the optimal transport pairs, at most
PROBE = 10_000  # training examples that classifiers of features are fitted to, at most

Scores = dict[str, float]


@dataclass(frozen=True)
class Settings:
    """What some of the metrics can be told."""

    subsets: tuple[int, int] | None = None
    """Number and size of the kernel distance's random subsets; None takes all pairs."""
    splits: int = 10
    """Parts of the samples for the Inception score."""
    importance: int = 100
    """Draws from the posterior per example, for the bound of the likelihood."""


@dataclass(frozen=True)
class Against:
    """What images are measured against."""

    real: Seen
    train: Seen
    unseen: Seen | None
    """Held-out real images, if there are any."""
    settings: Settings
    most: int = NEIGHBOURS
    """Examples of either kind that metrics of all pairs see, at most."""

    @property
    def some(self) -> Float[np.ndarray, "_ d"]:
        """Those of the real examples' features that metrics of all pairs see."""
        return self.real.features.x[: self.most]

    @cached_property
    def reach(self) -> neighbours.Reach:
        """How far the neighbours of each of these are: the same for all sets of samples."""
        return neighbours.reach(self.some, neighbours.DENSITY_K)


@dataclass(frozen=True)
class Drawn:
    """A set of samples, as the extractor sees them."""

    features: Features
    against: Against
    labels: Int[np.ndarray, " n"] | None = None
    """Theirs, where they have some."""

    @property
    def some(self) -> Float[np.ndarray, "_ d"]:
        """The features that metrics of all pairs see."""
        return self.features.x[: self.against.most]

    @cached_property
    def overlap(self) -> neighbours.Overlap:
        """Precision, recall, density and coverage, from one pass over the pairs."""
        return neighbours.overlap(self.against.some, self.some, self.against.reach)


def frechet(drawn: Drawn) -> Scores:
    name = "fid" if _inception(drawn) else "frechet"
    return {name: frechet_between(*drawn.against.real.moments, *moments(drawn.features.x))}


def kernel(drawn: Drawn) -> Scores:
    subsets = drawn.against.settings.subsets
    if subsets:
        value, error = kernel_subsets(drawn.features.x, drawn.against.real.features.x, *subsets, seed=2020)
    else:
        value, error = kernel_distance(drawn.against.some, drawn.some)
    name = "kid" if _inception(drawn) else "kernel_distance"
    return {name: value, f"{name}_error": error}


def score(drawn: Drawn) -> Scores:
    splits = drawn.against.settings.splits
    found = inception_score(_logits(drawn, "score"), splits)
    name = "inception_score" if _inception(drawn) else "classifier_score"
    return {name: found.value} | ({f"{name}_std": found.error} if splits > 1 else {})


def precision(drawn: Drawn) -> Scores:
    return {name: getattr(drawn.overlap, name) for name in ("precision", "recall")}


def density(drawn: Drawn) -> Scores:
    return {name: getattr(drawn.overlap, name) for name in ("density", "coverage")}


def classes(drawn: Drawn) -> Scores:
    """The share of samples in the class that has the fewest, and of those in the class that they were to be of."""
    logits = _logits(drawn, "classes")
    found = logits.argmax(1)
    scores = {"smallest_class": float((found[:, None] == np.arange(logits.shape[1])).mean(0).min())}
    return scores if drawn.labels is None else scores | {"label_accuracy": float((found == drawn.labels).mean())}


def nearest(drawn: Drawn) -> Scores:
    train, unseen = drawn.against.train, drawn.against.unseen
    if unseen is None:
        raise Invalid("metrics: neighbours; needs a test split, to know how near unseen images are; leave it out")
    return {"nearest_ratio": neighbours.nearest_ratio(train.features.x, drawn.some, unseen.features.x)}


def _inception(drawn: Drawn) -> bool:
    return drawn.against.real.extractor.name == "inception"


def _logits(drawn: Drawn, metric: str) -> Float[np.ndarray, "n classes"]:
    if drawn.features.logits is None:
        raise Invalid(f"metrics: {metric}; needs an extractor with classes (classifier or inception), leave it out")
    return drawn.features.logits


OF_IMAGES: Mapping[str, Callable[[Drawn], Scores]] = {
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


OF_POINTS: Mapping[str, Callable[[np.ndarray, Reference, str], Scores]] = {"modes": modes, "transport": transport}


def of_model(metric: str, model: Model, train: Reference, test: Reference, settings: Settings) -> Scores:
    """The scores of a metric of `OfModels`, on held-out examples.

    Raises:
        Invalid: the method has nothing of the kind.
    """
    if metric == "likelihood":
        return inference.likelihood(model, test.x, settings.importance, test.label)
    if metric == "reconstruction":
        return inference.reconstruction(model, test.x, test.label)
    if metric == "latents":
        return inference.latents(model, test.x, test.label)
    labels = [part.label[:PROBE] for part in (train, test)]
    fitted, unseen = (
        representation.features(model, part.x[:PROBE], label) for part, label in zip((train, test), labels, strict=True)
    )
    return representation.accuracies(fitted, labels[0], unseen, labels[1])


def chosen(metrics: tuple[str, ...], points: bool, classified: bool) -> tuple[str, ...]:
    """The metrics asked for, or those that apply without being asked for.

    Raises:
        Invalid: metrics of images for points, or the other way round.
    """
    mine, others = (OfPoints, OfImages) if points else (OfImages, OfPoints)
    wrong = set(metrics) & set(get_args(others))
    if wrong:
        allowed = ", ".join((*get_args(mine), *get_args(OfModels), *get_args(OfDecoders)))
        require(False, "metrics", sorted(wrong)[0], f"for {'points' if points else 'images'}; these are: {allowed}")
    if metrics:
        return metrics
    if points:
        return get_args(OfPoints)
    usual = ("frechet", "kernel", "score", "precision", "density", "classes")
    return tuple(name for name in usual if classified or name not in ("score", "classes"))
