"""How well a model's features predict the labels: accuracies of nearest neighbours and of a linear probe."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Array, Float, Int

from genlab.errors import Invalid, require
from genlab.evaluate.inference import Labels, over_examples
from genlab.kernels.random import Keys
from genlab.methods.game import Encoding
from genlab.model import Model
from genlab.nn.conditional import ConditionalNetwork, Network
from genlab.parts.types import Networks

K = 5  # neighbours that vote
OPPONENTS = ("discriminator", "critic")


def features(model: Model, x: np.ndarray, labels: Labels = None) -> Float[np.ndarray, "n d"]:
    """An encoder's latents, or the input of a discriminator's or critic's output layer.

    Raises:
        Invalid: a model that has none of these, or a network that takes the label beside the example, so that
            its features would hold what they are to predict.
    """
    represent = _latents(model.game.method) if isinstance(model.game.method, Encoding) else _before_output(model)
    return over_examples(model, x, represent, "representation", labels)


def _latents(method: Encoding) -> Callable:
    def encode(networks: Networks, x: Array, keys: Keys, labels: Any) -> Array:
        _check_unlabelled(networks.get("encoder"))
        return method.encode(networks, x, labels)

    return encode


def _check_unlabelled(network: Any) -> None:
    labelled = isinstance(network, ConditionalNetwork) and network.appended > 0
    require(not labelled, "metrics", "representation", "possible of a network that takes labels, leave it out")


def _before_output(model: Model) -> Callable:
    name = next((name for name in OPPONENTS if name in model.state.params), None)
    if name is None:
        raise Invalid(f"metrics: representation; {type(model.game.method).__name__} has no features, leave it out")

    def before_output(networks: Networks, x: Array, keys: Keys, labels: Any) -> Array:
        network = networks[name]
        _check_unlabelled(network)
        if not isinstance(network, Network | ConditionalNetwork):
            raise Invalid("metrics: representation; the discriminator has no linear layer as its output, leave it out")
        return network.before_output(x, labels)

    return before_output


def accuracies(
    train: Float[np.ndarray, "n d"],
    train_label: Int[np.ndarray, " n"],
    test: Float[np.ndarray, "m d"],
    test_label: Int[np.ndarray, " m"],
) -> dict[str, float]:
    """Shares of labels that 5 nearest neighbours, and a logistic regression, fitted to `train`, get right.

    Features are standardised. On the training examples themselves a neighbour is never the example.

    Raises:
        Invalid: labels of fewer than two classes, or fewer than 7 examples.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import StandardScaler

    require(len(np.unique(train_label)) > 1, "metrics", "representation", "possible without labels of two classes")
    require(len(train) > K + 1, "examples", len(train), f"at least {K + 2}")
    scaler = StandardScaler().fit(train)
    train, test = scaler.transform(train), scaler.transform(test)
    neighbours = KNeighborsClassifier(K).fit(train, train_label)
    probe = LogisticRegression(max_iter=2000).fit(train, train_label)
    others = neighbours.kneighbors(None)[1]  # without the example itself
    votes = [np.bincount(train_label[row]).argmax() for row in others]
    return {
        "knn_train": float((np.array(votes) == train_label).mean()),
        "knn_test": float(neighbours.score(test, test_label)),
        "probe_train": float(probe.score(train, train_label)),
        "probe_test": float(probe.score(test, test_label)),
    }
