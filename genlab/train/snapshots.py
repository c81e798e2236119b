"""The checkpoints of a snapshot ensemble: where cycles of a learning rate that restarts end."""

import bisect
from dataclasses import dataclass

from genlab.config.sections import Config
from genlab.train.optimizer import warmup_of

LAST = 2**31  # beyond every iteration


@dataclass(frozen=True)
class Snapshots:
    """The iterations after which a cycle of `cosine_restarts` has ended, Huang et al. (2017), "Snapshot ensembles".

    The rate is almost 0 there, and so the weights are at rest. Of players that play to the end: what others learn is
    where one of these begins.
    """

    ends: tuple[range, ...]  # of each such player

    @staticmethod
    def of(config: Config) -> "Snapshots":
        """Those of a run."""
        players = [player for player in config.method.players() if player.stop is None]
        restarting = [player for player in players if player.optimizer.schedule == "cosine_restarts"]
        courses = [(player.start, player.optimizer) for player in restarting]
        starts = [(start + warmup_of(own, config.train.steps), own.period) for start, own in courses]
        return Snapshots(tuple(range(start + period, LAST, period) for start, period in dict.fromkeys(starts)))

    def __contains__(self, step: int) -> bool:
        """Whether a cycle ends after iteration `step`."""
        return any(step in ends for ends in self.ends)

    def after(self, step: int) -> tuple[int, ...]:
        """The first such iteration after `step`, of each player."""
        return tuple(ends[bisect.bisect(ends, step)] for ends in self.ends)
