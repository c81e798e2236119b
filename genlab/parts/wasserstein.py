"""The Wasserstein distance as a critic estimates it, however the critic is kept from being too steep."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.errors import require
from genlab.kernels.penalty import gradient_norm
from genlab.losses.adversarial import wasserstein_critic, wasserstein_generator
from genlab.nn.net import Net
from genlab.parts.adversarial import Examples
from genlab.parts.labels import Conditioning, outputs
from genlab.parts.penalty import slope_metrics
from genlab.parts.types import Data, Labels, Metrics


def wasserstein_loss(
    critic: nnx.Module, examples: Examples
) -> tuple[Float[Array, ""], Float[Array, "b classes"], Metrics]:
    """E[D(fake)] - E[D(real)], which the critic minimises, and its logits of the real examples' classes.

    As metrics, the negative of the first and the slopes at both kinds of points, which share their labels.
    """
    labels = examples.labels
    twice = None if labels is None else jnp.concatenate([labels, labels])

    def difference(x: Float[Array, "two_b *shape"]) -> tuple[Float[Array, ""], Float[Array, "b classes"]]:
        values, logits = outputs(critic, x, twice)
        real, fake = jnp.split(values, 2)
        return wasserstein_critic(real, fake).mean(), logits[: len(real)]

    both = jnp.concatenate([examples.real, examples.fake])
    (value, logits), gradient = jax.value_and_grad(difference, has_aux=True)(both)  # one pass for both
    # The update takes the same gradient down to the first layer, and XLA computes it once; each example's is its slope,
    # over the batch size.
    real, fake = jnp.split(len(examples.fake) * gradient_norm(jax.lax.stop_gradient(gradient)), 2)
    return value, logits, {"wasserstein": -value} | slope_metrics(real, "_real") | slope_metrics(fake, "_fake")


def wasserstein_generator_loss(
    critic: nnx.Module, fake: Data, labels: Labels, conditioning: Conditioning
) -> tuple[Float[Array, ""], Metrics]:
    """-E[D(fake)], which the generator minimises, and what it costs that the critic guesses other classes."""
    values, logits = outputs(critic, fake, labels)
    class_loss, guesses = conditioning.generator_loss(logits, labels)
    return wasserstein_generator(values).mean() + class_loss, guesses


def check_critic(critic: Net) -> None:
    """That a critic gives each example a slope of its own.

    Raises:
        Invalid: it normalises over the batch; the message names the method's field `critic`.
    """
    per_example = "allowed in a critic, whose slopes are those of single examples: use layer or none"
    require(critic.norm != "batch", "critic.norm", critic.norm, per_example)
