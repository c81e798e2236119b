"""Run folders as training and evaluating leave them, made in no time."""

import dataclasses
import json

import numpy as np
import pytest

from genlab.config.plain import to_dict
from genlab.evaluate.evaluator import Result
from genlab.evaluate.protocol import Stamp
from genlab.evaluate.report import row
from genlab.track.folder import RunFolder
from genlab.track.sinks import Jsonl, Pngs

STAMP = Stamp("digits", "train", "b90e9f2f341f", 1437, 180, "classifier", seeds=(0, 1))


@pytest.fixture
def stamp():
    """How the scores of `evaluated` are made."""
    return STAMP


@pytest.fixture
def recorded_run(tiny, tmp_path):
    """`recorded_run("a-0", "wgan_gp", train={"seed": 0})`: the folder of a run that has recorded nothing yet."""

    def make(name, preset="wgan_gp", shape=(8, 8, 1), **sections):
        folder = RunFolder.create(tmp_path / name)
        config = tiny(preset, **sections)
        folder.config.write_text(json.dumps({"config": to_dict(config), "shape": shape, "classes": []}))
        return folder.path

    return make


@pytest.fixture
def evaluated():
    """`evaluated(run, frechet=1.5)`: scripts/evaluate.py has found this of its last checkpoint, iteration 2."""

    def write(run, which="last", step=2, stamp=STAMP, **scores):
        with (run / "evaluation.jsonl").open("a") as file:
            file.write(json.dumps(row(Result(str(run), stamp, scores, run=run, step=step, which=which))) + "\n")

    return write


@pytest.fixture
def course():
    """`course(run, {"validation/sliced_wasserstein": [3, 2, 1]})`: metrics of iterations 2, 4, 6, and samples."""

    def write(run, metrics):
        sink = Jsonl(run / "metrics.jsonl")
        for place in range(len(next(iter(metrics.values())))):
            sink.scalars(2 * place + 2, {name: float(values[place]) for name, values in metrics.items()})
            Pngs(run / "samples").image(2 * place + 2, "samples", np.full((9, 9, 3), 9 * place, np.uint8))
        sink.close()

    return write


@pytest.fixture
def learning_rates(recorded_run, evaluated):
    """Runs of two learning rates, seeds 0 to 2, with Frechet distances (1, 2, 3) and (2.5, 3.5, 4.5)."""
    from genlab import cli

    optimizer = cli.preset("wgan_gp").method.critic_optimizer
    found = []
    for letter, rate, scores in (("a", 1e-3, (1.0, 2.0, 3.0)), ("b", 1e-4, (2.5, 3.5, 4.5))):
        slow = {"critic_optimizer": dataclasses.replace(optimizer, learning_rate=rate)}
        for seed, score in enumerate(scores):
            run = recorded_run(f"{letter}-{seed}", train={"seed": seed}, method=slow)
            evaluated(run, frechet=score, frechet_std=9.0)
            found.append(run)
    return found
