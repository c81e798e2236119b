"""One VAE of every likelihood, prior and posterior, its bounds as one table."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import cast

from genlab.config.sections import Config
from genlab.data.config import Data
from genlab.evaluate.leaderboard import Row, with_interval
from genlab.evaluate.protocol import describe_stamp
from genlab.methods.vae import VAE
from genlab.parts import likelihood, posterior, prior

DENSITIES = ("continuous_bernoulli", "gaussian")


def compositions(
    config: Config, kind: likelihood.Kind, priors: Sequence[prior.Kind], posteriors: Sequence[posterior.Kind]
) -> dict[str, Config]:
    """The VAE of `config` with this likelihood, its scale learned where it has one, and each pair of the others.

    Raises:
        Invalid: a pair that cannot be had.
    """
    scaled = kind in ("gaussian", "logistic")
    method = dataclasses.replace(cast(VAE, config.method), likelihood=likelihood.Likelihood(kind, learn_scale=scaled))
    pairs = itertools.product(priors, posteriors)
    return {
        f"{kind}-{p}-{q}": dataclasses.replace(
            config, method=dataclasses.replace(method, prior=prior.Prior(p), posterior=posterior.Posterior(q))
        )
        for p, q in pairs
    }


def pixels_for(data: Data, kind: likelihood.Kind) -> Data:
    """The data with pixels of which this is a likelihood: bits, dequantised ones, or the levels as they are."""
    return dataclasses.replace(data, binarise=kind == "bernoulli", dequantise=kind in DENSITIES)


def markdown(tables: dict[likelihood.Kind, list[Row]], priors: Sequence[str], posteriors: Sequence[str]) -> str:
    """A line for each likelihood and prior, a column for each posterior: log p(x) in nats, and bits per dimension where
    pixels have levels. The stamps of the likelihoods stand below."""
    lines = [["likelihood", "prior", *posteriors], ["---"] * (2 + len(posteriors))]
    for kind, rows in tables.items():
        cells = iter(rows)
        for p in priors:
            lines.append([kind, p, *(_cell(next(cells)) for _ in posteriors)])
    stamps = [f"- {kind}: {describe_stamp(rows[0].results[0].stamp)}" for kind, rows in tables.items()]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([table, "", *stamps])


def _cell(row: Row) -> str:
    scores = [result.scores for result in row.results]
    nats = with_interval([s["log_likelihood"] for s in scores])
    bits = [s["bits_per_dimension"] for s in scores if "bits_per_dimension" in s]
    return f"{nats} ({with_interval(bits)})" if bits else nats
