"""Priors over the codes of examples."""

from dataclasses import dataclass, field

from genlab.errors import at_least
from genlab.parts.optimizer import Optimizer


@dataclass(frozen=True)
class CodePrior:
    """An autoregressive prior over the codes of an example (Germain et al. 2015), trained by its own player."""

    width: int = 64
    """Hidden units for each token."""
    optimizer: Optimizer = field(default_factory=Optimizer)
    """The prior's optimiser."""

    def __post_init__(self) -> None:
        at_least(self, 1, "width")
