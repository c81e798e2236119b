"""Sample from a trained model: `python scripts/sample.py runs/wgan_gp --n 64 --out samples.png`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from genlab import cli
from genlab.errors import Seed


@dataclass(frozen=True)
class Command:
    """Sample from a trained model."""

    run_dir: tyro.conf.Positional[Path]
    """Folder of the run."""
    out: Path = Path("samples.png")
    """A picture (.png), an array (.npz), or a folder of images (no suffix)."""
    n: int = 64
    """How many samples; a million is written while it is drawn."""
    seed: Seed = 0
    """The same seed gives the same samples, however many are asked for."""
    labels: tuple[str, ...] = ()
    """Classes to sample in turn, by name, of a conditional method; "all" is all of them."""
    truncation: float | None = None
    """Largest number in a latent from N(0, I), as in BigGAN: less variety, more typical samples."""
    shard: int | None = None
    """Write a folder of .npz files of so many samples."""
    weights: Annotated[cli.Weights, tyro.conf.arg(name="")] = cli.Weights()
    steps: tuple[int, ...] = ()
    """Several checkpoints, by their iterations, whose samples are mixed, as of a snapshot ensemble."""


def command(argv: list[str]) -> None:
    """Load, sample, write."""
    settings = cli.arguments(Command, argv)
    from genlab.latent.sampling import lazy_samples
    from genlab.model import load
    from genlab.train.samples import write_samples

    model = load(settings.run_dir, **vars(settings.weights), steps=settings.steps)
    write_samples(
        settings.out,
        lazy_samples(model, settings.n, settings.seed, settings.labels, settings.truncation),
        settings.shard,
    )
    print(settings.out)


if __name__ == "__main__":
    cli.main(command)
