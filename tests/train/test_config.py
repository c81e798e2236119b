"""The configuration to JSON and back."""

import dataclasses
import json

import pytest

from genlab.errors import Invalid
from genlab.train import cli
from genlab.train.config import check_same, from_dict, to_dict


def test_every_preset_survives_json(preset):
    config = cli.preset(preset)
    assert from_dict(json.loads(json.dumps(to_dict(config)))) == config


def test_flags_override_presets():
    wish = cli.parse(["--config", "wgan_gp", "--method.critic.width=17", "--data.image_size", "16", "--data.no-flip"])
    assert wish.settings.method.critic.width == 17
    assert wish.settings.data.image_size == 16
    assert wish.settings.method.generator == cli.preset("wgan_gp").method.generator
    assert str(wish.run_dir) == "runs/wgan_gp"


@pytest.mark.parametrize("change", ["--train.steps 9", "--parallel.devices 2", "--checkpoint.keep 5", "--data.dir x"])
def test_what_may_change_when_a_run_goes_on(change):
    check_same(to_dict(cli.preset("vae")), cli.parse(["--config", "vae", *change.split()]).settings)


@pytest.mark.parametrize("change", ["--train.seed 9", "--method.latent 2", "--data.batch-size 8", "--train.ema 0.5"])
def test_what_must_not(change):
    with pytest.raises(Invalid, match=change.split()[0].lstrip("-").replace("-", "_")):
        check_same(to_dict(cli.preset("vae")), cli.parse(["--config", "vae", *change.split()]).settings)


@pytest.mark.parametrize(
    ("path", "value"), [(("method", "name"), "nope"), (("method", "beta2"), 1), (("train",), None)]
)
def test_a_strange_file_is_refused(path, value):
    plain = to_dict(cli.preset("vae"))
    place = plain
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(Invalid):
        from_dict(plain)


def test_a_run_of_an_older_genlab_goes_on_with_the_defaults_of_sections_it_did_not_write():
    config = cli.preset("vae")
    old = {name: value for name, value in to_dict(config).items() if name != "evaluate"}
    assert from_dict(old) == config
    check_same(old, config)
    with pytest.raises(Invalid, match="evaluate.every = 0, not 5"):
        check_same(old, cli.parse(["--config", "vae", "--evaluate.every", "5"]).settings)


def test_a_run_from_before_a_setting_was_there_goes_on_with_its_default():
    config = cli.preset("vae")
    old = to_dict(config)
    del old["method"]["encoder"]["dropout"]
    check_same(old, config)
    dropping = dataclasses.replace(config.method.encoder, dropout=0.1)
    with pytest.raises(Invalid, match="method.encoder.dropout = 0.0, not 0.1"):
        check_same(old, dataclasses.replace(config, method=dataclasses.replace(config.method, encoder=dropping)))
