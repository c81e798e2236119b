"""Train adversarial presets on 8 and 25 Gaussians and print their modes as one table: `python scripts/toys.py`."""

from dataclasses import dataclass
from pathlib import Path

from genlab import cli


@dataclass(frozen=True)
class Command:
    """Train adversarial presets on points, or reuse the runs, and print modes covered and good samples in Markdown."""

    presets: tuple[str, ...] = (
        *("gan", "lsgan", "hinge_gan", "ragan", "dragan", "r3gan", "sngan", "began"),
        *("wgan", "wgan_gp", "sn_wgan"),
    )
    """Files of configs/, with networks, latents and penalties made for points (genlab/evaluate/toys.py)."""
    repeats: int = 5
    """Seeds of training: 0, 1, ..."""
    steps: int = 6000
    """Iterations of training."""
    width: int = 128
    """Hidden units of a layer; the official toy code has 512."""
    runs: Path = Path("runs/toys")
    """Where the runs are, or will be."""


def command(argv: list[str]) -> None:
    """Train what is not trained yet, measure, print."""
    settings = cli.arguments(Command, argv)
    from genlab.errors import require
    from genlab.evaluate.evaluator import Settings
    from genlab.evaluate.leaderboard import evaluate_presets
    from genlab.evaluate.toys import TOYS, markdown, toy_config
    from genlab.lab.presets import train_presets

    for name in ("repeats", "steps", "width"):
        require(getattr(settings, name) >= 1, name, getattr(settings, name), "at least 1")
    require(bool(settings.presets), "presets", settings.presets, "at least one")
    presets = {name: toy_config(cli.preset(name), settings.width) for name in settings.presets}
    found = {}
    for kind, data in TOYS.items():
        runs = train_presets(presets, settings.repeats, data, settings.steps, settings.runs / kind)
        found[kind] = evaluate_presets(runs, "last", data, Settings(metrics=("modes",)))
    print(markdown(found, settings.steps))


if __name__ == "__main__":
    cli.main(command)
