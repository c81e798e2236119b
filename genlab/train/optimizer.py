"""Optimisers and schedules: optax, chosen by a player's `Optimizer`."""

from collections.abc import Callable
from functools import partial
from typing import cast

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from genlab.methods.game import Player
from genlab.parts.optimizer import LAYERWISE, WARMUP, Optimizer
from genlab.parts.types import Number


def warmup_of(config: Optimizer, iterations: int) -> int:
    """Iterations over which the learning rate rises from 0, of a training of so many `iterations`."""
    usual = round((config.horizon or iterations) * WARMUP) if config.name in LAYERWISE else 0
    return usual if config.warmup is None else config.warmup


def schedule(config: Optimizer, iterations: int) -> optax.Schedule:
    """The learning rate as a function of the iteration, counted from 0, of a training of so many `iterations`."""
    peak, warmup = config.learning_rate, warmup_of(config, iterations)
    falling = max((config.horizon or iterations) - warmup, 1)
    restarted = optax.cosine_decay_schedule(peak, config.period)
    course = {
        "constant": optax.constant_schedule(peak),
        "linear": optax.linear_schedule(peak, 0.0, falling),
        "cosine": optax.cosine_decay_schedule(peak, falling),
        "steps": optax.piecewise_constant_schedule(peak, {m - warmup: config.decay for m in config.milestones}),
        "cosine_restarts": lambda t: restarted(t % config.period),  # Loshchilov and Hutter (2017), eq. 5
    }[config.schedule]
    rise = optax.linear_schedule(0.0, peak, warmup)
    return optax.join_schedules([rise, course], [warmup]) if warmup else course


def build(player: Player, iterations: int) -> optax.GradientTransformation:
    """The optax transformation by which `player` moves.

    Optax counts updates, of which an iteration holds `player.plays`; schedules run in iterations, as the published
    settings do.
    """
    c = player.optimizer.resolved()
    course = schedule(c, iterations)

    def rate(count: Int[Array, ""]) -> Float[Array, ""] | float:
        return course(count // player.plays)

    def adam(rule: Callable[..., optax.GradientTransformation], **options: Number) -> optax.GradientTransformation:
        fixed = partial(rule, learning_rate=rate, b1=c.b1, eps=c.eps, **options)
        if not c.b2_course.moves:
            return fixed(b2=c.b2)
        return optax.inject_hyperparams(fixed)(
            b2=lambda count: jnp.asarray(c.b2_course(cast(Number, c.b2), count // player.plays))
        )

    rules = {
        "sgd": lambda: optax.sgd(rate),
        "momentum": lambda: optax.sgd(rate, momentum=c.b1),
        "nesterov": lambda: optax.sgd(rate, momentum=c.b1, nesterov=True),
        "adagrad": lambda: optax.adagrad(rate, eps=c.eps),
        "adadelta": lambda: optax.adadelta(rate, rho=c.b2, eps=c.eps),
        "rmsprop": lambda: optax.rmsprop(rate, decay=c.b2, eps=c.eps),
        "adam": lambda: adam(optax.adam),
        "adamw": lambda: adam(optax.adamw, weight_decay=c.weight_decay),
        "lars": lambda: optax.lars(rate, c.weight_decay, _matrices, trust_ratio_mask=_matrices, momentum=c.b1),
        "lamb": lambda: optax.chain(
            optax.scale_by_adam(c.b1, c.b2, c.eps),
            optax.add_decayed_weights(c.weight_decay, _matrices),
            optax.masked(optax.scale_by_trust_ratio(), _matrices),
            optax.scale_by_learning_rate(rate),
        ),
        "lion": lambda: optax.lion(rate, c.b1, c.b2, weight_decay=c.weight_decay),
    }
    chain = [optax.clip_by_global_norm(c.clip)] if c.clip else []
    if c.weight_decay and c.name not in ("adamw", "lion", *LAYERWISE):
        chain.append(optax.add_decayed_weights(c.weight_decay))
    return optax.chain(*chain, rules[c.name]())


def _matrices(params: PyTree) -> PyTree:
    """Which parameters are matrices and kernels: biases and scales, often 0, have no length to measure a step by."""
    return jax.tree.map(lambda x: x.ndim > 1, params)
