"""Whether the networks of a run can learn a few examples by heart, which comes before learning from many."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import linear_sum_assignment

from genlab.config.plain import from_dict, read
from genlab.config.sections import Config
from genlab.data.feed import Batch
from genlab.kernels.random import example_keys
from genlab.lab.diagnosis.finding import Finding
from genlab.lab.start import fresh
from genlab.lab.updates import at_peak, update
from genlab.methods.game import Encoding, Player
from genlab.nn.layers import AXIS
from genlab.parts.adversarial import values
from genlab.track.folder import RunFolder
from genlab.track.progress import Progress
from genlab.train.setup import load_data
from genlab.train.state import Game, TrainState, stream
from genlab.train.validate import training_batches

EXAMPLES = 16
ITERATIONS = 1000  # at the peak learning rate, in each phase of a method that has several
AT_ONCE = 25  # iterations to a call, after which the figure is looked at
SECONDS = 60.0  # of each phase, at most
# Of the variance of the examples about their mean, what reconstructions may leave: three quarters are more than any few
# directions explain. Where a likelihood weighs its noise against the latents' cost they do not come to 0; of presets on
# the digits one of binary units comes to 0.17, all others below 0.1.
LEFT = 0.25
# of pairs of an example and a fake, those that an opponent must score in the same order: 15 of 16, to which coins come
# once in two thousand times
ORDERED = 0.9


@dataclass(frozen=True)
class Attempt:
    """What has come of it."""

    run_dir: Path
    iterations: int
    measure: str
    """What `value` is of."""
    value: float
    finding: Finding | None

    def __str__(self) -> str:
        said = str(self.finding or "the networks can learn a few examples by heart")
        return f"{self.run_dir}: {self.measure} {self.value:.3g} after {self.iterations:,} iterations\n\n{said}"


@dataclass(frozen=True)
class Task:
    """What is to be learnt by heart: see `_rebuild` and `_tell`."""

    game: Game
    batch: Batch
    players: tuple[tuple[Player, ...], ...]
    """Who plays, phase by phase."""
    measure: str
    figure: Callable[[TrainState], Array]
    """Traced."""
    done: Callable[[float], bool]


def overfit(run_dir: Path) -> Attempt:
    """Train the run's method anew on `EXAMPLES` training examples alone, and say whether it can learn them.

    A method that encodes must rebuild them; the opponent of another one must tell them from fixed fakes.

    Raises:
        Invalid: the folder holds no run, or its data are not to be had.
    """
    config = from_dict(read(RunFolder.open(run_dir).config)["config"])
    dataset = load_data(config)
    game = Game.of(config, dataset.shape)
    like = Batch(jnp.zeros(0), jnp.zeros((1, min(EXAMPLES, len(dataset.train)))))
    stacked = training_batches(dataset, config.data, config.train.seed, like)
    batch = Batch(stacked.x[0], stacked.label[0])
    state = fresh(game, dataset, config)
    task = _rebuild(game, batch) if isinstance(config.method, Encoding) else _tell(game, batch, state)
    return _attempt(config, task, state, run_dir)


def _rebuild(game: Game, batch: Batch) -> Task:
    """The share of the examples' variance that their reconstructions leave."""
    method, players = game.method, game.players
    assert isinstance(method, Encoding)
    phases = tuple(
        tuple(p for p in players if p.plays_in(start)) for start in sorted({player.start for player in players})
    )
    variance = jnp.square(batch.x - batch.x.mean(0)).mean()

    def left(state: TrainState) -> Float[Array, ""]:
        networks = game.merge(state.params, state.stats, train=False)
        rebuilt = method.reconstruct(networks, batch.x, method.labels_of(batch))
        return jnp.square(rebuilt - batch.x).mean() / variance

    return Task(game, batch, phases, "variance left by reconstructions", left, lambda value: value <= LEFT)


def _tell(game: Game, batch: Batch, start: TrainState) -> Task:
    """The share of pairs of an example and a fake of the untrained networks whose scores have one order.

    An example's fake is its own in the cheapest transport of the ones to the others: a Wasserstein potential rises
    along these pairs by their distance, and need not between others (Gulrajani et al. 2017, proposition 1).
    """
    method, opponent, labels = game.method, game.players[0], game.method.labels_of(batch)
    keys = example_keys(stream(game.seed, "overfit"), jnp.arange(len(batch.label)))
    fake = method.sample(game.merge(start.params, start.stats, train=False), keys, labels)
    distances = jnp.linalg.norm((batch.x[:, None] - fake).reshape(len(fake), len(fake), -1), axis=2)
    own = linear_sum_assignment(np.asarray(distances))[1]

    def ordered(state: TrainState) -> Float[Array, ""]:
        network = game.merge(state.params, state.stats, train=False)[opponent.networks[0]]
        above = values(network, batch.x, labels) - values(network, fake, labels)[own]
        share = (jnp.sign(above).mean() + 1) / 2
        return jnp.maximum(share, 1 - share)  # some opponents score real examples lower

    return Task(game, batch, ((opponent,),), "pairs told apart", ordered, lambda value: value >= ORDERED)


def _attempt(config: Config, task: Task, state: TrainState, run_dir: Path) -> Attempt:
    total = ITERATIONS * len(task.players)
    progress, made, value = Progress(total, 0, len(task.batch.label), (task.measure,)), 0, float("nan")
    figure = jax.jit(task.figure)
    try:
        for number, players in enumerate(task.players):
            started, advance = time.monotonic(), _iterations(config, task, players)
            for _ in range(ITERATIONS // AT_ONCE):
                state = advance(state)
                made, value = made + AT_ONCE, float(figure(state))
                progress.update(made, {task.measure: value})
                last = number == len(task.players) - 1
                if (last and task.done(value)) or time.monotonic() - started > SECONDS:
                    break
    finally:
        progress.close()
    return Attempt(run_dir, made, task.measure, value, None if task.done(value) else _finding(config, task, value))


def _iterations(config: Config, task: Task, players: tuple[Player, ...]) -> Callable[[TrainState], TrainState]:
    """`AT_ONCE` updates of these players in turn, always by the same batch, compiled."""
    game, index = task.game, jnp.arange(len(task.batch.label))

    def iteration(state: TrainState, _: None) -> tuple[TrainState, None]:
        for number, player in enumerate(players):
            root = jax.random.fold_in(jax.random.fold_in(stream(game.seed, "overfit"), state.step), number)
            batch = task.batch if player.real else None
            transformation = at_peak(player, config.train.steps)
            keys = example_keys(root, index)
            state = update(game, player, transformation, state, batch, keys, None).state
        return replace(state, step=state.step + 1), None

    def advance(state: TrainState, _: Array) -> TrainState:
        return jax.lax.scan(iteration, state, length=AT_ONCE)[0]

    alone = jax.jit(jax.vmap(advance, in_axes=(None, 0), axis_name=AXIS))  # the axis that losses may average over
    return lambda state: jax.tree.map(lambda x: x[0], alone(state, jnp.zeros(1)))


def _finding(config: Config, task: Task, value: float) -> Finding:
    size = len(task.batch.label)
    if isinstance(config.method, Encoding):
        return Finding(
            "cannot overfit",
            f"Trained on {size} examples alone, reconstructions leave {100 * value:.0f} % of their variance; "
            f"{100 * LEFT:.0f} % or less is to be expected, and learning from many examples is no easier.",
            "Give the latents and the networks more room, raise the learning rate, or lower what else the loss asks "
            "for (--method.objective.beta, penalties).",
        )
    return Finding(
        "cannot overfit",
        f"Trained on {size} examples alone, {task.players[0][0].name} puts {100 * value:.0f} % of their pairs with as "
        f"many fixed fakes in order; {100 * ORDERED:.0f} % or more is to be expected.",
        "Raise its learning rate, make it wider, or weaken its penalty, dropout or augmentation.",
    )
