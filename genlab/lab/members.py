"""The runs that `--seeds` and `--vary` ask for, by the names of their folders."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from genlab import cli
from genlab.config.sections import Config
from genlab.errors import Invalid, require


def members(argv: Sequence[str], command: cli.Command) -> dict[str, Config]:
    """Every combination of the values to vary, with every seed: `train.ema=0.99/seed_0`, or what there is of that.

    Raises:
        Invalid: a setting without values, one that is not known, a value that it may not have, or the same run twice.
    """
    found: dict[str, Config] = {}
    for name, config in _combinations(argv, command):
        for seed in _seeds(command.seeds):
            place = "/".join(part for part in (name, "" if seed is None else f"seed_{seed}") if part)
            require(place not in found, "seeds, vary", place, "to be trained once")
            own = config.train.seed if seed is None else seed
            found[place] = replace(config, train=replace(config.train, seed=own))
    return found


def _seeds(given: tuple[int, ...]) -> Sequence[int | None]:
    """The seeds that are meant; None is that of the configuration."""
    if not given:
        return [None]
    if len(given) > 1:
        return given
    require(given[0] >= 1, "seeds", given[0], "at least 1, as a number of seeds")
    return range(given[0])


def _combinations(argv: Sequence[str], command: cli.Command) -> Iterator[tuple[str, Config]]:
    for words in command.vary:
        if len(words) < 2:
            raise Invalid(
                f"vary: {' '.join(words)!r}; a setting and at least one value are needed, as train.ema 0.9 0.99"
            )
    choices = [[(words[0], value) for value in words[1:]] for words in command.vary]
    for combination in itertools.product(*choices):
        flags = [f"--{name}={value}" for name, value in combination]
        name = ",".join(f"{name}={value}" for name, value in combination).replace("/", "_")
        yield name, cli.parse([*argv, *flags]).settings
