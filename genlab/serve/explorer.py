"""What the page shows of a trained model: a map of latents, what they decode to, and what lies between two of them."""

import io
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, UInt8
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

from genlab.data.feed import to_uint8
from genlab.data.sources import load as load_data
from genlab.data.splits import Dataset, Split
from genlab.errors import Invalid, require
from genlab.latent.paths import lerp, slerp
from genlab.model import Model
from genlab.track import grids

POINTS = 1000  # on the map, at most
NEIGHBOURS = 10_000  # training examples, at most, among which a sample's nearest names its class
DIRECTIONS = 6
FARTHEST = 100  # steps along a direction, one of which is a standard deviation
PATHS = {"lerp": jax.jit(lerp), "slerp": jax.jit(slerp)}


@dataclass(frozen=True)
class Map:
    """Latents as points of the plane."""

    about: str
    """What the points are, and how they came to their places."""
    latents: Float[np.ndarray, "n latent"]
    places: Float[np.ndarray, "n 2"]
    directions: Float[np.ndarray, "k latent"]
    """Steps in the latent space: one standard deviation of the k-th principal component each."""
    labels: Int[np.ndarray, " n"]
    """Classes; -1 where there are none."""
    real: Float[np.ndarray, "n *shape"] | None
    """The examples that were encoded; None for sampled latents."""
    shown: Float[np.ndarray, "n *shape"]
    """The examples, or the decoded samples."""


def make_map(model: Model) -> Map:
    """The map of a model: of held-out examples where it encodes and its data are in reach, else of its own samples."""
    try:
        dataset = load_data(model.config.data)
    except Invalid:  # a model without its data set can still be sampled from
        dataset = None
    return _encoded(model, dataset) if model.encodes and dataset else _sampled(model, dataset)


def _encoded(model: Model, dataset: Dataset) -> Map:
    """Encoded examples and the principal components of their latents."""
    name = next(name for name in ("test", "validation", "train") if len(getattr(dataset, name)))
    real, labels = _read(getattr(dataset, name), POINTS)
    z = model.encode(real, labels if model.conditional else None)
    pca = PCA(min(DIRECTIONS, *z.shape), random_state=0).fit(z)
    steps = pca.components_ * np.sqrt(pca.explained_variance_)[:, None]
    about = f"{len(z):,} encoded images of the {name} split" if real.ndim == 4 else f"{len(z):,} encoded points"
    about += f"; {_describe_components(pca)} of the latents"
    return Map(about, z, _plane(pca, z), steps, _labels_if_any(labels, dataset), real, real)


def _sampled(model: Model, dataset: Dataset | None) -> Map:
    """Samples and the principal components of what they look like: their latents are a shapeless cloud.

    Directions are unit steps along the regression of the latents on the components, as in Harkonen et al. (2020),
    "GANSpace", section 2.2.
    """
    z = model.prior(POINTS)
    classes = np.arange(POINTS, dtype=np.int32) % max(1, len(model.classes))
    x = model.decode(z, classes if model.conditional else None)
    flat = x.reshape(POINTS, -1)
    pca = PCA(min(DIRECTIONS, *flat.shape, z.shape[1]), random_state=0).fit(flat)
    components = pca.transform(flat) / np.sqrt(pca.explained_variance_)
    steps = np.linalg.lstsq(components, z - z.mean(0), rcond=None)[0]
    steps *= z.std() / np.sqrt(np.mean(steps**2, axis=1, keepdims=True) * z.shape[1])
    about = f"{POINTS:,} samples; {_describe_components(pca)} of their {'pixels' if x.ndim == 4 else 'coordinates'}"
    if model.conditional:
        return Map(about, z, _plane(pca, flat), steps, classes, None, x)
    if dataset is None or not dataset.classes:
        return Map(about, z, _plane(pca, flat), steps, np.full(POINTS, -1), None, x)
    neighbours, labels = _read(dataset.train, NEIGHBOURS)
    nearest = KNeighborsClassifier(1).fit(neighbours.reshape(len(neighbours), -1), labels).predict(flat)
    about += "; colour is the class of the nearest training example"
    return Map(about, z, _plane(pca, flat), steps, nearest, None, x)


def _read(split: Split, limit: int) -> tuple[Float[np.ndarray, "n *shape"], Int[np.ndarray, " n"]]:
    """The first examples of a split, images in [-1, 1], and their labels."""
    x, labels = split.read(np.arange(min(limit, len(split))))
    return (x.astype(np.float32) / 127.5 - 1 if x.ndim == 4 else x), labels


def _labels_if_any(labels: Int[np.ndarray, " n"], dataset: Dataset) -> Int[np.ndarray, " n"]:
    return labels if dataset.classes else np.full_like(labels, -1)


def _plane(pca: PCA, x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n 2"]:
    """The first two components; the second is 0 where there is only one."""
    found = pca.transform(x)[:, :2]
    return np.pad(found, ((0, 0), (0, 2 - found.shape[1])))


def _describe_components(pca: PCA) -> str:
    shares = pca.explained_variance_ratio_[:2]
    return f"the first {len(shares)} principal components ({shares.sum():.0%} of the variance)"


@dataclass(frozen=True)
class Explorer:
    """A model and its map; pictures of both as PNG files."""

    model: Model
    map: Map

    def original(self, point: int) -> bytes:
        """The example that a point of the map was encoded from, or the sample itself."""
        return self._picture(self.map.shown[[self._checked(point)]])

    def decoded(self, point: int, along: tuple[float, ...] = (), label: int | None = None) -> bytes:
        """What the point decodes to, moved by so many steps along each principal direction.

        Raises:
            Invalid: there is no such point, direction or class.
        """
        require(len(along) <= len(self.map.directions), "along", along, "as many numbers as there are directions")
        allowed = all(-FARTHEST <= step <= FARTHEST for step in along)  # so NaN is not
        require(allowed, "along", along, f"numbers from -{FARTHEST} to {FARTHEST}")
        z = self.map.latents[self._checked(point)] + np.asarray(along) @ self.map.directions[: len(along)]
        return self._picture(self.model.decode(z[None], self._labels([point], label)))

    def between(self, start: int, end: int, steps: int, how: str, label: int | None = None) -> bytes:
        """What lies between two points, in `steps` pictures in two rows; for points of the plane, in one picture.

        Raises:
            Invalid: there is no such point, path or class, or there are too few or many steps.
        """
        require(2 <= steps <= 32, "steps", steps, "from 2 to 32")
        require(how in PATHS, "how", how, f"one of {', '.join(PATHS)}")
        ends = self.map.latents[[self._checked(start, "start"), self._checked(end, "end")]]
        z = np.asarray(PATHS[how](*ends, jnp.linspace(0, 1, steps)))
        x = self.model.decode(z, self._labels([start] * steps, label))
        return _png(grids.tile(to_uint8(x), -(-steps // 2))) if x.ndim == 4 else self._picture(x)

    def atlas(self) -> bytes:
        """All that the map shows, images in rows, as many a row as makes the picture square."""
        images = to_uint8(self.map.shown)
        columns = int(np.ceil(np.sqrt(len(images))))
        cells = np.zeros((columns * columns, *images.shape[1:]), np.uint8)
        cells[: len(images)] = images
        _, height, width, channels = cells.shape
        grid = cells.reshape(columns, columns, height, width, channels).swapaxes(1, 2)
        return _png(grid.reshape(columns * height, columns * width, channels))

    def _checked(self, point: int, name: str = "point") -> int:
        require(0 <= point < len(self.map.latents), name, point, f"from 0 to {len(self.map.latents) - 1}")
        return point

    def _labels(self, points: list[int], label: int | None) -> Int[np.ndarray, " n"] | None:
        """The class of each point, or the chosen one for all; None for a model that takes none."""
        if not self.model.conditional:
            return None
        if label is None:
            return self.map.labels[points]
        classes = self.model.method.classes
        require(0 <= label < classes, "label", label, f"from 0 to {classes - 1}")
        return np.full(len(points), label)

    def _picture(self, x: Float[np.ndarray, "n *shape"]) -> bytes:
        return _png(to_uint8(x)[0] if x.ndim == 4 else grids.scatter(x, self.map.shown))


def _png(pixels: UInt8[np.ndarray, "h w c"]) -> bytes:
    file = io.BytesIO()
    grids.picture(pixels).save(file, "PNG")
    return file.getvalue()
