"""The configuration to JSON and back."""

import dataclasses
import json
import math
import re

import pytest

from genlab import cli
from genlab.config.plain import check_same, from_dict, read, to_dict
from genlab.config.sections import Train, resolved
from genlab.errors import Invalid


def test_every_preset_survives_json(preset):
    config = cli.preset(preset)
    assert from_dict(json.loads(json.dumps(to_dict(config)))) == config


def test_flags_override_presets():
    command = cli.parse(
        ["--config", "wgan_gp", "--method.critic.width=17", "--data.image_size", "16", "--data.no-flip"]
    )
    assert command.settings.method.critic.width == 17
    assert command.settings.data.image_size == 16
    assert command.settings.method.generator == cli.preset("wgan_gp").method.generator
    assert str(command.run_dir) == "runs/wgan_gp"


@pytest.mark.parametrize("change", ["--train.steps 9", "--parallel.devices 2", "--checkpoint.keep 5", "--data.dir x"])
def test_what_may_change_when_a_run_goes_on(change):
    check_same(to_dict(cli.preset("vae")), cli.parse(["--config", "vae", *change.split()]).settings)


@pytest.mark.parametrize("change", ["--train.seed 9", "--method.latent 2", "--data.batch-size 8", "--train.ema 0.5"])
def test_what_must_not(change):
    with pytest.raises(Invalid, match=change.split()[0].lstrip("-").replace("-", "_")):
        check_same(to_dict(cli.preset("vae")), cli.parse(["--config", "vae", *change.split()]).settings)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("method", "vae", "method.name: None; one of aae, "),
        ("method.name", "nope", "method.name: 'nope'; one of aae, "),
        ("method.name", 5, "method.name: 5; one of aae, "),
        ("method.beta2", 1, "method.beta2: 1; "),
        ("method.encoder.width", 256.0, "method.encoder.width: 256.0; Input should be a valid integer"),
        ("method.encoder.width", True, "method.encoder.width: True; Input should be a valid integer"),
        ("method.encoder.width", 0, "method.encoder.width: 0 is not at least 1"),
        ("method.encoder.backbone", "unet", "method.encoder.backbone: 'unet'; Input should be 'mlp', 'dcgan', "),
        ("method.encoder.compute", "float99", "method.encoder.compute: 'float99'; "),
        ("method.encoder", None, "method.encoder: None; "),
        ("method.optimizer.schedule", "sine", "method.optimizer.schedule: 'sine'; "),
        ("method.optimizer.milestones", "12", "method.optimizer.milestones: '12'; "),
        ("data", [], "data: []; "),
        ("data.name", "nope", "data.name: nope; digits, "),
        ("train", None, "train: None; "),
        ("train.ema", float("nan"), "train.ema: nan is not in [0, 1)"),
        ("trian", {"steps": 3}, "trian: {'steps': 3}; "),
    ],
)
def test_a_strange_file_is_refused_in_one_line_that_names_the_place(path, value, said):
    plain = to_dict(cli.preset("vae"))
    *sections, last = path.split(".")
    place = plain
    for name in sections:
        place = place[name]
    place[last] = value
    with pytest.raises(Invalid) as refused:
        from_dict(plain)
    message = str(refused.value)
    assert message.startswith(f"config.json: {said}") and "\n" not in message


@pytest.mark.parametrize("plain", [None, [], "config", {}])
def test_what_is_no_configuration_is_refused(plain):
    with pytest.raises(Invalid, match="config.json: method.name: None; one of aae, "):
        from_dict(plain)


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"config": {}, "shape": null, "classes": []}',
        b'{"config": {}, "shape": [8, 8], "classes": []}',
        b'{"config": {}, "shape": [8, 8, true], "classes": []}',
        b'{"config": {}, "shape": [8, 8, 1], "classes": "0123"}',
        b'{"config": {}, "shape": [8, 8, 1]}',
    ],
)
def test_a_file_that_genlab_did_not_write_is_refused_by_its_name(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_bytes(text)
    with pytest.raises(Invalid, match=f"run_dir: {path} cannot be read .*; it must be as genlab wrote it"):
        read(path)


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


def test_a_rule_given_by_a_flag_has_its_own_constants():
    """Not those of the preset's rule; what the preset says itself, as here eps, stays. A dry run shows the numbers."""
    config = cli.parse(["--config", "vae", "--method.optimizer.name", "lion"]).settings
    assert resolved(config).method.optimizer.b2 == 0.99
    said = cli.describe(config).splitlines()
    assert {"method.optimizer.name = 'lion'", "method.optimizer.b1 = 0.9", "method.optimizer.b2 = 0.99"} <= set(said)
    given = cli.parse(["--config", "vae", "--method.optimizer.b2", "0.5"]).settings
    assert "method.optimizer.b2 = 0.5" in cli.describe(given).splitlines()
    assert "method.optimizer.eps = 1e-05" in cli.describe(given).splitlines()


@pytest.mark.parametrize("name", ["vae", "rbm", "wgan"])
def test_a_run_that_spells_the_constants_out_goes_on_with_those_that_are_left_to_the_rule(name):
    """As config.json holds them, and as it held Adam's for every rule before these had their own."""
    config = cli.preset(name)
    for written in (to_dict(resolved(config)), to_dict(config)):
        check_same(written, config)
        assert resolved(from_dict(written)) == resolved(config)
    old = to_dict(config)
    for optimizer in (value for value in old["method"].values() if isinstance(value, dict) and "b1" in value):
        adam = {"b1": 0.9, "b2": 0.999, "eps": 1e-8}
        optimizer |= {n: v for n, v in adam.items() if optimizer[n] is None}
    check_same(old, config)
    with pytest.raises(Invalid, match="optimizer.learning_rate"):
        check_same(old, cli.parse(["--config", name, f"--method.{OPTIMIZER[name]}.learning-rate", "0.3"]).settings)


OPTIMIZER = {"vae": "optimizer", "rbm": "optimizer", "wgan": "critic-optimizer"}


@pytest.mark.parametrize(
    ("flags", "penalty"),
    [
        (
            "--config gan --method.penalty.weight 5 --method.penalty.where real --method.penalty.target 0",
            (5, "real", 0),
        ),
        ("--config r3gan --method.penalty.weight 0", (0, "both", 0)),
        ("--config r3gan --method.penalty.weight 0 --method.penalty.where real", (0, "real", 0)),
        ("--config wgan_gp --method.penalty.where real", (10, "real", 1)),
    ],
)
def test_a_penalty_with_a_weight_or_without_one_on_purpose_is_not_refused(flags, penalty):
    found = cli.parse(flags.split()).settings.method.penalty
    assert (found.weight, found.where, found.target) == penalty


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ("sparsity.weight 2", "sparsity.kind: 'none' is not kl or l1, and without it weight = 2.0"),
        ("corruption.kind gaussian", "corruption.level: 0.0 is not above 0, and without it kind = 'gaussian'"),
        ("contraction.no-exact", "contraction.weight: 0.0 is not above 0, and without it exact = False"),
    ],
)
def test_settings_of_a_part_that_is_off_are_refused(flags, complaint):
    with pytest.raises(Invalid, match=f"^method.{complaint} would do nothing; give --method"):
        cli.parse(["--config", "ae", *f"--method.{flags}".split()])


def test_an_autoencoder_may_be_of_several_kinds():
    flags = "--config denoising_ae --method.sparsity.kind l1 --method.sparsity.weight 2 --method.contraction.weight 0.1"
    method = cli.parse(flags.split()).settings.method
    assert (method.corruption.level, method.sparsity.kind, method.sparsity.weight) == (0.25, "l1", 2.0)
    assert method.penalised == ("encoder",)
    assert not cli.parse(["--config", "contractive_ae", "--method.contraction.weight", "0"]).settings.method.penalised


def test_averages_of_several_lengths():
    """On the command line, in the file of the run, and what cannot be."""
    config = cli.parse(["--config", "ae", "--train.ema", "0.9", "0.99"]).settings
    assert config.train.decays == (0.9, 0.99) and config.train.averaging(1)[0] == (0.9, 0.99)
    assert from_dict(to_dict(config)) == config
    assert cli.parse(["--config", "ae", "--train.ema", "0.9"]).settings.train.ema == 0.9
    for wrong, why in (((), "is not one decay"), ((0.9, 0.9), "is not one decay, or several that differ")):
        with pytest.raises(Invalid, match=f"^ema: {re.escape(str(wrong))} {why}"):
            Train(ema=wrong)
    with pytest.raises(Invalid, match=r"^ema: 1.0 is not in \[0, 1\)"):
        Train(ema=(0.9, 1.0))
    with pytest.raises(Invalid, match="^ema_halflife: 5.0 is not 0, as with several decays of train.ema"):
        Train(ema=(0.9, 0.99), ema_halflife=5.0)


def test_averaged_weights_may_be_told_by_their_half_life_in_images():
    """5 million images, 9,766 iterations of 512, after which weights count half; early on a quarter of all so far."""
    assert Train(ema=0.9).averaging(512) == ((0.9,), 10.0)
    (decay,), ramp = Train(ema_halflife=5e6).averaging(512)
    assert decay ** (5e6 / 512) == pytest.approx(0.5)
    t = 1e6
    assert ((1 + t) / (ramp + t)) ** (t / 4) == pytest.approx(0.5, rel=1e-4)
    assert cli.preset("r3gan_cifar10").train.ema_halflife == 5e6
    for wrong in (-1.0, math.inf):
        with pytest.raises(Invalid, match=f"^ema_halflife: {wrong} is not a finite number of at least 0"):
            Train(ema_halflife=wrong)
