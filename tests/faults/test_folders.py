"""Parts of a run folder that go away while a run trains in it."""

import contextlib
import shutil

import pytest

import genlab
from genlab.track.rows import rows
from genlab.train.interrupt import Interrupt
from genlab.train.loop import prepare

STEPS = 8
PARTS = ["", "config.json", "versions.json", "metrics.jsonl", "samples", "checkpoints", "checkpoints/*", ".lock"]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_deleted_stops_the_run_with_a_word_or_is_not_missed(part, draw, tiny, answer, tmp_path):
    run, last = tmp_path / "run", draw.randrange(1, STEPS)
    config = tiny("ae", steps=STEPS, track={"every": 1, "samples_every": 3}, checkpoint={"every": 2, "keep": 1})

    class Vandal:
        def scalars(self, step, values):
            if step == last:
                for path in list(run.glob(part)) if part else [run]:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

        def image(self, step, name, pixels):
            pass

        def close(self):
            pass

    def trained():
        with contextlib.ExitStack() as stack:
            interrupt = stack.enter_context(Interrupt())
            loop, state, step = prepare(config, run, stack, sinks=[Vandal()])
            loop.run(state, step, interrupt)

    message, _ = answer(trained, "run-dir", "checkpoint", str(run))
    if message is None:
        assert genlab.load(run).state.step == STEPS
        assert [row["step"] for _, row in rows(run / "metrics.jsonl") if "model/loss" in row] == list(
            range(1, STEPS + 1)
        )
