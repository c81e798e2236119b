"""Optimisers and schedules: optax, chosen by a player's `Optimizer`."""

import optax
from jaxtyping import Array, Float, Int

from genlab.methods.game import Player
from genlab.parts.optimizer import Optimizer


def schedule(config: Optimizer, iterations: int) -> optax.Schedule:
    """The learning rate as a function of the iteration, counted from 0, of a training of so many `iterations`."""
    peak = config.learning_rate
    falling = max((config.horizon or iterations) - config.warmup, 1)
    restarted = optax.cosine_decay_schedule(peak, config.period)
    course = {
        "constant": optax.constant_schedule(peak),
        "linear": optax.linear_schedule(peak, 0.0, falling),
        "cosine": optax.cosine_decay_schedule(peak, falling),
        "steps": optax.piecewise_constant_schedule(peak, {m - config.warmup: config.decay for m in config.milestones}),
        "cosine_restarts": lambda t: restarted(t % config.period),  # Loshchilov and Hutter (2017), eq. 5
    }[config.schedule]
    rise = optax.linear_schedule(0.0, peak, config.warmup)
    return optax.join_schedules([rise, course], [config.warmup]) if config.warmup else course


def build(player: Player, iterations: int) -> optax.GradientTransformation:
    """The optax transformation by which `player` moves.

    Optax counts updates, of which an iteration holds `player.plays`; schedules run in iterations, as the published
    settings do.
    """
    c = player.optimizer.resolved()
    course = schedule(c, iterations)

    def rate(count: Int[Array, ""]) -> Float[Array, ""] | float:
        return course(count // player.plays)

    rules = {
        "sgd": lambda: optax.sgd(rate),
        "momentum": lambda: optax.sgd(rate, momentum=c.b1),
        "nesterov": lambda: optax.sgd(rate, momentum=c.b1, nesterov=True),
        "adagrad": lambda: optax.adagrad(rate, eps=c.eps),
        "adadelta": lambda: optax.adadelta(rate, rho=c.b2, eps=c.eps),
        "rmsprop": lambda: optax.rmsprop(rate, decay=c.b2, eps=c.eps),
        "adam": lambda: optax.adam(rate, c.b1, c.b2, c.eps),
        "adamw": lambda: optax.adamw(rate, c.b1, c.b2, c.eps, weight_decay=c.weight_decay),
        "lion": lambda: optax.lion(rate, c.b1, c.b2, weight_decay=c.weight_decay),
    }
    chain = [optax.clip_by_global_norm(c.clip)] if c.clip else []
    if c.weight_decay and c.name not in ("adamw", "lion"):
        chain.append(optax.add_decayed_weights(c.weight_decay))
    return optax.chain(*chain, rules[c.name]())
