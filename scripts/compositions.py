"""Train one small VAE of every likelihood, prior and posterior, and print their bounds as one table."""

from dataclasses import dataclass, field
from pathlib import Path

from genlab import cli
from genlab.data.config import Data
from genlab.parts import likelihood, posterior, prior


@dataclass(frozen=True)
class Command:
    """Train the VAE of a preset with all these parts, or reuse the runs, and print importance-weighted bounds."""

    preset: str = "vae"
    """File of configs/ whose networks and optimiser all have."""
    likelihoods: tuple[likelihood.Kind, ...] = ("bernoulli", "continuous_bernoulli", "gaussian", "logistic_mixture")
    """p(x|z)."""
    priors: tuple[prior.Kind, ...] = ("normal", "mixture", "flow")
    """p(z)."""
    posteriors: tuple[posterior.Kind, ...] = ("diagonal", "full", "iaf")
    """q(z|x)."""
    repeats: int = 1
    """Seeds of training: 0, 1, ..."""
    steps: int = 3000
    """Iterations of training."""
    importance: int = 100
    """Draws from the posterior per example."""
    runs: Path = Path("runs/compositions")
    """Where the runs are, or will be."""
    data: Data = field(default_factory=Data)
    """The data set; each likelihood has its pixels as bits, dequantised, or as they are."""


def command(argv: list[str]) -> None:
    """Train what is not trained yet, measure, print."""
    settings = cli.arguments(Command, argv)
    from genlab.errors import at_least
    from genlab.evaluate.compositions import compositions, markdown, pixels_for
    from genlab.evaluate.evaluator import Settings
    from genlab.evaluate.leaderboard import evaluate_presets
    from genlab.lab.presets import train_presets

    at_least(settings, 1, "repeats", "steps")
    base, tables = cli.preset(settings.preset), {}
    for kind in settings.likelihoods:
        data = pixels_for(settings.data, kind)
        presets = compositions(base, kind, settings.priors, settings.posteriors)
        runs = train_presets(presets, settings.repeats, data, settings.steps, settings.runs)
        evaluation = Settings(metrics=("likelihood",), importance=settings.importance)
        tables[kind] = evaluate_presets(runs, "last", data, evaluation)[1]
    print(markdown(tables, settings.priors, settings.posteriors))


if __name__ == "__main__":
    cli.main(command)
