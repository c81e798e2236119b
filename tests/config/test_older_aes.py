"""Configurations of autoencoders and Boltzmann machines, as runs wrote them before methods were made of parts."""

import dataclasses

import pytest

from genlab import cli
from genlab.config.older import autoencoders, boltzmann
from genlab.config.plain import from_dict, to_dict
from genlab.config.sections import Config
from genlab.errors import Invalid
from genlab.kernels.corruption import Corruption
from genlab.methods.ae import AE
from genlab.methods.dbn import DBN
from genlab.methods.rbm import RBM
from genlab.parts.contraction import Contraction
from genlab.parts.gibbs import Gibbs
from genlab.parts.machine import VisibleUnits
from genlab.parts.sparsity import Sparsity

# what the runs of presets wrote, but for networks and optimisers, which are as they were
PRESETS = {
    "denoising_ae": {"name": "denoising_ae", "latent": 16, "corruption": {"kind": "masking", "level": 0.25}},
    "sparse_ae": {"name": "sparse_ae", "latent": 64, "penalty": "kl", "weight": 1.0, "rate": 0.1},
    "contractive_ae": {"name": "contractive_ae", "latent": 16, "weight": 0.1, "exact": False},
    "rbm": {
        "name": "rbm",
        "latent": 128,
        "visible": "binary",
        "scale": 0.3,
        "k": 1,
        "gibbs": 200,
        "temperatures": 1000,
        "persistent": True,
        "chains": 128,
    },
    "dbn": {
        "name": "dbn",
        "latent": 128,
        "visible": "binary",
        "scale": 0.3,
        "k": 1,
        "gibbs": 200,
        "temperatures": 1000,
        "hidden": [128],
        "phase": 3000,
    },
}
SET = {
    "denoising_ae": (
        {"name": "denoising_ae", "corruption": {"kind": "gaussian", "level": 0.5}},
        AE(corruption=Corruption("gaussian", 0.5)),
    ),
    "sparse_ae": (
        {"name": "sparse_ae", "latent": 8, "penalty": "l1", "weight": 2.0, "rate": 0.2},
        AE(latent=8, sparsity=Sparsity("l1", 2.0, 0.2)),
    ),
    "contractive_ae": (
        {"name": "contractive_ae", "weight": 3.0, "exact": True},
        AE(contraction=Contraction(3.0)),
    ),
    "rbm": (
        {"name": "rbm", "visible": "gaussian", "scale": 0.5, "k": 2, "gibbs": 3, "temperatures": 4},
        RBM(visible=VisibleUnits("gaussian", 0.5), gibbs=Gibbs(2, 3, 4)),
    ),
    "rbm_visible": (
        {"name": "rbm", "visible": "gaussian"},
        RBM(visible=VisibleUnits("gaussian")),
    ),
    "dbn": (
        {"name": "dbn", "gibbs": 5, "hidden": [3, 2]},
        DBN(gibbs=Gibbs(steps=5), hidden=(3, 2)),
    ),
    # a setting that an even older file does not have was the method's default
    "denoising_ae_defaults": ({"name": "denoising_ae"}, AE(corruption=Corruption("masking", 0.25))),
    "sparse_ae_defaults": ({"name": "sparse_ae"}, AE(latent=64, sparsity=Sparsity("kl", 1.0, 0.1))),
    "contractive_ae_defaults": ({"name": "contractive_ae"}, AE(contraction=Contraction(0.1))),
    "level": (
        {"name": "denoising_ae", "corruption": {"kind": "gaussian"}},
        AE(corruption=Corruption("gaussian", 0.25)),
    ),
}


def converted(method):
    return boltzmann(autoencoders(method))


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_old_configuration_is_the_preset(name):
    config = cli.preset(name)
    kept = {n: v for n, v in to_dict(config)["method"].items() if n in ("encoder", "decoder", "optimizer")}
    old = to_dict(config) | {"method": PRESETS[name] | kept}
    assert from_dict(old | {"method": converted(old["method"])}) == config


@pytest.mark.parametrize("name", SET)
def test_settings_are_where_they_belong(name):
    old, method = SET[name]
    before = dict(old)
    assert from_dict({"method": converted(old)}) == Config(method=method)
    assert old == before


@pytest.mark.parametrize(
    "method",
    [AE(), AE(sparsity=Sparsity("l1"), contraction=Contraction(1.0)), RBM(gibbs=Gibbs(2)), DBN(hidden=(3,))],
    ids=["ae", "ae_all", "rbm", "dbn"],
)
def test_a_new_configuration_stays(method):
    plain = to_dict(Config(method=method))["method"]
    assert converted(plain) == plain


def test_other_methods_stay():
    plain = to_dict(cli.preset("wae"))["method"]
    assert converted(plain) == plain
    assert "weight" in plain and dataclasses.asdict(cli.preset("wae").method)["weight"] == plain["weight"]


@pytest.mark.parametrize(
    ("old", "words"),
    [
        ({"name": "rbm", "gibbs": "many"}, "config.json: method.gibbs.steps: 'many'; Input should be a valid integer"),
        ({"name": "denoising_ae", "corruption": 5}, "config.json: method.corruption: 5; .*"),
        ({"name": "sparse_ae", "penalty": "l2"}, "config.json: method.sparsity.kind: 'l2'; .*"),
        ({"name": "contractive_ae", "weight": -1.0}, "config.json: method.contraction.weight: -1.0 is not at least 0"),
    ],
)
def test_what_was_never_allowed_is_named(old, words):
    with pytest.raises(Invalid, match=f"^{words}$"):
        from_dict({"method": converted(old)})
