"""How a number was made. Numbers made in two ways are not compared, and what differs is said."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from genlab.errors import Invalid

BatchNorm = Literal["average", "batch"]


@dataclass(frozen=True)
class Stamp:
    """All that numbers must share to be compared. None: not known, as of another program's images, or of no account."""

    data: str
    """The data set."""
    split: str
    """Which of its splits the real examples are from."""
    reference: str
    """12 hexadecimal digits of the SHA-256 of those examples."""
    n_real: int
    """How many of them."""
    n_generated: int | None = None
    """How many samples."""
    extractor: str | None = None
    """What features are taken with: pixels, classifier, inception; coordinates of points."""
    weights: str | None = None
    """12 hexadecimal digits of the SHA-256 of the extractor's weights."""
    resize: str | None = None
    """How images are resized for the extractor."""
    grey: str | None = None
    """How the extractor takes images of one channel."""
    n_neighbours: int | None = None
    """Real examples and samples, at most, that precision, recall, density, coverage and the kernel distance see."""
    kernel: str | None = None
    """The kernel distance's estimate: "all pairs", or of so many random subsets of such a size."""
    splits: int | None = None
    """Parts of the samples that the Inception score is a mean over."""
    importance: int | None = None
    """Draws from the posterior per example in the bound of the likelihood."""
    observation: str | None = None
    """What examples are to a likelihood: "bernoulli", bits with a probability each, or "gaussian", with a density."""
    binarised: str | None = None
    """Whether images are black and white to the model: "dynamic", drawn from their grey levels, or "static", the set's
    own; else "none"."""
    dequantised: bool | None = None
    """Whether noise of a grey level was added to the images that the model was shown."""
    quantised: str | None = None
    """How samples became 0..255: "round" or "truncate"."""
    ema: bool | None = None
    """Averaged weights, or those of the last iteration."""
    batch_norm: str | None = None
    """Batch norm of sampling: running averages ("average"), or the statistics of batches of 100 ("batch")."""
    seeds: tuple[int, ...] | None = None
    """The seeds of the samples; scores are means over them."""
    protocol: str = ""
    """The published protocol that this is to follow, if any."""


def differences(a: Stamp, b: Stamp) -> list[str]:
    """What keeps numbers with these stamps from being compared, each as `name: value, not value`."""
    found = []
    for field in dataclasses.fields(Stamp):
        first, second = getattr(a, field.name), getattr(b, field.name)
        if first != second and first is not None and second is not None:
            found.append(f"{field.name}: {second!r}, not {first!r}")
    return found


def require_same(stamps: Mapping[str, Stamp]) -> None:
    """That numbers with these stamps, by whose they are, may be compared.

    Raises:
        Invalid: they differ; the message says who and in what.
    """
    (first, stamp), *others = stamps.items()
    for name, other in others:
        different = differences(stamp, other)
        if different:
            raise Invalid(f"protocol: {name} cannot be compared with {first}; it has {'; '.join(different)}")


@dataclass(frozen=True)
class Protocol:
    """How to measure, by whoever published it first."""

    split: Literal["train+validation", "test"]
    n_real: int
    n_generated: int
    ema: bool
    batch_norm: BatchNorm
    quantised: Literal["round", "truncate"]
    seeds: int
    subsets: tuple[int, int] | None
    """Number and size of KID's subsets; None takes all pairs."""
    splits: int
    extractor: Literal["inception"] = "inception"


NAMES = ("lucic", "mimicry", "studiogan", "paper")
PROTOCOLS: dict[str, Protocol] = {
    # Lucic et al. (2018) and compare_gan: FID of 10,000 samples against the 10,000 test images
    "lucic": Protocol("test", 10_000, 10_000, False, "average", "round", 1, None, 10),
    # mimicry's compute_fid and compute_kid: 50,000 against 50,000 training images, 10 subsets for KID, 3 seeds.
    # There the pixels are stretched to the samples' own minimum and maximum; genlab does not do so.
    "mimicry": Protocol("train+validation", 50_000, 50_000, False, "average", "round", 3, (10, 5_000), 10),
    # StudioGAN (Kang et al. 2023): 50,000 against the 50,000 training images, TensorFlow's Inception
    "studiogan": Protocol("train+validation", 50_000, 50_000, False, "average", "round", 1, None, 10),
    # Gulrajani et al. (2017) and their code: Inception score of 50,000 samples in 10 parts, batch norm over batches of
    # 100, pixels truncated
    "paper": Protocol("train+validation", 50_000, 50_000, False, "batch", "truncate", 1, None, 10),
}


def seeds(count: int) -> tuple[int, ...]:
    """The seeds that `count` stands for."""
    return tuple(range(count))


def describe_stamp(stamp: Stamp) -> str:
    """A stamp in one line, for captions."""
    known: Sequence[tuple[str, object]] = [
        (field.name, value)
        for field in dataclasses.fields(Stamp)
        if field.name not in ("data", "split", "n_real") and (value := getattr(stamp, field.name)) not in (None, "")
    ]
    details = ", ".join(f"{name} {' '.join(map(str, v)) if isinstance(v, tuple) else v}" for name, v in known)
    return f"{stamp.data}, against {stamp.n_real} of the {stamp.split} split ({details})"
