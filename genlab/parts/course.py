"""How a number of a method or of an optimiser moves while it trains."""

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Int

from genlab.errors import require
from genlab.parts.types import Number


@dataclass(frozen=True)
class Course:
    """Where a number moves from the setting that it belongs to, and how."""

    to: float | None = None
    """Its value in the end; None leaves it as it is."""
    over: int = 0
    """Iterations until then, after which it stays."""
    shape: Literal["linear", "cosine"] = "linear"
    """Evenly, or slowly at both ends, along half a cosine (as R3GAN's settings, Huang et al. 2024)."""

    def __post_init__(self) -> None:
        require(self.to is None or self.over >= 1, "over", self.over, "at least 1 iteration, where it moves at all")
        require(self.to is not None or self.over == 0, "over", self.over, "0 without `to`, for nothing would move")

    @property
    def moves(self) -> bool:
        """Whether it does."""
        return self.to is not None

    def __call__(self, start: Number, iteration: Int[Array, ""] | int | None) -> Number:
        """The value at an iteration, counted from 0; without one, outside training, that of the end."""
        if self.to is None:
            return start
        if iteration is None:
            return self.to
        share = jnp.minimum(iteration / self.over, 1.0)
        if self.shape == "cosine":
            share = (1 - jnp.cos(jnp.pi * share)) / 2
        return start + share * (self.to - start)
