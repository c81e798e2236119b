"""The masked autoencoder for distribution estimation (Germain et al. 2015) over sequences of a few codes."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from genlab.kernels.random import Keys
from genlab.nn.initialisers import scaled_uniform

Codes = Int[Array, "b tokens"]


class Made(nnx.Module):
    """p(c) = prod_t p(c_t | c_<t) with one hidden layer; every position has hidden units of its own.

    Those of position t read the codes before it, its logits read the hidden units up to it.
    """

    def __init__(self, tokens: int, codes: int, width: int, *, rngs: nnx.Rngs):
        before = scaled_uniform(tokens, width)  # one code of each token's is on
        upto = scaled_uniform(tokens * width, codes)
        self.first = nnx.Param(before(rngs.params(), (tokens, codes, tokens, width)))
        self.bias = nnx.Param(jnp.zeros((tokens, width)))
        self.second = nnx.Param(upto(rngs.params(), (tokens, width, tokens, codes)))
        self.output_bias = nnx.Param(jnp.zeros((tokens, codes)))

    def __call__(self, c: Codes) -> Float[Array, "b tokens codes"]:
        """Logits of every position; those of the first are the same for all."""
        tokens, codes = self.output_bias.shape
        to, of = jnp.arange(tokens)[None], jnp.arange(tokens)[:, None]
        first = jnp.where((of < to)[:, None, :, None], self.first[...], 0)
        second = jnp.where((of <= to)[:, None, :, None], self.second[...], 0)
        hidden = jnp.einsum("bsk,skth->bth", jax.nn.one_hot(c, codes), first) + self.bias[...]
        return jnp.einsum("bsh,shtk->btk", jax.nn.relu(hidden), second) + self.output_bias[...]

    def log_probability(self, c: Codes) -> Float[Array, " b"]:
        """log p(c) in nats per sequence."""
        chosen = jnp.take_along_axis(jax.nn.log_softmax(self(c)), c[..., None], axis=2)
        return chosen.sum((1, 2))

    def sample(self, keys: Keys) -> Codes:
        """One sequence per key, from its first code to its last."""

        def extend(t: Int[Array, ""], c: Codes) -> Codes:
            drawn = jax.vmap(lambda key, logits: jax.random.categorical(jax.random.fold_in(key, t), logits))
            return c.at[:, t].set(drawn(keys, self(c)[:, t]).astype(c.dtype))

        tokens = self.output_bias.shape[0]
        return jax.lax.fori_loop(0, tokens, extend, jnp.zeros((len(keys), tokens), jnp.int32))
