"""What the doctor says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a run."""

    name: str
    sentence: str
    """What is wrong, with the figures."""
    remedy: str
    """What to try."""

    def __str__(self) -> str:
        return f"{self.name}: {self.sentence} {self.remedy}"
