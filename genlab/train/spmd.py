"""The one file that knows how a per-device step is spread over devices: by `pmap` or by `shard_map`."""

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import PyTree

from genlab.config.sections import Parallel
from genlab.errors import Invalid
from genlab.nn.layers import AXIS

MEMBERS = "members"  # the axis of devices over which runs that are trained together lie


def training_devices(config: Parallel, batch_size: int) -> list[jax.Device]:
    """The devices to train on.

    Raises:
        Invalid: fewer are present than asked for, or the batch does not divide into them.
    """
    _simulate(config.devices)
    found = jax.devices()
    count = config.devices or len(found)
    if count > len(found):
        raise Invalid(f"parallel.devices: {count} asked for, but {len(found)} present ({found[0].platform})")
    if batch_size % count:
        raise Invalid(f"data.batch_size: {batch_size} does not divide into {count} devices (parallel.devices)")
    return found[:count]


def evaluation_devices(config: Parallel) -> list[jax.Device]:
    """The devices to evaluate on: those that `config` asks for, as far as there are so many."""
    return jax.devices()[: config.devices or None]


def _simulate(count: int) -> None:
    """On a CPU let XLA show its one processor as `count` devices; too late, and so ignored, once a backend is up."""
    if count > 1 and "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        with contextlib.suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", count)


def simulate_for_members(config: Parallel) -> None:
    """Where the devices are not said, let a CPU show each of its cores as one, for each to train runs of its own.

    Too late, and so ignored, once a backend is up.
    """
    if not config.devices:
        _simulate(os.cpu_count() or 1)


def alone(config: Parallel) -> Parallel:
    """The devices of a run that shares its program with none: nobody asked for the cores that a CPU shows to others."""
    return replace(config, devices=1) if not config.devices and jax.default_backend() == "cpu" else config


def member_mesh(devices: Sequence[jax.Device], members: int, batch_size: int) -> Mesh:
    """Devices for runs that are trained together: over the runs, and what is more than those over their batches."""
    rows = min(members, len(devices))
    columns = len(devices) // rows if batch_size % (len(devices) // rows) == 0 else 1
    return Mesh(np.array(devices[: rows * columns]).reshape(rows, columns), (MEMBERS, AXIS))


def _mesh(devices: Sequence[jax.Device]) -> Mesh:
    return Mesh(np.array(devices), (AXIS,))


def replicated(devices: Sequence[jax.Device]) -> NamedSharding:
    """The placement of one logical copy that is present on all devices."""
    return NamedSharding(_mesh(devices), P())


def replicate(tree: PyTree, devices: Sequence[jax.Device]) -> PyTree:
    """One logical copy of `tree`, present on all devices."""
    return jax.device_put(tree, replicated(devices))


def scatter(tree: PyTree, devices: Sequence[jax.Device]) -> PyTree:
    """The leading axis of every array of `tree` over the devices, one row each."""
    return jax.device_put(tree, NamedSharding(_mesh(devices), P(AXIS)))


def spread(step: Callable, devices: Sequence[jax.Device], mapper: str, feed_axis: int | None) -> Callable:
    """Compile `step(state, arrays, index, n)` for all devices; the state's memory is donated.

    The state goes in and comes out as ONE replicated copy. `index` has the shape (devices, batch / devices); `arrays`
    is replicated, or has a leading device axis where `feed_axis` is 0. Inside, collectives run over the axis `AXIS`,
    and the step must return what is equal on all devices.
    """
    if mapper == "pmap":
        axes = (None, feed_axis, 0, None)
        return jax.pmap(step, AXIS, in_axes=axes, out_axes=None, devices=devices, donate_argnums=0)

    def local(state, arrays, index, n):
        local_arrays = arrays if feed_axis is None else jax.tree.map(lambda x: x[0], arrays)
        return step(state, local_arrays, index[0], n)

    feed = P() if feed_axis is None else P(AXIS)
    return _shard_map(local, _mesh(devices), (P(), feed, P(AXIS), P()), P(), donate=(0,))


def spread_members(step: Callable, mesh: Mesh, states: PyTree, feed_axis: int | None) -> Callable:
    """Compile `step(states, arrays, index, n, each)` of runs that are trained together, over a `member_mesh`.

    `states` says what of a state has an axis of runs (`P(MEMBERS)`), as have `each` and the metrics; `index` and, where
    `feed_axis` is 0, `arrays` have one of devices, these followed by one of runs. The states' memory is donated.
    """

    def local(state, arrays, index, n, each):
        local_arrays = arrays if feed_axis is None else jax.tree.map(lambda x: x[0], arrays)
        return step(state, local_arrays, index[0], n, each)

    feed = P() if feed_axis is None else P(AXIS, MEMBERS)
    in_specs = (states, feed, P(AXIS), P(), P(MEMBERS))
    return _shard_map(local, mesh, in_specs, (states, P(MEMBERS)), donate=(0,))


def place_members(state: PyTree, mesh: Mesh, states: PyTree) -> PyTree:
    """The state of runs that are trained together, on the devices of a `member_mesh`."""
    shardings = jax.tree.map(lambda spec: NamedSharding(mesh, spec), states, is_leaf=lambda x: isinstance(x, P))
    return jax.device_put(state, shardings)


def spread_rows(f: Callable, devices: Sequence[jax.Device], mapper: str) -> Callable:
    """Compile `f(constants, rows) -> arrays of as many rows`, the same for all devices, each with its own rows.

    `constants` is a replicated copy; `rows` and what comes back have a leading device axis. Collectives run over
    `AXIS`, as in the training step.
    """
    if mapper == "pmap":
        return jax.pmap(f, AXIS, in_axes=(None, 0), out_axes=0, devices=devices)

    def local(constants, rows):
        return jax.tree.map(lambda x: x[None], f(constants, jax.tree.map(lambda x: x[0], rows)))

    return _shard_map(local, _mesh(devices), (P(), P(AXIS)), P(AXIS))


def _shard_map(
    local: Callable, mesh: Mesh, in_specs: tuple, out_specs: PyTree, donate: tuple[int, ...] = ()
) -> Callable:
    """Compile `local`, which sees its own part of whatever is split.

    Without the check of what varies between devices, gradients stay per device until the step's own pmean, exactly as
    under pmap. With it they come summed already, unless parameters are first cast to varying; and what all devices
    work out alike from such values (spectral norm's vectors, the chains of a Boltzmann machine, the sums of a
    codebook) is refused as a state unless one more collective makes it the same again.
    """
    mapped = jax.shard_map(local, mesh=mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False)
    return jax.jit(mapped, donate_argnums=donate)
