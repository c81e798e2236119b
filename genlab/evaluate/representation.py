"""What a model's features know of the labels: accuracies of nearest neighbours and of a linear probe."""

from collections.abc import Callable
from typing import Any

import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from genlab.errors import Invalid, require
from genlab.evaluate.inference import of_examples
from genlab.kernels.random import Keys
from genlab.methods.game import Encoding, Networks
from genlab.nn.layers import Linear
from genlab.train.model import Model

K = 5  # neighbours that vote
OPPONENTS = ("discriminator", "critic")


def features(model: Model, x: np.ndarray) -> Float[np.ndarray, "n d"]:
    """An encoder's latents, or what a discriminator's or critic's last linear layer sees.

    Raises:
        Invalid: a model that has none of these.
    """
    look = _latents(model.game.method) if isinstance(model.game.method, Encoding) else _before_output(model)
    return of_examples(model, x, look, "representation")


def _latents(method: Encoding) -> Callable:
    return lambda networks, x, keys: method.encode(networks, x)


def _before_output(model: Model) -> Callable:
    name = next((name for name in OPPONENTS if name in model.state.params), None)
    if name is None:
        raise Invalid(f"metrics: representation; {type(model.game.method).__name__} has no features, leave it out")

    def look(networks: Networks, x: Array, keys: Keys) -> Array:
        network = networks[name]
        _behead(network)
        seen: Any = network(x)  # type: ignore[operator]
        return seen.reshape(len(x), -1)

    return look


def _behead(network: nnx.Module) -> None:
    """Replace the last linear layer with one output by the identity."""
    linear = {path: part for path, part in nnx.iter_modules(network) if isinstance(part, Linear)}
    heads = [path for path, part in linear.items() if part.kernel[...].shape[1] == 1]
    if not heads:
        raise Invalid("metrics: representation; the discriminator has no linear layer with one output, leave it out")
    *path, last = heads[-1]
    parent: Any = network
    for step in path:
        parent = parent[step] if isinstance(step, int) else getattr(parent, str(step))
    if isinstance(last, int):
        parent[last] = nnx.identity
    else:
        setattr(parent, str(last), nnx.identity)


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
