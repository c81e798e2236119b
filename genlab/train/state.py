"""The state of training: plain dictionaries of arrays; everything else about a run is constant."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Bool, Float, Integer, Key, PyTree

from genlab.config.sections import Config
from genlab.errors import Invalid, require
from genlab.kernels.penalty import coupled
from genlab.kernels.random import Keys, example_keys, fold
from genlab.methods.game import Centred, Method, Player
from genlab.nn.layers import AXIS, start_update
from genlab.parts.tally import TALLY, Tally
from genlab.parts.types import Networks
from genlab.train import optimizer, paths

Weights = dict[str, PyTree]  # by network
AVERAGED, FURTHER = ("params", "stats"), "further"


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TrainState:
    """All that changes while training. Shapes, axes or placements may stand in for arrays, and for trees of them."""

    step: PyTree  # iterations done, an int32 scalar
    params: PyTree  # what gradients move: Weights
    stats: PyTree  # what networks update themselves, as batch norm's averages: Weights
    optimizers: PyTree  # by player
    ema: PyTree  # averaged "params" and "stats" of the networks that sampling needs: see `averages`


def averages(state: TrainState) -> list[Weights]:
    """The averages of weights, one for each decay."""
    return [select(state.ema, AVERAGED), *state.ema.get(FURTHER, [])]


def together(averages: Sequence[Weights]) -> PyTree:
    """The inverse of `averages`: the first as if it were alone, as it is in most runs."""
    first, *further = averages
    return first | ({FURTHER: further} if further else {})


def stream(seed: int | Integer[Array, ""], name: str) -> Key[Array, ""]:
    """The root key of a named stream of randomness.

    Raises:
        Invalid: the seed is a number, and is not in [0, 2^32).
    """
    require(not isinstance(seed, int) or 0 <= seed < 2**32, "seed", seed, "in [0, 2^32)")
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return jax.random.fold_in(jax.random.key(seed), number)


class Game:
    """A method made concrete for data of one shape: its players, network structures and optimisers.

    So many `averages` of the weights that sampling needs are kept.
    What lies below the paths of `freeze` is never moved, and computes as it does in evaluation.
    Raises `Invalid` where there is no such path, or it leaves a player nothing to move.
    """

    def __init__(
        self,
        method: Method,
        shape: tuple[int, ...],
        seed: int | Integer[Array, ""],
        iterations: int,
        freeze: tuple[str, ...] = (),
        averages: int = 1,
    ):
        self.method = method
        self.shape = shape
        self.seed = seed
        self.freeze = freeze
        self.averages = averages
        self.players: tuple[Player, ...] = method.players()
        self.optimizers: dict[str, optax.GradientTransformation] = {
            player.name: optimizer.build(player, iterations) for player in self.players
        }
        networks = nnx.eval_shape(self._make_networks)
        self._check_frozen(self.split(networks)[0])
        for name, network in networks.items():
            for path, module in nnx.iter_modules(network):
                if paths.below("/".join(map(str, (name, *path))), freeze):
                    module.eval()
        self._training = {name: nnx.graphdef(network) for name, network in networks.items()}
        for network in networks.values():
            network.eval()
        self._evaluating = {name: nnx.graphdef(network) for name, network in networks.items()}

    @classmethod
    def of(cls, config: Config, shape: tuple[int, ...]) -> "Game":
        """The game of a run with this configuration, on data of `shape`."""
        train = config.train
        return cls(config.method, shape, train.seed, train.steps, config.init.freeze, len(train.decays))

    @property
    def reads(self) -> int:
        """Batches of real examples that one iteration consumes."""
        return sum(player.plays for player in self.players if player.real)

    def _make_networks(self) -> Networks:
        networks = self.method.networks(self.shape, nnx.Rngs(params=stream(self.seed, "initialisation")))
        tallied = {name: shape for player in self.players for name, shape in player.tally.items()}
        return networks | ({TALLY: Tally(tallied)} if tallied else {})

    def _check_frozen(self, params: Weights) -> None:
        for part in self.freeze:
            paths.check(part, dict(paths.leaves(params)), "init.freeze", "among the parameters")
        for player in self.players if self.freeze else ():
            some = any(paths.leaves(self.trainable(player, params)))
            require(some, "init.freeze", self.freeze, f"possible: it leaves the player {player.name} nothing to move")

    def trainable(self, player: Player, params: Weights) -> Weights:
        """The parameters that a player moves."""

        def moves(path: str) -> bool:
            return (not player.part or paths.below(path, player.part)) and not paths.below(path, self.freeze)

        return paths.prune(select(params, player.networks), moves)

    def merge(self, params: Weights, stats: Weights, *, train: bool, keys: Keys | None = None) -> Networks:
        """Networks from their weights; `train` decides between batch norm's two modes.

        With keys, those of a batch's examples, an update starts: see `nn.layers.start_update`.
        """
        graphs = self._training if train else self._evaluating
        networks = {name: nnx.merge(graphs[name], params[name], stats[name]) for name in params}
        for number, name in enumerate(graphs):
            if keys is not None and name in networks:
                start_update(networks[name], fold(keys, number))
        return networks

    def split(self, networks: Networks) -> tuple[Weights, Weights]:
        """The parameters and the statistics of networks, the inverse of `merge`."""
        params = {name: nnx.to_pure_dict(nnx.state(net, nnx.Param)) for name, net in networks.items()}
        stats = {name: nnx.to_pure_dict(nnx.state(net, nnx.BatchStat)) for name, net in networks.items()}
        return params, stats

    @property
    def centred(self) -> bool:
        """Whether the start depends on the mean training example."""
        return isinstance(self.method, Centred)

    def init(self, mean: Float[Array, "*shape"] | None = None) -> TrainState:
        """The state before the first iteration, a function of the seed and of the mean training example, if given."""
        networks = self._make_networks()
        if mean is not None and isinstance(self.method, Centred):
            self.method.centre(networks, mean)
        params, stats = self.split(networks)
        states = {p.name: self.optimizers[p.name].init(self.trainable(p, params)) for p in self.players}
        sampling = self.method.sampling
        current = {"params": select(params, sampling), "stats": select(stats, sampling)}
        ema = together([jax.tree.map(jnp.copy, current) for _ in range(self.averages)])
        return TrainState(jnp.zeros((), jnp.int32), params, stats, states, ema)

    def check(self, state: TrainState) -> None:
        """That the networks whose slopes are penalised treat examples one by one, whatever they are made of.

        Raises:
            Invalid: one of them does not, and so the penalty would not be that of any slope.
        """

        keys = example_keys(jax.random.key(0), jnp.arange(3))
        for name in self.method.penalised:
            params, stats = ({name: weights[name]} for weights in (state.params, state.stats))

            def is_coupled(x: Float[Array, "three *shape"], name=name, params=params, stats=stats) -> Bool[Array, ""]:
                labels = jnp.zeros(len(x), jnp.int32) if self.method.classes else None
                return coupled(lambda x: self.merge(params, stats, train=True, keys=keys)[name](x, labels).sum(1), x)

            x = jax.random.normal(jax.random.key(0), (1, 3, *self.shape))
            if jax.jit(jax.vmap(is_coupled, axis_name=AXIS))(x)[0]:
                raise Invalid(
                    f"method.{name}: it couples the examples of a batch, as batch norm and minibatch statistics do, so "
                    "that none of them has a slope; use layer normalisation or none"
                )

    def sampling_networks(self, state: TrainState, *, ema: bool) -> Networks:
        """The networks that sampling needs, with averaged or with current weights."""
        params, stats = (state.ema["params"], state.ema["stats"]) if ema else (state.params, state.stats)
        sampling = self.method.sampling
        return self.merge(select(params, sampling), select(stats, sampling), train=False)


def select(weights: Weights, names: tuple[str, ...]) -> Weights:
    """The weights of these networks."""
    return {name: weights[name] for name in names}
