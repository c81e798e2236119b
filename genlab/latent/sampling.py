"""Samples of a model as the user asks for them: of some classes, from truncated latents."""

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Float

from genlab.errors import require
from genlab.latent.gaussian import truncate
from genlab.model import Mixture, Model
from genlab.train.samples import Samples


def lazy_samples(
    model: Model | Mixture, n: int, seed: int = 0, labels: Sequence[str] = (), truncation: float | None = None
) -> Samples:
    """`n` samples, yet to be drawn: of the classes by these names in turn ("all" is all), from truncated latents.

    Raises:
        Invalid: an unknown class, labels of a method that takes none, a truncation that is not above 0, of a prior that
            is not N(0, I), or of a mixture.
    """
    all_classes = model.conditional and tuple(labels) == ("all",)
    chosen = np.array(model.class_indices(model.classes if all_classes else labels), np.int32)
    label = chosen[np.arange(n) % len(chosen)] if len(chosen) else None
    if truncation is not None:
        require(truncation > 0, "truncation", truncation, "above 0")
        require(isinstance(model, Model), "truncation", truncation, "possible of a mixture of checkpoints")
        name = type(model.method).__name__
        require(model.gaussian, "truncation", truncation, f"possible: {name} draws its latents from no N(0, I)")

    def draw(start: int, count: int) -> Float[np.ndarray, "count *shape"]:
        labels = None if label is None else label[start : start + count]
        if truncation is None:
            return model.sample(count, seed, labels, start)
        z = _truncate(model.prior(count, seed, start), truncation)
        return model.decode(np.asarray(z), labels)

    return Samples(n, model.shape, draw, label, model.classes)


_truncate = jax.jit(truncate, static_argnums=1)
