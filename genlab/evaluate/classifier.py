"""Features of a small convolutional network that genlab itself trains on the labels of a data set.

For sets that an Inception network trained on photographs says nothing about. `scripts/train_classifier.py` makes the
shipped ones; they were fitted to the training split alone, so that held-out images are as new to them as samples are.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float, Int, Num, PyTree, UInt8
from tqdm import tqdm

from genlab.data.order import example_index
from genlab.data.splits import Dataset, Split
from genlab.errors import Invalid, require
from genlab.evaluate.extractors import Extractor, Images, extract
from genlab.evaluate.weights import digest, read, write

FOLDER = Path(__file__).parent / "trained"
WIDTH, FEATURES, BATCH = 16, 64, 128


class Network(nnx.Module):
    """Three 3x3 convolutions, the last two of stride 2, and two linear layers: (b, h, w, c) -> features, logits."""

    def __init__(self, shape: tuple[int, ...], classes: int, *, rngs: nnx.Rngs):
        height, width, channels = shape
        self.conv1 = nnx.Conv(channels, WIDTH, (3, 3), rngs=rngs)
        self.conv2 = nnx.Conv(WIDTH, 2 * WIDTH, (3, 3), strides=2, rngs=rngs)
        self.conv3 = nnx.Conv(2 * WIDTH, 2 * WIDTH, (3, 3), strides=2, rngs=rngs)
        self.hidden = nnx.Linear(-(-height // 4) * -(-width // 4) * 2 * WIDTH, FEATURES, rngs=rngs)
        self.output = nnx.Linear(FEATURES, classes, rngs=rngs)

    def __call__(self, images: Num[Array, "b h w c"]) -> tuple[Float[Array, "b d"], Float[Array, "b classes"]]:
        x = images.astype(jnp.float32) / 127.5 - 1
        for conv in (self.conv1, self.conv2, self.conv3):
            x = jax.nn.relu(conv(x))
        features = jax.nn.relu(self.hidden(x.reshape(len(x), -1)))
        return features, self.output(features)


@dataclass(frozen=True, eq=False)
class Classifier(Extractor):
    """The activations before the classes, and the logits."""

    shape: tuple[int, ...]
    """(h, w, c) of the images it was trained on."""
    classes: int
    """How many it tells apart."""
    accuracy: float
    """Share of the test split that it gets right."""

    def apply(
        self, weights: PyTree, images: Num[Array, "b h w c"]
    ) -> tuple[Float[Array, "b d"], Float[Array, "b classes"]]:
        return nnx.merge(_graph(self.shape, self.classes), weights)(images)

    def check(self, shape: tuple[int, ...]) -> None:
        require(shape == self.shape, "extractor", f"classifier of {self.shape} images", f"for images {shape}")


def _graph(shape: tuple[int, ...], classes: int) -> Any:
    return nnx.graphdef(nnx.eval_shape(lambda: Network(shape, classes, rngs=nnx.Rngs(0))))


def bundled(data: str) -> Path | None:
    """The weights that come with genlab for the set that `--data.name` calls `data`; None if there are none."""
    path = FOLDER / f"{data.removeprefix('tfds:')}.safetensors"
    return path if data in ("digits", "tfds:mnist") else None


def load(path: Path) -> Classifier:
    """The classifier that `save` wrote.

    Raises:
        Invalid: the file is absent or not as genlab wrote it.
    """
    arrays, notes = read(path)
    try:
        metadata = json.loads(notes["genlab"])
        shape, classes = tuple(metadata["shape"]), len(metadata["classes"])
        template = nnx.to_pure_dict(nnx.state(nnx.eval_shape(lambda: Network(shape, classes, rngs=nnx.Rngs(0)))))
        shapes = {name: a.shape for name, a in _named(template)}
        require({name: a.shape for name, a in arrays.items()} == shapes, "weights", str(path), "genlab's classifier")
        weights = jax.tree.unflatten(jax.tree.structure(template), [arrays[name] for name in shapes])
        return _classifier(weights, shape, classes, metadata["accuracy"])
    except (KeyError, ValueError, TypeError) as error:
        raise Invalid(f"weights: {path} ({error}); must be as scripts/train_classifier.py wrote it") from None


def save(path: Path, classifier: Classifier, dataset: Dataset, seed: int) -> None:
    """Write its weights, with what they were trained on and how well."""
    metadata = {
        "data": dataset.name,
        "shape": dataset.shape,
        "classes": dataset.classes,
        "accuracy": classifier.accuracy,
        "seed": seed,
    }
    write(path, {name: np.asarray(a) for name, a in _named(classifier.weights)}, {"genlab": json.dumps(metadata)})


def _named(tree: PyTree) -> list[tuple[str, Any]]:
    """The arrays of a tree by their path, `conv1.kernel`, in the tree's order."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return [(jax.tree_util.keystr(path, simple=True, separator="."), a) for path, a in leaves]


def train(dataset: Dataset, seed: int, epochs: int) -> Classifier:
    """A classifier of the training split by Adam on the cross-entropy; its accuracy is that on the test split.

    Raises:
        Invalid: a set without images or labels.
    """
    require(len(dataset.shape) == 3, "data.name", dataset.name, "a set of images")
    require(len(dataset.classes) > 1, "data.name", dataset.name, "a set with labels of two classes or more")
    network = Network(dataset.shape, len(dataset.classes), rngs=nnx.Rngs(seed))
    images, labels = read_all(dataset.train)
    graph, state = nnx.split(network)
    steps = epochs * len(images) // BATCH
    optimizer = optax.adam(optax.cosine_decay_schedule(2e-3, steps))

    @jax.jit
    def step(weights: PyTree, moments: PyTree, x: UInt8[Array, "b h w c"], label: Int[Array, " b"]) -> PyTree:
        def loss(weights: PyTree) -> Float[Array, ""]:
            logits = nnx.merge(graph, weights)(x)[1]
            return optax.softmax_cross_entropy_with_integer_labels(logits, label).mean()

        value, gradients = jax.value_and_grad(loss)(weights)
        updates, moments = optimizer.update(gradients, moments)
        return optax.apply_updates(weights, updates), moments, value

    weights = nnx.to_pure_dict(state)
    moments = optimizer.init(weights)
    for i in tqdm(range(steps), desc="classifier", disable=None, leave=False):
        rows = np.asarray(example_index(seed, i, np.arange(BATCH), BATCH, len(images)))
        weights, moments, _ = step(weights, moments, images[rows], labels[rows])
    weights = _normalise(jax.device_get(weights), images, len(dataset.classes))
    classifier = _classifier(weights, dataset.shape, len(dataset.classes))
    return dataclasses.replace(classifier, accuracy=accuracy(classifier, *read_all(dataset.test)))


def _classifier(weights: PyTree, shape: tuple[int, ...], classes: int, accuracy: float = 0.0) -> Classifier:
    named = {name: np.asarray(a) for name, a in _named(weights)}
    return Classifier("classifier", digest(named), "none", "as they are", weights, 256, shape, classes, accuracy)


def _normalise(weights: PyTree, images: Images, classes: int) -> PyTree:
    """The same classifier, with features whose mean square on these images is 1: a ReLU passes a factor on."""
    scale = np.sqrt(np.square(extract(_classifier(weights, images.shape[1:], classes), images).x).mean())
    hidden = {name: a / scale for name, a in weights["hidden"].items()}
    return weights | {"hidden": hidden, "output": weights["output"] | {"kernel": weights["output"]["kernel"] * scale}}


def accuracy(classifier: Classifier, images: Images, labels: Int[np.ndarray, " n"]) -> float:
    """Share of images whose largest logit is that of their label."""
    logits = extract(classifier, images).logits
    assert logits is not None
    return float((logits.argmax(1) == labels).mean())


def read_all(split: Split) -> tuple[np.ndarray, Int[np.ndarray, " n"]]:
    """All examples of a split and their labels."""
    examples = split.read(np.arange(len(split)))
    return examples.x, examples.label
