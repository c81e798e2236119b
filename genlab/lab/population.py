"""Runs trained together: a family of configurations in one compiled program, each with a run folder of its own."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Bool, Int, PyTree

from genlab.config.sections import Config
from genlab.data.feed import Batch, Feed, Scalar, Seed, Stream, make_feed
from genlab.data.splits import Dataset, Examples
from genlab.errors import Invalid, Stopped
from genlab.kernels.random import Keys
from genlab.lab.family import STATES, Family, Values, alike, families
from genlab.parts.types import Metrics
from genlab.track.folder import RunFolder
from genlab.train import capacity, spmd
from genlab.train.checkpoint import abstract
from genlab.train.interrupt import Interrupt
from genlab.train.loop import Loop, MakeDiagnoser, MakeScorer, make_loop, train
from genlab.train.observer import Diagnoser, Observer, Scorer
from genlab.train.patience import Patience
from genlab.train.setup import OpenRun, load_data, mean_if_needed, open_run
from genlab.train.state import Game, TrainState
from genlab.train.step import indices, repeat
from genlab.train.validate import draw, pictures, validate, validation_batches

SPECS = TrainState(P(), *[P(spmd.MEMBERS)] * 4)  # as STATES, of devices


def train_population(
    members: dict[str, Config],
    run_dir: Path,
    make_scorer: MakeScorer | None = None,
    make_diagnoser: MakeDiagnoser | None = None,
) -> str | None:
    """Train every member in the folder of its name in `run_dir`, as many as can be in one program.

    Each goes on from its newest checkpoint, if it has one. Returns the name of the signal that ended it early, if any.

    Raises:
        Invalid: a configuration cannot work, or a folder belongs to another one.
        Stopped: some of them ended early; all the others are trained.
    """
    if RunFolder(run_dir).is_run():
        raise Invalid(f"run-dir: {run_dir} is one run's; several need a folder of their own, give another --run-dir")
    spmd.simulate_for_members(next(iter(members.values())).parallel)
    ended: dict[str, str] = {}
    for family in list(_programs(members)):
        stopped = _train_family(family, run_dir, make_scorer, make_diagnoser, ended)
        if stopped:
            return stopped
    if ended:
        name, why = next(iter(ended.items()))
        raise Stopped(f"{len(ended)} of {len(members)} runs ended early: {', '.join(ended)} ({name}: {why})")
    return None


def _programs(members: dict[str, Config]) -> Iterator[Family]:
    """The families to train, one after the other."""
    for group in alike(members):
        if len(group) == 1:
            yield Family(group, ())
            continue
        config = next(iter(group.values()))
        dataset = load_data(config)
        with contextlib.closing(make_feed(config.data, dataset, 0, 1, 1)) as feed:
            yield from families(group, feed, dataset.shape)


def _train_family(
    family: Family,
    run_dir: Path,
    make_scorer: MakeScorer | None,
    make_diagnoser: MakeDiagnoser | None,
    ended: dict[str, str],
) -> str | None:
    """Train the members that are not done yet; `ended` takes those that end early, and why."""
    print(f"one program trains {', '.join(family.members)}", file=sys.stderr)
    with contextlib.ExitStack() as stack:
        if len(family.members) == 1:
            [(name, config)] = family.members.items()
            config = replace(config, parallel=spmd.alone(config.parallel))
            try:
                return train(config, run_dir / name, make_scorer, make_diagnoser=make_diagnoser)
            except Stopped as error:
                ended[name] = str(error)
                return None
        interrupt = stack.enter_context(Interrupt())
        population = Population.open(family, run_dir, stack, make_scorer, make_diagnoser)
        for found in population.report():
            print(found, file=sys.stderr)
        for step, cohort in population.cohorts():
            loop, state = population.prepare(cohort, step, stack)
            with contextlib.suppress(Stopped):  # of the last of them, which `loop.ended` names too
                loop.run(state, step, interrupt)
            ended |= loop.ended
            loop.report()
            if interrupt.requested:
                return interrupt.requested
    return None


@dataclass(frozen=True)
class Population:
    """A family whose run folders are held, on some devices."""

    family: Family
    runs: dict[str, OpenRun]
    dataset: Dataset
    devices: list[jax.Device]
    game: Game  # of any member: they differ in numbers alone
    group: str
    make_scorer: MakeScorer | None
    make_diagnoser: MakeDiagnoser | None
    found: dict[str, tuple[int, TrainState]]  # where each goes on from

    @staticmethod
    def open(
        family: Family,
        run_dir: Path,
        stack: contextlib.ExitStack,
        make_scorer: MakeScorer | None,
        make_diagnoser: MakeDiagnoser | None = None,
    ) -> "Population":
        """Hold the members' folders until `stack` is closed, and find out where each goes on from.

        Raises:
            Invalid: a folder is another run's, or is held by another process, or they exceed the memory together.
        """
        config = family.first
        devices = spmd.training_devices(config.parallel, 0)
        runs = {name: open_run(config, run_dir / name, stack) for name, config in family.members.items()}
        dataset = load_data(config)
        shared = 1 if devices[0].platform == "cpu" else len(devices)  # memories
        capacity.check(config, dataset.shape, devices[:1], -(-len(runs) // shared))
        game = Game.of(config, dataset.shape)
        mean = mean_if_needed(game, dataset, list(runs.values()))
        init = jax.vmap(lambda values: family.game(values, dataset.shape).init(mean), out_axes=STATES)
        fresh = _apart(jax.jit(init)(family.values), len(runs), devices[0])
        game.check(fresh[0])
        found = {name: run.start(game, own, devices[:1]) for (name, run), own in zip(runs.items(), fresh, strict=True)}
        group = run_dir.resolve().name
        return Population(family, runs, dataset, devices, game, group, make_scorer, make_diagnoser, found)

    def cohorts(self) -> Iterator[tuple[int, list[str]]]:
        """Members that go on together, from which step; those that are done are in none.

        Of those whose newest checkpoints differ, as after a kill between two of them, the later go back to the earlier.
        """
        steps = self.family.first.train.steps
        waiting = {n: step for n, (step, _) in self.found.items() if step < steps and not self._patience(n).ended}
        while waiting:
            at = min(waiting.values())
            together = [name for name, step in waiting.items() if step == at or at in self.runs[name].checkpoints.steps]
            yield at, together
            waiting = {name: step for name, step in waiting.items() if name not in together}

    def report(self) -> list[str]:
        """Which members ended early before, and why."""
        found = {name: self._patience(name) for name in self.runs}
        ended = {name: patience for name, patience in found.items() if patience.ended}
        return [f"{name}: {ended[name].describe(self.runs[name].checkpoints.monitors)}" for name in ended]

    def _patience(self, name: str) -> Patience:
        return self.runs[name].patience(self.found[name][0], self.make_scorer is not None)

    def prepare(self, names: list[str], step: int, stack: contextlib.ExitStack) -> tuple[Loop, TrainState]:
        """The loop of these members, and their state, all at `step`."""
        family = replace(self.family, members={name: self.family.members[name] for name in names})
        config, shape = self.runs[names[0]].config, self.dataset.shape
        mesh = spmd.member_mesh(self.devices, len(names), config.data.batch_size)
        rows, columns = mesh.devices.shape
        spare = -len(names) % rows  # places that hold the last member once more, and are nobody's
        feed = self._feed(config, [member.train.seed for member in family.members.values()], spare, mesh)
        stack.callback(feed.close)
        compiled = spmd.spread_members(_make_step(family, feed, shape), mesh, SPECS, feed.axis)
        values = {name: np.pad(numbers, (0, spare), mode="edge") for name, numbers in family.values.items()}

        def call(state: TrainState, arrays: PyTree, index: PyTree, n: np.int32, under_way: Bool[np.ndarray, " runs"]):
            state, metrics = compiled(state, arrays, index, n, (np.pad(under_way, (0, spare)), values))
            return state, {"step": state.step} | jax.tree.map(lambda metric: metric[: len(names)], metrics)

        apart = partial(_apart, count=len(names), device=self.devices[0])
        index = np.asarray(indices(config.data.batch_size, columns))
        observers = self._observers(family, step, stack)
        loop = make_loop(observers, call, apart, feed, index, self.game, step, stack)
        states = [self._state(name, step) for name in names]
        return loop, _together(states + states[-1:] * spare, mesh)

    def _feed(self, config: Config, seeds: list[int], spare: int, mesh: Mesh) -> Feed:
        place = partial(jax.device_put, device=NamedSharding(mesh, P()))
        make = partial(make_feed, config.data, self.dataset, reads=self.game.reads, devices=mesh.devices.shape[1])
        first = make(seeds[0], place=place)
        if not isinstance(first, Stream):
            return first  # from which each member draws by its own seed
        others = [cast(Stream, make(seed)) for seed in seeds[1:] + seeds[-1:] * spare]
        return Streams([first, *others])

    def _state(self, name: str, step: int) -> TrainState:
        at, state = self.found[name]
        if at == step:
            return state
        return self.runs[name].checkpoints.load(step, abstract(state, spmd.replicated(self.devices[:1])))

    def _scorer(self, config: Config) -> Scorer | None:
        if self.make_scorer is None or not config.evaluate.every:
            return None
        return self.make_scorer(config, Game.of(config, self.dataset.shape), self.dataset)

    def _diagnoser(self, name: str, config: Config, step: int, stack: contextlib.ExitStack) -> Diagnoser | None:
        if self.make_diagnoser is None or not config.track.diagnose:
            return None
        game = Game.of(config, self.dataset.shape)
        return stack.enter_context(self.make_diagnoser(config, game, self.dataset, self.runs[name].folder, step))

    def _observers(self, family: Family, step: int, stack: contextlib.ExitStack) -> dict[str, Observer]:
        """Of each member, with the programs that validate and draw for all."""
        shape = self.dataset.shape

        @jax.jit
        def validated(values: Values, state: TrainState, held: Batch, trained: Batch | None) -> Metrics:
            return validate(family.game(values, shape), state, held, trained)

        @jax.jit
        def drawn(values: Values, state: TrainState, held: Batch | None) -> dict[str, Array]:
            return draw(family.game(values, shape), state, held)

        observers = {}
        for i, (name, config) in enumerate(family.members.items()):
            values = {setting: numbers[i] for setting, numbers in family.values.items()}
            held, trained = validation_batches(self.dataset, config)
            observers[name] = self.runs[name].observe(
                self.dataset,
                step,
                stack,
                validate=partial(validated, values, held=held, trained=trained) if held else None,
                pictures=partial(_pictures, self.game, partial(drawn, values, held=held), held),
                scorer=self._scorer(config),
                diagnoser=self._diagnoser(name, config, step, stack),
                name=name,
                group=self.group,
            )
        return observers


def _pictures(game: Game, drawn: Callable, held: Batch | None, state: TrainState) -> dict[str, np.ndarray]:
    return pictures(game, drawn(state), held)


def _make_step(family: Family, feed: Feed, shape: tuple[int, ...]) -> Callable:
    """`step(states, arrays, index, n, (under_way, values))`: as `train.step.make_step`'s, of all of a device's members.

    It ends early, on all devices, where a metric of one that is under way ceases to be finite.
    """
    own = 0 if feed.single else None  # members that stream read their own batches

    def step(
        state: TrainState,
        arrays: PyTree,
        index: Int[Array, " local"],
        n: Int[Array, ""],
        each: tuple[Bool[Array, " members"], Values],
    ) -> tuple[TrainState, Metrics]:
        under_way, values = each

        def iteration(state: TrainState, log_metrics: Bool[Array, ""] | bool) -> tuple[TrainState, Metrics]:
            mapped = jax.vmap(partial(family.iteration, feed, shape), (0, STATES, own, None, None), (STATES, 0))
            return mapped(values, state, arrays, index, log_metrics)

        def healthy(metrics: list[Array]) -> Bool[Array, ""]:
            finite = jnp.isfinite(jnp.concatenate([m.reshape(len(under_way), -1) for m in metrics], 1)).all(1)
            return jax.lax.pmin((finite | ~under_way).all().astype(jnp.int32), spmd.MEMBERS) == 1

        return repeat(iteration, state, n, healthy)

    return step


def _apart(state: TrainState, count: int, device: jax.Device) -> list[TrainState]:
    """The states of `count` members, on one device."""
    host = jax.device_get(state)
    arrays = {"params": host.params, "stats": host.stats, "optimizers": host.optimizers, "ema": host.ema}
    parts = [replace(host, **jax.tree.map(lambda x, i=i: x[i], arrays)) for i in range(count)]
    return [spmd.replicate(part, [device]) for part in parts]


def _together(states: list[TrainState], mesh: Mesh) -> TrainState:
    """The inverse of `_apart`, spread over the devices."""
    host = jax.device_get(states)
    stacked = replace(jax.tree.map(lambda *leaves: np.stack(leaves), *host), step=host[0].step)
    return spmd.place_members(stacked, mesh, SPECS)


@dataclass(frozen=True)
class Streams:
    """Each member's own reading of the data, with the members behind the axis of devices."""

    feeds: list[Stream]
    axis: ClassVar[int | None] = 0
    single: ClassVar[bool] = True

    def arrays(self, step: int) -> Examples:
        return jax.tree.map(lambda *own: np.stack(own, 1), *(feed.arrays(step) for feed in self.feeds))

    def draw(
        self, arrays: Any, seed: Seed, step: Scalar, read: Scalar, index: Int[Array, " batch"], keys: Keys
    ) -> Batch:
        return self.feeds[0].draw(arrays, seed, step, read, index, keys)

    def close(self) -> None:
        for feed in self.feeds:
            feed.close()
