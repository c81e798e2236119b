"""What an encoding method says of given examples: likelihood, reconstructions, latents, with all its networks."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, PyTree

from genlab.data.config import Data
from genlab.data.feed import to_float
from genlab.errors import Invalid
from genlab.evaluate.devices import over_rows
from genlab.evaluate.reconstruction import ssim
from genlab.kernels.random import Keys, example_keys
from genlab.losses.importance import bounds
from genlab.methods.game import Divergent, Encoding, ImportanceWeighted, Unnormalised
from genlab.model import Mixture, Model, log_mean_exp
from genlab.parts.likelihood import OF_LEVELS
from genlab.parts.types import Networks
from genlab.train import spmd
from genlab.train.state import stream

CHUNK = 256  # examples to a device at a time
ACTIVE = 0.01  # variance of a posterior's mean above which a unit is active: Burda et al. (2016), section 5.2
COLLAPSED = 0.01  # nats of KL, and share of examples above it, below which a unit has collapsed: Lucas et al. (2019)

Scores = dict[str, float]
Labels = np.ndarray | None  # of examples, for methods with classes


def over_examples(model: Model, x: np.ndarray, f: Any, title: str, labels: Labels = None) -> PyTree:
    """`f(networks, examples, keys, labels)` of all examples, on the devices of its run; labels may be None."""
    return over_members([model], x, f, title, labels)[0]


def over_members(members: Sequence[Model], x: np.ndarray, f: Any, title: str, labels: Labels = None) -> list[PyTree]:
    """The same of each of several checkpoints of a run, by one program."""
    model = members[0]
    data, classes = model.config.data.unaugmented, model.method.classes

    def chunk(constants: PyTree, rows: PyTree) -> PyTree:
        state, key = constants
        keys = example_keys(key, rows["index"])
        images = rows["x"] if rows["x"].ndim == 2 else to_float(rows["x"], keys, data)
        return f(model.networks(state), images, jax.vmap(jax.random.fold_in, (0, None))(keys, 1), rows.get("label"))

    rows = {"x": x, "index": np.arange(len(x))} | ({"label": labels} if classes else {})
    parallel = model.config.parallel
    size = min(CHUNK, -(-len(x) // len(spmd.evaluation_devices(parallel))))
    key = stream(0, "inference")
    return [over_rows(chunk, (member.state, key), rows, size, title, parallel) for member in members]


def likelihood(model: Model | Mixture, x: np.ndarray, importance: int, labels: Labels = None) -> Scores:
    """ELBO, and importance-weighted bound (Burda et al. 2016, eq. 8) with its standard error, in nats per example.

    Of bits a probability, else a density of points or of pixels in [-1, 1]; of dequantised images, where it bounds the
    probability of their 256 grey levels (Theis et al. 2016), also in bits per dimension. Without that noise it bounds
    nothing, and grows without limit as the scale falls. Where a density is known but for its constant, that comes from
    annealed runs, with a standard error of its own. A conditional method's likelihood is that of x given its label. A
    mixture's is the mean of its members', and so are the bounds.

    What a method of bits says of grey levels is no likelihood: it does not add up to 1 over images. It is called what
    it is, "grey_cross_entropy": minus the ELBO with cross-entropies in place of -log p(x|z), in nats per example.

    Raises:
        Invalid: a method without a likelihood.
    """
    method = model.game.method
    if not isinstance(method, ImportanceWeighted):
        raise Invalid(f"metrics: likelihood; {type(method).__name__} has none, leave it out")

    def example_bounds(networks: Networks, x: Array, keys: Keys, labels: Any) -> dict[str, Float[Array, " b"]]:
        return bounds(partial(method.log_weight, networks, x, labels=labels), keys, importance)

    members, constant = model.members, Scores()
    found = over_members(members, x, example_bounds, "likelihood", labels)
    partitions = [member.log_partition if isinstance(method, Unnormalised) else (0.0, 0.0) for member in members]
    if isinstance(method, Unnormalised) and len(members) == 1:
        constant = dict(zip(("log_partition", "log_partition_error"), partitions[0], strict=True))

    def mixed(name: str) -> Float[np.ndarray, " n"]:
        each = zip(found, partitions, strict=True)
        return log_mean_exp([own[name].astype(np.float64) - log_z for own, (log_z, _) in each])

    (elbo, error), (bound, bound_error) = (_mean(mixed(name)) for name in ("elbo", "bound"))
    data = model.config.data
    if method.observation == "bernoulli" and binarised(data, x) == "none":
        return constant | {"grey_cross_entropy": -elbo, "grey_cross_entropy_error": error}
    scores = constant | {"elbo": elbo, "log_likelihood": bound, "log_likelihood_error": bound_error}
    if method.observation in OF_LEVELS:
        return scores | {"bits_per_dimension": -bound / (math.prod(model.shape) * math.log(2))}
    return scores | ({"bits_per_dimension": bits_per_dimension(model.shape, bound)} if data.dequantise else {})


def _mean(values: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """With its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def bits_per_dimension(shape: tuple[int, ...], nats: float) -> float:
    """A log-density of dequantised images in [-1, 1], in nats, as bits per pixel and channel.

    It becomes a probability of 256 grey levels by their distance there, 1/128.
    """
    return -nats / (math.prod(shape) * math.log(2)) + math.log2(128)


def binarised(data: Data, x: np.ndarray) -> str | None:
    """How examples of a set are black and white to a model; see `protocol.Stamp`. None of points."""
    if x.ndim == 2:
        return None
    if not data.dequantise and ((x == 0) | (x == 255)).all():
        return "static"
    return "dynamic" if data.binarise else "none"


def reconstruction(model: Model, x: np.ndarray, labels: Labels = None) -> Scores:
    """Mean squared error of reconstructions per pixel in [0, 1] (of points: per coordinate), and SSIM of images.

    Raises:
        Invalid: a method that does not encode.
    """
    method = _require_encoder(model, "reconstruction")

    def real_and_reconstructed(networks: Networks, x: Array, keys: Keys, labels: Any) -> tuple[Array, Array]:
        return x, method.reconstruct(networks, x, labels)

    real, reconstructed = over_examples(model, x, real_and_reconstructed, "reconstruction", labels)
    if x.ndim == 2:
        return {"mse": float(np.square(real - reconstructed).mean())}
    real, reconstructed = (real + 1) / 2, (np.clip(reconstructed, -1, 1) + 1) / 2
    return {"mse": float(np.square(real - reconstructed).mean()), "ssim": float(ssim(real, reconstructed).mean())}


def latents(model: Model, x: np.ndarray, labels: Labels = None) -> Scores:
    """Active units (Burda et al. 2016) and, where each has a prior of its own, collapsed ones (Lucas et al. 2019).

    In a hierarchy a unit is measured against its prior given the units above: by its mean in whitened form, and by its
    divergence for one draw of those above.

    Raises:
        Invalid: a method that does not encode.
    """
    method = _require_encoder(model, "latents")

    def means_and_divergences(networks: Networks, x: Array, keys: Keys, labels: Any) -> dict[str, Array]:
        kl = method.divergences(networks, x, keys, labels) if isinstance(method, Divergent) else None
        return {"mean": method.encode(networks, x, labels)} | ({} if kl is None else {"kl": kl})

    found = over_examples(model, x, means_and_divergences, "latents", labels)
    scores = {"active_units": float((found["mean"].var(0) > ACTIVE).sum())}
    if "kl" in found:
        scores["collapsed_units"] = float(((found["kl"] > COLLAPSED).mean(0) <= COLLAPSED).sum())
    return scores


def _require_encoder(model: Model, metric: str) -> Encoding:
    method = model.game.method
    if not isinstance(method, Encoding):
        raise Invalid(f"metrics: {metric}; {type(method).__name__} cannot encode, leave it out")
    return method
