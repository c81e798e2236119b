"""What `--seeds` and `--vary` name."""

import pytest

from genlab import cli
from genlab.errors import Invalid
from genlab.lab.members import members


def named(line):
    argv = ["--config", "wgan_gp", *line.split()]
    return members(argv, cli.parse(argv))


def test_a_number_is_so_many_seeds_and_several_are_these():
    assert {name: config.train.seed for name, config in named("--seeds 3").items()} == {
        "seed_0": 0,
        "seed_1": 1,
        "seed_2": 2,
    }
    assert [config.train.seed for config in named("--seeds 3 5 7").values()] == [3, 5, 7]


def test_every_combination_has_a_folder():
    found = named("--vary train.ema 0.9 0.99 --vary method.critic-optimizer.b2 0.5 0.7 --seeds 2 4 --train.steps 7")
    assert len(found) == 8
    config = found["train.ema=0.99,method.critic-optimizer.b2=0.5/seed_4"]
    assert (config.train.ema, config.method.critic_optimizer.b2, config.train.seed) == (0.99, 0.5, 4)
    assert config.train.steps == 7


def test_without_seeds_it_is_that_of_the_configuration():
    found = named("--vary train.ema 0.9 0.99 --train.seed 6")
    assert {name: config.train.seed for name, config in found.items()} == {"train.ema=0.9": 6, "train.ema=0.99": 6}


@pytest.mark.parametrize(
    "line, complaint",
    [
        ("--seeds 0", "seeds: 0 is not at least 1"),
        ("--seeds 3 3", "seeds, vary: 'seed_3' is not to be trained once"),
        ("--vary", "vary: ''; a setting and at least one value are needed"),
        ("--vary train.ema", "vary: 'train.ema'; a setting and at least one value"),
        ("--vary train.emma 0.9 1", "--train.emma: no such flag; there are --train.ema,"),
        ("--vary train.ema 0.9 2", r"train.ema: 2.0 is not in \[0, 1\)"),
        ("--vary train.ema 0.9 x", "train.ema: 'x' is not a number"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(line, complaint):
    with pytest.raises(Invalid, match=complaint) as caught:
        named(line)
    assert "\n" not in str(caught.value)
