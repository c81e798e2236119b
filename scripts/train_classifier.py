"""A classifier for `evaluate.py`: `python scripts/train_classifier.py --out digits.safetensors`.

Those that come with genlab were made by it with `--out genlab/evaluate/trained/digits.safetensors`, and with
`--out genlab/evaluate/trained/mnist.safetensors --data.name tfds:mnist --epochs 6`.
"""

from dataclasses import dataclass, field
from pathlib import Path

from genlab import cli
from genlab.data.config import Data
from genlab.errors import Seed


@dataclass(frozen=True)
class Command:
    """Train a classifier on the training labels of a data set."""

    out: Path
    """The .safetensors file to write."""
    data: Data = field(default_factory=Data)
    """The labelled images."""
    epochs: int = 60
    """Passes over the training split."""
    seed: Seed = 0
    """Its first weights and the order of its examples."""


def command(argv: list[str]) -> None:
    """Train, test, write."""
    settings = cli.arguments(Command, argv)
    from genlab.data.sources import load
    from genlab.errors import require
    from genlab.evaluate.classifier import save, train

    require(settings.epochs >= 1, "epochs", settings.epochs, "at least 1")
    require(settings.out.suffix == ".safetensors", "out", str(settings.out), "a .safetensors file")
    dataset = load(settings.data)
    classifier = train(dataset, settings.seed, settings.epochs)
    save(settings.out, classifier, dataset, settings.seed)
    print(f"{settings.out}: {classifier.accuracy:.2%} of {len(dataset.test)} test images right")


if __name__ == "__main__":
    cli.main(command)
