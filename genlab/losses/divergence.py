"""Divergences: between a posterior and the prior, and between two samples."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

Latents = Float[Array, "batch latent"]
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # of the kernels of `mmd`


def kl_normal(
    mean: Latents,
    log_variance: Latents,
    prior_mean: Float[Array, "*#batch latent"] | float = 0.0,
    prior_log_variance: Float[Array, "*#batch latent"] | float = 0.0,
) -> Latents:
    """KL(N(mean, variance) || N(prior mean, prior variance)) in nats, of each dimension by itself; the prior: N(0, 1).

    Kingma and Welling (2014), appendix B, is the sum over the dimensions under the standard normal.
    """
    scaled = (jnp.square(mean - prior_mean) + jnp.exp(log_variance)) * jnp.exp(-prior_log_variance)
    return 0.5 * (scaled - 1 - log_variance + prior_log_variance)


def kl_bernoulli(p: float, q: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """KL(Bernoulli(p) || Bernoulli(q)) in nats, of each q in [0, 1] and one p in (0, 1).

    A q within rounding of 0 or 1 counts as that far from it: the divergence stays finite.
    """
    rounding = jnp.finfo(q.dtype).eps
    q = jnp.clip(q, rounding, 1 - rounding)
    return p * (math.log(p) - jnp.log(q)) + (1 - p) * (math.log1p(-p) - jnp.log1p(-q))


def mmd(x: Float[Array, "n d"], y: Float[Array, "m d"], variance: float) -> Float[Array, ""]:
    """Unbiased estimate of the squared maximum mean discrepancy between two samples of at least 2 points each.

    As in WAE-MMD, Tolstikhin et al. (2018), Algorithm 2 and their code: inverse multiquadratics C / (C + |x - y|^2),
    summed over the `SCALES` of C = 2 d variance, the mean squared distance of two draws from N(0, variance I). Points
    are not compared with themselves, so that its mean is 0 for samples of one distribution; it may be negative.
    """

    def kernel(a: Float[Array, "n d"], b: Float[Array, "m d"]) -> Float[Array, "n m"]:
        products = jnp.matmul(a, b.T, precision="highest")
        squares = jnp.square(a).sum(1)[:, None] + jnp.square(b).sum(1) - 2 * products
        distances = jnp.maximum(squares, 0)[..., None]  # rounding may leave a little less than 0
        c = 2 * x.shape[1] * variance * jnp.asarray(SCALES)
        return (c / (c + distances)).sum(-1)

    def within(a: Float[Array, "n d"]) -> Float[Array, ""]:
        n = len(a)
        return (kernel(a, a) * (1 - jnp.eye(n))).sum() / (n * (n - 1))

    return within(x) + within(y) - 2 * kernel(x, y).mean()


def sliced_wasserstein(
    x: Float[Array, "n *shape"], y: Float[Array, "n *shape"], key: Key[Array, ""], directions: int = 256
) -> Float[Array, ""]:
    """Sliced Wasserstein-2 distance between two samples of the same size, Bonneel et al. (2015).

    The root mean square, over random directions on the sphere, of the exact one-dimensional distance, which is the
    distance between the sorted projections. In the units of x; 0 for equal samples.
    """
    x, y = x.reshape(len(x), -1), y.reshape(len(y), -1)
    theta = jax.random.normal(key, (x.shape[1], directions))
    theta = theta / jnp.linalg.norm(theta, axis=0)
    difference = jnp.sort(x @ theta, axis=0) - jnp.sort(y @ theta, axis=0)
    return jnp.sqrt(jnp.square(difference).mean())
