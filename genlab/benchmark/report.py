"""Run workloads on both sides in turn; a table for people and JSON for programs."""

import importlib.metadata
import os
import platform
import statistics
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from tqdm import tqdm

from genlab.benchmark.peers import has_workload
from genlab.benchmark.side import Side, Worker
from genlab.benchmark.workloads import Workload, find
from genlab.nn.net import Compute

Row = dict[str, Any]
COLUMNS = ["workload", "batch", "side", "update", "in a loop", "iteration", "ratio", "images/s", "memory"]
COLUMNS += ["GFLOP", "share", "compile"]


def _genlab(workload: Workload) -> Side:
    import jax

    from genlab.benchmark.genlab_side import Genlab

    jax.config.update("jax_enable_compilation_cache", False)
    return Genlab(workload)


def _torch(workload: Workload, compiled: bool) -> Side:
    from genlab.benchmark.torch_side import Torch

    return Torch(workload, compiled)


def _peer(name: str, workload: Workload) -> Side:
    from genlab.benchmark.peers import PEERS
    from genlab.benchmark.torch_side import Torch

    return Torch(workload, trainer=PEERS[name].trainer)


SIDES: dict[str, Callable[[Workload], Side]] = {
    "genlab": _genlab,
    "torch": partial(_torch, compiled=False),
    "compiled": partial(_torch, compiled=True),
}


def measure(
    name: str, compute: Compute, rounds: int, sides: Iterable[str] = SIDES, peers: Iterable[str] = ()
) -> list[Row]:
    """A row for each side of one workload; every task is measured once on each side, and so `rounds` times.

    A side that cannot run the workload has a row that says why. Raises Invalid for an unknown workload, and for a peer
    that is unknown or not installed.
    """
    workload = find(name).variant(None, compute)
    makers = {side: SIDES[side] for side in sides} | {
        peer: partial(_peer, peer) for peer in peers if has_workload(peer, name)
    }
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # one device for both
    workers: dict[str, Worker] = {}
    rows: dict[str, Row] = {side: {"workload": name, "compute": compute, "side": side} for side in makers}
    try:
        for side, row in rows.items():
            try:
                workers[side] = Worker(partial(makers[side], workload), compute)
            except RuntimeError as error:
                row["error"] = str(error).splitlines()[0]
        times: dict[str, dict[str, list[float]]] = {s: {t: [] for t in w.tasks} for s, w in workers.items()}
        for _ in tqdm(range(rounds), desc=name, leave=False):
            for side, worker in workers.items():
                for task in worker.tasks:
                    times[side][task].append(worker.seconds(task))
        for side, worker in workers.items():
            rows[side] |= worker.facts() | {"batch": workload.batch, "seconds": times[side]}
    finally:
        for worker in workers.values():
            worker.close()
    _compare(list(rows.values()))
    return list(rows.values())


def _compare(rows: list[Row]) -> None:
    """Medians, and what they come to beside the fastest matrix product and beside PyTorch's own time."""
    ran = [row for row in rows if "error" not in row]
    for row in ran:
        row["median"] = {task: statistics.median(times) for task, times in row["seconds"].items()}
        row["spread"] = {task: [min(times), max(times)] for task, times in row["seconds"].items()}
    rate = max((2 * row["matrix"] ** 3 / row["median"]["matmul"] for row in ran), default=0.0)
    eager = next((row["median"] for row in ran if row["side"] == "torch"), None)
    for row in ran:
        row["matmul_rate"] = rate
        row["share"] = row["flop"] / row["median"]["update"] / rate
        if eager:
            row["ratio"] = {task: row["median"][task] / eager[task] for task in ("update", "iteration")}


def table(rows: list[Row]) -> str:
    """The rows in Markdown. Times are medians in ms, in brackets the fastest and the slowest round."""
    head = (
        "workload | batch | side | update | in a loop | iteration | ratio | images/s | memory | GFLOP | share | compile"
    )
    lines = [f"| {head} |", "|" + "---|" * len(head.split("|"))]
    for row in rows:
        name = row["workload"] + ("" if row["compute"] == "float32" else f" {row['compute']}")
        if "error" in row:
            lines.append(f"| {name} | | {row['side']} | not possible: {row['error']} |" + " |" * (len(COLUMNS) - 4))
        else:
            lines.append("| " + " | ".join([name, str(row["batch"]), row["side"], *_cells(row)]) + " |")
    return "\n".join(lines)


def _cells(row: Row) -> list[str]:
    def ms(task: str) -> str:
        if task not in row["median"]:
            return ""
        low, high = row["spread"][task]
        return f"{_digits(1e3 * row['median'][task])} ({_digits(1e3 * low)} to {_digits(1e3 * high)})"

    return [
        ms("update"),
        ms("looped"),
        ms("iteration"),
        " / ".join(f"{value:.2f}" for value in row.get("ratio", {}).values()),
        f"{row['batch'] / row['median']['update']:,.0f}",
        f"{row['memory_bytes'] / 2**20:,.0f} MiB",
        f"{row['flop'] / 1e9:.1f}",
        f"{row['share']:.0%}",
        f"{row['compile_seconds']:.1f} s" if row["compile_seconds"] else "",
    ]


def _digits(value: float) -> str:
    """Three digits."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def machine(rows: list[Row]) -> Row:
    """What it ran on, and the versions of the libraries that are installed."""
    packages = {}
    for name in ("jax", "torch"):
        with suppress(importlib.metadata.PackageNotFoundError):
            packages[name] = importlib.metadata.version(name)
    device = next((row["device"] for row in rows if "device" in row), "none")
    return {
        "device": device,
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
    } | packages
