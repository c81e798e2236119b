"""What is recorded while training, how often and where."""

from dataclasses import dataclass
from typing import Literal, get_args

from genlab.errors import Invalid

Mode = Literal["auto", "online", "offline", "disabled"]


@dataclass(frozen=True)
class Track:
    """Records of a run. `metrics.jsonl` and `samples/` are always written; Weights & Biases is a copy of them."""

    every: int = 100
    """Iterations between rows of metrics."""
    samples_every: int = 1000
    """Iterations between sample grids."""
    diagnose: int = 0
    """Iterations between diagnoses (scripts/doctor.py), whose findings are shown and written to diagnosis.jsonl; 0 is
    none. One takes seconds."""
    wandb: Mode = "auto"
    """Weights & Biases: auto is online when an API key is configured and offline otherwise."""
    project: str = "genlab"
    """The Weights & Biases project."""

    def __post_init__(self) -> None:
        for field in ("every", "samples_every"):
            if getattr(self, field) < 1:
                raise Invalid(f"track.{field}: {getattr(self, field)}; must be at least 1")
        if self.diagnose < 0:
            raise Invalid(f"track.diagnose: {self.diagnose}; must be at least 0")
        if self.wandb not in get_args(Mode):
            raise Invalid(f"track.wandb: {self.wandb!r}; must be one of {', '.join(get_args(Mode))}")
        if not self.project or set(self.project) & set("/\\#?%:"):
            raise Invalid(f"track.project: {self.project!r}; must be a name without / \\ # ? % :")
