"""A trained model from nothing but its run folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, NoReturn, overload

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from genlab.config.sections import Config
from genlab.errors import Invalid, require
from genlab.kernels.annealing import log_mean
from genlab.kernels.random import Keys, example_keys, fold, uniform
from genlab.losses.importance import bounds
from genlab.methods.game import Encoding, ImportanceWeighted, Method, Unnormalised
from genlab.parts.types import Networks
from genlab.train.restore import restore
from genlab.train.state import Game, TrainState, stream

CHUNK = 256  # examples per call; samples always as many, so that one does not depend on how many are asked for
SMALL_CHUNK = 16  # examples per call where no more are given, so that one costs little
RUNS = 128  # of annealed importance sampling

Labels = int | Sequence[int] | Int[np.ndarray, " n"] | None
Latents = Float[np.ndarray, "n latent"]
Data = Float[np.ndarray, "n *shape"]


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model: its configuration, the shape of its data, and the weights of one checkpoint.

    Arrays of NumPy go in and come out, images in [-1, 1], any number of them; they are worked through in chunks of few
    sizes, each of which is compiled once. Labels are one class for all examples or one for each, counted from 0.

    Whatever cannot be done raises `Invalid`: a method that does not encode, labels of a method that takes none.
    """

    config: Config
    shape: tuple[int, ...]  # (h, w, c) of images, (2,) of points
    game: Game
    state: TrainState
    ema: bool
    classes: tuple[str, ...] = ()  # names of the data's classes
    decay: float | None = None  # that of its average, if it was asked for

    @property
    def members(self) -> "tuple[Model, ...]":
        """The checkpoints that it is made of: itself."""
        return (self,)

    @property
    def steps(self) -> tuple[int, ...]:
        """Their iterations."""
        return (int(self.state.step),)

    @property
    def method(self) -> Method:
        """What was trained."""
        return self.game.method

    @property
    def gaussian(self) -> bool:
        """Whether latents are drawn from N(0, I)."""
        return self.method.normal

    @property
    def conditional(self) -> bool:
        """Whether examples are of a class that is given."""
        return self.method.classes > 0

    @property
    def encodes(self) -> bool:
        """Whether examples have latents that the method finds."""
        return isinstance(self.method, Encoding)

    def class_indices(self, names: Sequence[str]) -> tuple[int, ...]:
        """The labels of the classes by these names, counted from 0."""
        for name in names:
            kind = type(self.method).__name__
            require(self.conditional, "labels", name, f"possible: {kind} was not trained with labels")
            require(name in self.classes, "labels", name, f"one of {', '.join(self.classes)}")
        return tuple(self.classes.index(name) for name in names)

    def networks(self, state: TrainState) -> Networks:
        """All networks in evaluation mode, traced; averaged weights for those that have them, if `ema`."""
        return _networks(self.game, self.ema, state)

    def shares(self, n: int, seed: int = 0, start: int = 0) -> "Shares":
        """Which of `n` samples are of which member: all its own."""
        return [(self, _sample_indices(n, start))]

    def sample(self, n: int, seed: int = 0, labels: Labels = None, start: int = 0) -> Data:
        """`n` samples, from number `start` on. Sample i depends on the seed, i and its label alone.

        A conditional method without labels draws them too, all classes alike.
        """
        return self._sample_rows(self._with_labels({"index": _sample_indices(n, start)}, labels), seed)

    def _sample_rows(self, rows: dict[str, np.ndarray], seed: int) -> Data:
        return self._map_chunks(_sample, rows, CHUNK, {"key": stream(seed, "sample")})

    def prior(self, n: int, seed: int = 0, start: int = 0) -> Latents:
        """The latents of these samples, where a method draws no more than a latent and its label."""
        return self._map_chunks(_prior, {"index": _sample_indices(n, start)}, CHUNK, {"key": stream(seed, "sample")})

    def decode(self, z: Latents, labels: Labels = None) -> Data:
        """The examples of latents."""
        z = np.asarray(z, np.float32)
        fits = z.ndim == 2 and z.shape[1] == self.method.latent
        require(fits, "z", z.shape, f"the shape (n, {self.method.latent})")
        return self._map_chunks(_decode, self._with_labels({"z": z}, labels, needed=True))

    def decoder(self, label: int | None = None) -> Callable[[Float[Array, "b latent"]], Float[Array, "b *shape"]]:
        """The decoder as a function of JAX arrays, to differentiate; it may be an argument of a jitted function."""
        labels = None if label is None else int(self._with_labels({"z": np.zeros(1)}, label, needed=True)["label"][0])
        return jax.tree_util.Partial(self._decode_traced, self.state, labels)

    def _decode_traced(self, state: TrainState, label: Any, z: Float[Array, "b latent"]) -> Float[Array, "b *shape"]:
        labels = {} if label is None else {"label": jnp.full(len(z), label)}
        return _decode(self.method, self.game.sampling_networks(state, ema=self.ema), {}, {"z": z} | labels)

    def encode(self, x: Data, labels: Labels = None) -> Latents:
        """The latents of examples: the means of a posterior, where there is one."""
        return self._map_chunks(_encode, self._examples("encode", x, labels, Encoding))

    def reconstruct(self, x: Data, labels: Labels = None) -> Data:
        """The examples of the latents of examples."""
        return self._map_chunks(_reconstruct, self._examples("reconstruct", x, labels, Encoding))

    def log_likelihood(self, x: Data, k: int = 100, seed: int = 0, labels: Labels = None) -> Float[np.ndarray, " n"]:
        """log p(x) in nats, bounded from below by `k` draws of the posterior, Burda et al. (2016), eq. 8.

        Of a density of pixels in [-1, 1] or of points, or of the probability of bits, which pixels then must be: -1 and
        1. Example i depends on the seed and i alone. A constant that is not known is estimated once, see
        `log_partition`.
        """
        require(k >= 1, "k", k, "at least 1")
        rows = self._examples("log_likelihood", x, labels, ImportanceWeighted)
        method = self.method
        of_bits = isinstance(method, ImportanceWeighted) and method.observation == "bernoulli"
        if of_bits and not (np.abs(rows["x"]) == 1).all():
            raise Invalid(
                "log_likelihood: x has grey levels, of which bernoulli is no likelihood; -1 and 1 are allowed"
            )
        found = self._map_chunks(_bound, rows, constants={"key": stream(seed, "inference"), "draws": np.int32(k)})
        return found - np.float32(self.log_partition[0] if isinstance(self.method, Unnormalised) else 0)

    @cached_property
    def log_partition(self) -> tuple[float, float]:
        """log Z of a density that is known up to Z, and its standard error, by annealed importance sampling."""
        if not isinstance(self.method, Unnormalised):
            raise Invalid(f"log_partition: {type(self.method).__name__} has none")
        logs = self._map_chunks(_log_partition, {"index": np.arange(RUNS)}, RUNS, {"key": stream(0, "inference")})
        value, error = log_mean(jnp.asarray(logs))
        return float(value), float(error)

    def _examples(self, action: str, x: Data, labels: Labels, kind: Any) -> dict[str, np.ndarray]:
        """Examples, their places and labels, for a method that must be of a kind."""
        if not isinstance(self.method, kind):
            lacks = "no encoder" if kind is Encoding else "no likelihood"
            raise Invalid(f"{action}: {type(self.method).__name__} has {lacks}")
        x = np.asarray(x, np.float32)
        require(x.shape[1:] == self.shape, "x", x.shape, f"the shape (n, {', '.join(map(str, self.shape))})")
        return self._with_labels({"x": x, "index": np.arange(len(x))}, labels, needed=True)

    def _with_labels(self, rows: dict[str, np.ndarray], labels: Labels, needed: bool = False) -> dict[str, np.ndarray]:
        """Rows with their labels, where there are labels."""
        name, classes = type(self.method).__name__, self.method.classes
        if labels is None:
            require(not (needed and classes), "labels", None, f"enough for {name}; it has {classes} classes")
            return rows
        require(classes > 0, "labels", labels, f"possible: {name} was not trained with labels")
        n, label = len(next(iter(rows.values()))), np.asarray(labels)
        fits = label.dtype.kind in "iu" and label.shape in ((), (n,)) and set(label.flat) <= set(range(classes))
        require(fits, "labels", labels, f"one class from 0 to {classes - 1}, or one for each of {n}")
        return rows | {"label": np.broadcast_to(label, (n,)).astype(np.int32)}

    def _map_chunks(
        self, f: "RowFunction", rows: dict[str, np.ndarray], size: int = 0, constants: PyTree = None
    ) -> np.ndarray:
        """`f` of all rows, `size` at a time or as suits their number; the last row fills up the last chunk."""
        n = len(next(iter(rows.values())))
        require(n >= 1, "examples", n, "at least 1")
        size, found = size or (SMALL_CHUNK if n <= SMALL_CHUNK else CHUNK), []
        for start in range(0, n, size):
            place = np.minimum(np.arange(start, start + size), n - 1)
            chunk = {name: values[place] for name, values in rows.items()}
            found.append(np.asarray(self._compiled(f, self.state, constants or {}, chunk))[: n - start])
        return np.concatenate(found)

    @property
    def _compiled(self) -> Callable[..., Array]:
        """One program for each function and shape of its rows, which models of the same game share."""
        return _program(self.game, self.ema)


Shares = list[tuple[Model, Int[np.ndarray, " _"]]]


@dataclass(frozen=True, eq=False)
class Mixture:
    """Checkpoints of one run as one model, whose samples are of each of them with the same probability: a snapshot
    ensemble, Huang et al. (2017), where they are the ends of cycles.

    It samples, and has a likelihood where its members have one, all as `Model` does. Latents mean something to a single
    checkpoint: what needs them raises `Invalid`.
    """

    members: tuple[Model, ...]

    config = property(lambda self: self.members[0].config)
    shape = property(lambda self: self.members[0].shape)
    game = property(lambda self: self.members[0].game)
    ema = property(lambda self: self.members[0].ema)
    classes = property(lambda self: self.members[0].classes)
    method = property(lambda self: self.members[0].method)
    gaussian = property(lambda self: self.members[0].gaussian)
    conditional = property(lambda self: self.members[0].conditional)
    class_indices = property(lambda self: self.members[0].class_indices)

    @property
    def steps(self) -> tuple[int, ...]:
        """The iterations of its checkpoints."""
        return tuple(step for member in self.members for step in member.steps)

    def shares(self, n: int, seed: int = 0, start: int = 0) -> Shares:
        """Which of `n` samples, from number `start` on, are of which member; that of sample i follows from the seed and
        i alone. Members that have none are left out."""
        index = _sample_indices(n, start)
        drawn = np.asarray(uniform(example_keys(stream(seed, "mixture"), jnp.asarray(index))))
        chosen = (drawn * len(self.members)).astype(np.int32)
        shares = [(member, index[chosen == place]) for place, member in enumerate(self.members)]
        return [(member, own) for member, own in shares if len(own)]

    def sample(self, n: int, seed: int = 0, labels: Labels = None, start: int = 0) -> Data:
        """`n` samples, from number `start` on. Sample i is sample i of the member that `shares` says, of that seed."""
        shares = self.shares(n, seed, start)
        rows = self.members[0]._with_labels({"index": _sample_indices(n, start)}, labels)
        own_rows = [{name: values[own - start] for name, values in rows.items()} for _, own in shares]
        parts = [member._sample_rows(own, seed) for (member, _), own in zip(shares, own_rows, strict=True)]
        return in_order(shares, parts)

    def log_likelihood(self, x: Data, k: int = 100, seed: int = 0, labels: Labels = None) -> Float[np.ndarray, " n"]:
        """log of the mean of the members' p(x) in nats, bounded from below by that of their bounds."""
        return log_mean_exp([member.log_likelihood(x, k, seed, labels) for member in self.members])

    def prior(self, *_: object, **__: object) -> NoReturn:
        """Refused, as all that needs latents."""
        self._refuse("prior")

    def decode(self, *_: object, **__: object) -> NoReturn:
        """Refused, as all that needs latents."""
        self._refuse("decode")

    def encode(self, *_: object, **__: object) -> NoReturn:
        """Refused, as all that needs latents."""
        self._refuse("encode")

    def reconstruct(self, *_: object, **__: object) -> NoReturn:
        """Refused, as all that needs latents."""
        self._refuse("reconstruct")

    def _refuse(self, action: str) -> NoReturn:
        steps = ", ".join(map(str, self.steps))
        raise Invalid(f"{action}: a mixture has no latents of its own; load one of its checkpoints {steps}")


def in_order(shares: Shares, parts: Sequence[Float[np.ndarray, "_ *shape"]]) -> Float[np.ndarray, "_ *shape"]:
    """Each member's samples, by their numbers."""
    return np.concatenate(parts)[np.argsort(np.concatenate([index for _, index in shares]))]


def log_mean_exp(values: Sequence[Float[np.ndarray, " n"]]) -> Float[np.ndarray, " n"]:
    """log of the mean of exponentials, example by example."""
    return np.logaddexp.reduce(values) - np.log(len(values), dtype=values[0].dtype)


def _networks(game: Game, ema: bool, state: TrainState) -> Networks:
    return game.merge(state.params, state.stats, train=False) | game.sampling_networks(state, ema=ema)


@lru_cache(maxsize=16)
def _program(game: Game, ema: bool) -> Callable[..., Array]:
    def apply(f: RowFunction, state: TrainState, constants: dict[str, Any], rows: dict[str, Any]) -> Array:
        return f(game.method, _networks(game, ema, state), constants, rows)

    return jax.jit(apply, static_argnums=0)


def _sample_indices(n: int, start: int) -> Int[np.ndarray, " n"]:
    """The numbers of `n` samples; a key takes 32 bits of one."""
    require(n >= 1, "n", n, "at least 1")
    require(start >= 0, "start", start, "at least 0")
    require(start + n <= 2**31, "n" if n > start else "start", max(n, start), "such that all numbers are below 2^31")
    return np.arange(start, start + n)


RowFunction = Callable[[Any, Networks, dict[str, Any], dict[str, Any]], Array]


def _keys(constants: dict[str, Any], rows: dict[str, Any]) -> Keys:
    return example_keys(constants["key"], rows["index"])


def _sample(method: Method, networks: Networks, constants: dict, rows: dict) -> Array:
    return method.sample(networks, _keys(constants, rows), rows.get("label"))


def _prior(method: Method, networks: Networks, constants: dict, rows: dict) -> Array:
    return method.draw_latents(networks, _keys(constants, rows))


def _decode(method: Method, networks: Networks, constants: dict, rows: dict) -> Array:
    return method.decode(networks, rows["z"], rows.get("label"))


def _encode(method: Encoding, networks: Networks, constants: dict, rows: dict) -> Array:
    return method.encode(networks, rows["x"], rows.get("label"))


def _reconstruct(method: Encoding, networks: Networks, constants: dict, rows: dict) -> Array:
    return method.reconstruct(networks, rows["x"], rows.get("label"))


def _bound(method: ImportanceWeighted, networks: Networks, constants: dict, rows: dict) -> Array:
    keys = fold(_keys(constants, rows), 1)
    log_weight = partial(method.log_weight, networks, rows["x"], labels=rows.get("label"))
    return bounds(log_weight, keys, constants["draws"])["bound"]


def _log_partition(method: Unnormalised, networks: Networks, constants: dict, rows: dict) -> Array:
    return method.log_partition(networks, fold(_keys(constants, rows), 1))


@overload
def load(run_dir: str | Path, step: int | None = None, ema: bool = True, decay: float | None = None) -> Model: ...


@overload
def load(
    run_dir: str | Path, step: int | None = None, ema: bool = True, decay: float | None = None, *, steps: Sequence[int]
) -> Model | Mixture: ...


def load(
    run_dir: str | Path,
    step: int | None = None,
    ema: bool = True,
    decay: float | None = None,
    *,
    steps: Sequence[int] = (),
) -> Model | Mixture:
    """The model trained in `run_dir`, at its newest checkpoint or at `step`, with averaged or with last weights; of
    several `steps` the mixture of these checkpoints.

    Of several averages it has that of a `decay`, or else the first.

    Raises:
        Invalid: the folder holds no run, or no such checkpoint, or one that cannot be read or is of another make, or
            there is no average of this decay; or a step is given twice, or beside others.
    """
    require(ema or decay is None, "decay", decay, "possible without averaged weights (ema)")
    require(step is None or not steps, "step", step, "possible beside steps")
    require(len(set(steps)) == len(steps), "steps", tuple(steps), "steps of which each is given once")
    run = restore(run_dir, steps or [step], decay)
    members = tuple(Model(run.config, run.game.shape, run.game, state, ema, run.classes, decay) for state in run.states)
    return members[0] if len(members) == 1 else Mixture(members)
