"""What is wrong with samples: too alike, saturated, copied; and with latents that say nothing."""

import numpy as np
from jaxtyping import Float, Int

from genlab.evaluate.neighbours import nearest_ratio
from genlab.lab.diagnosis.finding import Finding

# of the mean distance between two samples to that between two real examples; presets on the digits come to 0.68 and
# more, half of that is no accident
ALIKE = 0.35
# of a class's share among samples to its share among real examples; 512 samples have about 50 of each of ten classes
RARE = 0.1
# by how much the share of values within 0.001 of black or white may exceed that of real examples; in healthy presets
# it is below it, since samples are rarely as clean
SATURATED, EDGE = 0.3, 0.999
# of the distance of samples to their nearest training example to that of held-out examples; copies come to 0, healthy
# presets to 0.75 and more
COPIED = 0.5
# Lucas et al. (2019): a latent is active if its KL exceeds 0.01 nats for more than one in a hundred examples. VAEs
# leave latents unused that they do not need (a healthy conditional one on the digits uses 3 of 16)
NATS, OFTEN, ACTIVE = 0.01, 0.01, 0.1
SILENT = 0.1  # nats of all latents together; healthy VAEs on the digits come to 1.6 and more

Flat = Float[np.ndarray, "_ d"]


def collapse(fake: Flat, real: Flat) -> Finding | None:
    """Samples that differ much less from each other than real examples do."""
    of_fake, of_real = mean_distance(fake), mean_distance(real)
    if of_fake >= ALIKE * of_real:
        return None
    return Finding(
        "mode collapse",
        f"Two samples are {of_fake:.3g} apart on average, two real examples {of_real:.3g}: {of_fake / of_real:.2g} of "
        f"it, less than {ALIKE:g}.",
        "Train on if it has just begun; else give the opponent a penalty, dropout or a lower learning rate (a GAN), or "
        "the latents more room (a VAE: a lower beta, a warm-up).",
    )


def mean_distance(x: Flat) -> float:
    """Over all pairs of rows."""
    x = x.astype(np.float64)
    norms, products = np.square(x).sum(1), x @ x.T
    squared = np.maximum(norms[:, None] + norms - 2 * products, 0)
    np.fill_diagonal(squared, 0)
    return float(np.sqrt(squared).sum() / (len(x) * (len(x) - 1)))


def missing_classes(fake: Int[np.ndarray, " n"], real: Int[np.ndarray, " m"]) -> Finding | None:
    """Classes of real examples, as a classifier sees them, that are all but absent from the samples."""
    share = {int(label): (float((fake == label).mean()), float((real == label).mean())) for label in np.unique(real)}
    missing = {label: both for label, both in share.items() if both[0] < RARE * both[1]}
    if not missing:
        return None
    said = ", ".join(
        f"{label} ({100 * x:.2g} % of samples, {100 * y:.2g} % of examples)" for label, (x, y) in missing.items()
    )
    return Finding(
        "missing classes",
        f"A classifier sees hardly any samples of {len(missing)} of {len(share)} classes: {said}.",
        "This is mode collapse: try a penalty, another loss, labels (--method.classes), or a lower learning rate.",
    )


def saturation(fake: Flat, real: Flat) -> Finding | None:
    """Samples of images much more of which is black and white than of real examples."""
    of_fake, of_real = (float((np.abs(x) >= EDGE).mean()) for x in (fake, real))
    if of_fake <= of_real + SATURATED:
        return None
    return Finding(
        "saturated output",
        f"{100 * of_fake:.0f} % of the values of samples are within {1 - EDGE:.2g} of black or white, but "
        f"{100 * of_real:.0f} % of those of real examples.",
        "There the output's squashing has no gradient: lower the learning rate of whoever owns the decoder.",
    )


def copies(fake: Flat, held_out: Flat, train: Flat) -> Finding | None:
    """Samples that lie much nearer to training examples than held-out examples do."""
    ratio = nearest_ratio(train, fake, held_out)
    if ratio >= COPIED:
        return None
    return Finding(
        "copied examples",
        f"The distance of samples to their nearest training example is {ratio:.2g} of that of held-out examples; less "
        f"than {COPIED:g} is more than chance.",
        "Train on more examples or with augmentation, for fewer iterations, or with a smaller model.",
    )


def posterior_collapse(divergences: Float[np.ndarray, "n latent"]) -> Finding | None:
    """Latents whose posterior is the prior, whatever the example."""
    active, latents = int(((divergences > NATS).mean(0) > OFTEN).sum()), divergences.shape[1]
    nats = float(divergences.sum(1).mean())
    if active >= ACTIVE * latents and nats >= SILENT:
        return None
    return Finding(
        "posterior collapse",
        f"{active} of {latents} latents say anything about the example, and all together {nats:.2g} nats.",
        "Try a lower beta, a warm-up (--method.objective.warmup), free bits (--method.objective.free-bits), or a "
        "weaker decoder.",
    )
