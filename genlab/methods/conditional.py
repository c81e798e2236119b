"""What methods share that can learn a distribution for each class, p(x|y)."""

from dataclasses import dataclass

from genlab.errors import require
from genlab.methods.game import Method


@dataclass(frozen=True)
class Conditional(Method):
    """A method whose networks are given labels, if it is told how many classes there are."""

    classes: int = 0
    """Classes whose labels the networks are given, all that the data has; 0: none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.classes >= 0, "classes", self.classes, "at least 0")
