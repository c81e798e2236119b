"""What losses are given and what they give."""

from flax import nnx
from jaxtyping import Array, Float, Int, Shaped

Data = Float[Array, "b *shape"]  # examples: images in [-1, 1], or points
Networks = dict[str, nnx.Module]
Metrics = dict[str, Shaped[Array, "*_"]]  # scalars, and shares of slopes between kernels.penalty.EDGES
Turn = Int[Array, ""] | int | None  # a player's plays since training began; None outside training
Labels = Int[Array, " b"] | None  # classes of examples, for methods that know them
Number = float | Float[Array, ""]  # a setting, which may be an argument of the program
