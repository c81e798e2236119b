"""When training ends before its last step: what the best checkpoint is kept by has stopped falling."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """What a run is monitored by at each of its validations so far, and how many may pass without a new lowest."""

    limit: int  # 0: any number
    steps: int  # after which training ends anyway
    name: str  # of the metric, lower is better
    values: dict[int, float]  # by step; they grow while the run trains

    @property
    def best(self) -> int:
        """The step of the lowest value, the first of equal ones."""
        return min(self.values, key=lambda step: (self.values[step], step))

    @property
    def ended(self) -> bool:
        """Whether so many values in a row were no new lowest, before the last step."""
        if not (self.limit and self.values) or max(self.values) >= self.steps:
            return False
        return self._since >= self.limit

    @property
    def _since(self) -> int:
        """Validations after that of the lowest value."""
        best = self.best
        return sum(step > best for step in self.values)

    def describe(self, best_first: Iterable[int]) -> str:
        """Why training has ended, and which of the checkpoints, the best first, to use."""
        best, since = self.best, self._since
        checkpoint = next((f"; the best checkpoint is step {step}" for step in best_first), "")
        return (
            f"early stopping at step {max(self.values)}: {self.name} has not been below {self.values[best]:.4g} "
            f"of step {best} for {since} validation{'s' * (since > 1)}{checkpoint}"
        )
