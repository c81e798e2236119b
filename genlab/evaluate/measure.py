"""Every metric by its name: what it needs and the scores it gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from genlab.train.model import Model

OfImages = Literal["frechet", "kernel", "score", "precision", "density", "classes", "neighbours"]
OfPoints = Literal["modes", "transport"]
OfModels = Literal["likelihood", "reconstruction", "latents", "representation"]
OfDecoders = Literal["smoothness"]
Metric = OfImages | OfPoints | OfModels | OfDecoders

NEIGHBOURS = 10_000  # examples of either kind that metrics of all pairs see, at most
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
    labels: Int[np.ndarray, " n"] | None = None
    """Of the samples, where they have some."""


def frechet(fake: Features, against: Against) -> Scores:
    name = "fid" if _inception(against) else "frechet"
    return {name: frechet_between(*against.real.moments, *moments(fake.x))}


def kernel(fake: Features, against: Against) -> Scores:
    real, subsets = against.real.features.x, against.settings.subsets
    if subsets:
        value, error = kernel_subsets(fake.x, real, *subsets, seed=2020)
    else:
        value, error = kernel_distance(real[:NEIGHBOURS], fake.x[:NEIGHBOURS])
    name = "kid" if _inception(against) else "kernel_distance"
    return {name: value, f"{name}_error": error}


def score(fake: Features, against: Against) -> Scores:
    found = inception_score(_logits(fake, "score"), against.settings.splits)
    name = "inception_score" if _inception(against) else "classifier_score"
    return {name: found.value} | ({f"{name}_std": found.error} if against.settings.splits > 1 else {})


def precision(fake: Features, against: Against) -> Scores:
    found = neighbours.precision_recall(against.real.features.x[:NEIGHBOURS], fake.x[:NEIGHBOURS])
    return dict(zip(("precision", "recall"), found, strict=True))


def density(fake: Features, against: Against) -> Scores:
    found = neighbours.density_coverage(against.real.features.x[:NEIGHBOURS], fake.x[:NEIGHBOURS])
    return dict(zip(("density", "coverage"), found, strict=True))


def classes(fake: Features, against: Against) -> Scores:
    """The share of samples in the class that has the fewest, and of those in the class that they were to be of."""
    logits = _logits(fake, "classes")
    found = logits.argmax(1)
    scores = {"smallest_class": float((found[:, None] == np.arange(logits.shape[1])).mean(0).min())}
    return scores if against.labels is None else scores | {"label_accuracy": float((found == against.labels).mean())}


def nearest(fake: Features, against: Against) -> Scores:
    if against.unseen is None:
        raise Invalid("metrics: neighbours; needs a test split, to know how near unseen images are; leave it out")
    unseen = against.unseen.features.x
    return {"nearest_ratio": neighbours.nearest_ratio(against.train.features.x, fake.x[:NEIGHBOURS], unseen)}


def _inception(against: Against) -> bool:
    return against.real.extractor.name == "inception"


def _logits(features: Features, metric: str) -> Float[np.ndarray, "n classes"]:
    if features.logits is None:
        raise Invalid(f"metrics: {metric}; needs an extractor with classes (classifier or inception), leave it out")
    return features.logits


OF_IMAGES: Mapping[str, Callable[[Features, Against], Scores]] = {
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
