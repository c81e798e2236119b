"""From one run to another: a new run starts with networks that an earlier one has learnt."""

from dataclasses import replace

import jax
import jax.numpy as jnp

from genlab.config.sections import Init
from genlab.errors import Invalid
from genlab.train.paths import below, check, graft, leaves, prune
from genlab.train.restore import restore
from genlab.train.state import Game, TrainState, Weights, select


def initial_state(game: Game, state: TrainState, init: Init) -> TrainState:
    """`state`, that of a new run, with the networks that `init` names as another run has learnt them.

    Raises:
        Invalid: there is no such run, checkpoint or network, or one of another make.
    """
    if init.run_dir is None:
        return state
    try:
        source = restore(init.run_dir, [init.step]).states[0]
    except Invalid as error:
        raise Invalid(f"init.run_dir: {str(error).removeprefix('run-dir: ')}") from None
    averages = source.ema if init.ema else {"params": {}, "stats": {}}
    source_weights = {"params": source.params | averages["params"], "stats": source.stats | averages["stats"]}
    parts = _parts(init, source_weights, {"params": state.params, "stats": state.stats})
    learnt = prune(source_weights, lambda path: below(path.partition("/")[2], parts))
    params, stats = graft(state.params, learnt["params"]), graft(state.stats, learnt["stats"])
    sampling = game.method.sampling
    ema = {"params": select(params, sampling), "stats": select(stats, sampling)}
    return replace(state, **jax.tree.map(jnp.copy, {"params": params, "stats": stats, "ema": ema}))


def _parts(init: Init, source_weights: dict[str, Weights], target_weights: dict[str, Weights]) -> tuple[str, ...]:
    """What to take over: as asked for, or all networks that both have by the same name; of equal shapes in both."""
    both = (source_weights, target_weights)
    source_shapes, target_shapes = (
        {path: x.shape for kind in ("params", "stats") for path, x in leaves(weights[kind])} for weights in both
    )
    for part in init.networks:
        check(part, source_shapes, "init.networks", f"in {init.run_dir}")
        check(part, target_shapes, "init.networks", "in this method")
    parts = init.networks or tuple(name for name in source_weights["params"] if name in target_weights["params"])
    if not parts:
        names = [", ".join(weights["params"]) for weights in both]
        raise Invalid(f"init.run_dir: {init.run_dir} has {names[0]}, but this method {names[1]}; none in common")
    for path in sorted(source_shapes.keys() | target_shapes.keys()):
        if below(path, parts) and source_shapes.get(path) != target_shapes.get(path):
            a, b = (shapes.get(path, "absent") for shapes in (source_shapes, target_shapes))
            raise Invalid(f"init.networks: {path} is {a} in {init.run_dir} and {b} here; they must be equal")
    return parts
