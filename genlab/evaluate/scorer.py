"""The cheap score of samples while training: against the validation split, with fixed latents."""

import numpy as np

from genlab.config.sections import Config
from genlab.data.feed import to_uint8
from genlab.data.splits import Dataset
from genlab.errors import require
from genlab.evaluate.evaluator import Settings, make_extractor
from genlab.evaluate.extractors import extract
from genlab.evaluate.kernel import kernel_distance
from genlab.evaluate.samples import Sampler
from genlab.evaluate.transport import transport_distance
from genlab.train.observer import Scorer, Scores
from genlab.train.state import Game, TrainState

EXAMPLES = 2048  # held-out images, and samples, at most
POINTS = 1000


def make_scorer(config: Config, game: Game, dataset: Dataset) -> Scorer:
    """A function of the state: the kernel distance of images, or the optimal transport of points, as `config.monitor`.

    The kernel distance is unbiased, so that few examples, as validation has them, do; features are those of the
    classifier that comes with genlab for the set, else pixels.

    Raises:
        Invalid: fewer than 3 held-out examples.
    """
    n = min(len(dataset.validation), EXAMPLES if len(game.shape) == 3 else POINTS)
    require(n >= 3, "evaluate.every", config.evaluate.every, "possible without a validation split (data.validation)")
    real = dataset.validation.read(np.arange(n)).x
    sampler, parallel = Sampler(game, True, "average"), config.parallel

    def score_points(state: TrainState) -> Scores:
        distance = transport_distance(real, sampler.draw(state, n, 0, "points", parallel))
        return distance, {"eval/transport": distance}

    if len(game.shape) == 1:
        return score_points
    extractor = make_extractor(dataset.name, dataset.shape, Settings())
    real_features = extract(extractor, real, parallel).x

    def score_images(state: TrainState) -> Scores:
        fake = extract(extractor, to_uint8(sampler.draw(state, n, 0, "images", parallel)), parallel).x
        found = kernel_distance(real_features, fake)
        return found.value, {"eval/kernel_distance": found.value, "eval/kernel_distance_error": found.error}

    return score_images
