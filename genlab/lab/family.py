"""Configurations that one program can train: they differ in nothing but numbers that it takes as arguments."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from genlab.config.plain import flatten, to_dict
from genlab.config.sections import Config, resolved
from genlab.data.feed import Batch, Feed
from genlab.nn.layers import AXIS
from genlab.parts.types import Metrics
from genlab.train.state import Game, TrainState
from genlab.train.step import make_iteration
from genlab.train.validate import draw, validate

SEED = "train.seed"
TRACED = ("method.", "train.ema")  # what the step knows of a run; all else decides what is fed to it, and when

Values = Mapping[str, Array | np.ndarray]  # of one member, or of all with a leading axis, by the name of the setting
Flat = dict[str, dict[str, Any]]  # settings by their path, of each member
STATES = TrainState(None, 0, 0, 0, 0)  # axes of the state of all: they are at the same step


@dataclass(frozen=True)
class Family:
    """Configurations by name, and the settings in which they differ."""

    members: dict[str, Config]
    differing: tuple[str, ...]

    @property
    def first(self) -> Config:
        """Any of them."""
        return next(iter(self.members.values()))

    @property
    def values(self) -> Values:
        """What they differ in, an array with one number of each."""
        flat = _flat(self.members).values()
        types = {name: np.uint32 if name == SEED else np.float32 for name in self.differing}
        return {name: np.array([each[name] for each in flat], types[name]) for name in self.differing}

    def game(self, values: Values, shape: tuple[int, ...]) -> Game:
        """The game of a member, traced."""
        return Game.of(self.config(values), shape)

    def config(self, values: Values) -> Config:
        """The configuration of a member, with traced values, whose checks it passed when it was made."""
        config = self.first
        for name, value in values.items():
            config = _replaced(config, name.split("."), value)
        return config

    def iteration(
        self, feed: Feed, shape: tuple[int, ...], values: Values, state: TrainState, arrays: Any, index: Array, log: Any
    ) -> tuple[TrainState, Metrics]:
        """One iteration of a member, traced."""
        config = self.config(values)
        averaging = config.train.averaging(config.data.batch_size)
        return make_iteration(Game.of(config, shape), feed, *averaging, config.track.every)(state, arrays, index, log)

    def traceable(self, feed: Feed, shape: tuple[int, ...]) -> bool:
        """Whether all that a run computes can be compiled without knowing what its members differ in."""

        def trained(values: Values, arrays: Any, index: Array) -> Any:
            game = self.game(values, shape)
            state = game.init(jnp.zeros(shape) if game.centred else None)
            return self.iteration(feed, shape, values, state, arrays, index, True)[0]

        def looked_at(values: Values, state: TrainState) -> Any:
            game, batch = self.game(values, shape), Batch(jnp.zeros((1, 2, *shape)), jnp.zeros((1, 2), np.int32))
            return validate(game, state, batch), draw(game, state, batch)

        one = {name: jax.ShapeDtypeStruct((), value.dtype) for name, value in self.values.items()}
        arrays = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), feed.arrays(0))
        index = jax.ShapeDtypeStruct((1, self.first.data.batch_size), np.int32)
        spread = jax.vmap(trained, in_axes=(None, feed.axis, 0), axis_name=AXIS)
        try:
            states = jax.eval_shape(spread, one, arrays, index)
            jax.eval_shape(lambda values, states: looked_at(values, jax.tree.map(lambda x: x[0], states)), one, states)
        except (TypeError, ValueError):  # JAX's own are TypeErrors; a check that refuses is a ValueError
            return False
        return True


def _replaced(part: Any, path: Sequence[str], value: Any) -> Any:
    """A copy of a dataclass with another value at a path; a traced one cannot be checked again."""
    first, *rest = path
    changed = copy.copy(part)
    object.__setattr__(changed, first, _replaced(getattr(part, first), rest, value) if rest else value)
    return changed


def alike(members: dict[str, Config]) -> Iterator[dict[str, Config]]:
    """The members, resolved, in groups that differ in numbers of a game alone, or in nothing."""
    members = {name: resolved(config) for name, config in members.items()}
    flat = _flat(members)
    return _grouped(members, [name for name in _differing(flat) if not _is_number(flat, name)], flat)


def families(members: dict[str, Config], feed: Feed, shape: tuple[int, ...]) -> Iterator[Family]:
    """The members of a group of `alike` in families, as large as can be: one to a program."""
    flat = _flat(members)
    differing = _differing(flat)
    traced = [name for name in differing if Family(members, (name,)).traceable(feed, shape)]
    for group in _grouped(members, [name for name in differing if name not in traced], flat):
        yield Family(group, tuple(_differing(_flat(group))))


def _flat(members: dict[str, Config]) -> Flat:
    return {name: flatten(to_dict(config)) for name, config in members.items()}


def _differing(flat: Flat) -> list[str]:
    first, *others = flat.values()
    names = dict.fromkeys(name for each in flat.values() for name in each)
    return [name for name in names if any(each.get(name) != first.get(name) for each in others)]


def _is_number(flat: Flat, name: str) -> bool:
    return name == SEED or (name.startswith(TRACED) and all(type(each.get(name)) is float for each in flat.values()))


def _grouped(members: dict[str, Config], names: list[str], flat: Flat) -> Iterator[dict[str, Config]]:
    """Those that agree in these settings."""
    groups: dict[str, dict[str, Config]] = {}
    for name, config in members.items():
        groups.setdefault(repr([flat[name].get(each) for each in names]), {})[name] = config
    yield from groups.values()
