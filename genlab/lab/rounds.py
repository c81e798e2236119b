"""The doctor while a run trains: what is found of its state in memory, told once."""

import contextlib
import json

import jax

from genlab.config.sections import Config
from genlab.data.splits import Dataset
from genlab.lab.diagnosis.finding import Finding
from genlab.lab.doctor import report
from genlab.lab.evidence import Examiner
from genlab.track.folder import RunFolder
from genlab.track.rows import keep_rows, rows
from genlab.train.state import Game, TrainState


class Rounds(contextlib.AbstractContextManager["Rounds"]):
    """Examines a run that goes on from iteration `step`; findings go to `diagnosis.jsonl` in its folder too.

    A finding is told once in a run, however often it is made, and however often the run is resumed.
    """

    def __init__(self, config: Config, game: Game, dataset: Dataset, folder: RunFolder, step: int):
        self._examiner = Examiner(folder, config, dataset, game)
        self._path = folder.diagnosis
        if self._path.is_file():
            keep_rows(self._path, lambda row: row["step"] <= step and "finding" in row)
        self._told = {row["finding"] for _, row in rows(self._path)}

    def __exit__(self, *_: object) -> None:
        self._examiner.__exit__()

    def __call__(self, state: TrainState) -> list[str]:
        """Findings not told yet, in plain sentences; of whatever keeps it from finding any, one line."""
        step = int(state.step)
        try:
            new = [f for f in report(self._examiner.evidence(jax.device_get(state))).findings if self._is_new(f)]
            with self._path.open("a") as file:
                for found in new:
                    row = {"step": step, "finding": found.name, "sentence": found.sentence, "remedy": found.remedy}
                    file.write(json.dumps(row) + "\n")
            self._told |= {found.name for found in new}
            return [f"iteration {step:,}: {found}" for found in new]
        except Exception as error:  # whatever it is, the run goes on
            return [f"iteration {step:,} could not be diagnosed: {str(error).strip().partition(chr(10))[0]}"]

    def _is_new(self, finding: Finding) -> bool:
        return finding.name not in self._told
