"""Variational methods as genlab 0.1 wrote them into config.json."""

import pytest

from genlab import cli
from genlab.config.plain import from_dict, to_dict
from genlab.errors import Invalid


def old(preset, name, **fields):
    """A preset's method as it was written when likelihood, prior and objective were single fields."""
    plain = to_dict(cli.preset(preset))["method"]
    likelihood, objective = plain.pop("likelihood"), plain.pop("objective", {})
    plain.pop("posterior", None)
    prior = plain.pop("prior") if name == "vq_vae" else plain.pop("prior", None) and {}
    flat = {"likelihood": likelihood["name"], "scale": likelihood["scale"], "learn_scale": likelihood["learn_scale"]}
    return (
        plain
        | flat
        | {"name": name}
        | {field: objective[field] for field in fields.pop("objective", ())}
        | {f"prior_{field}": value for field, value in (prior or {}).items()}
        | fields
    )


@pytest.mark.parametrize(
    ("preset", "name", "objective"),
    [
        ("vae", "vae", ("beta", "warmup", "free_bits")),
        ("vae_mnist", "vae", ("beta", "warmup", "free_bits")),
        ("cvae", "vae", ("beta", "warmup", "free_bits")),
        ("iwae", "iwae", ("k",)),
        ("iwae_mnist", "iwae", ("k",)),
        ("ladder_vae", "ladder_vae", ("beta", "warmup")),
        ("vq_vae", "vq_vae", ()),
    ],
)
def test_old_fields_become_parts(preset, name, objective):
    config = cli.preset(preset)
    assert from_dict(to_dict(config) | {"method": old(preset, name, objective=objective)}) == config


def test_every_value_goes_to_its_place():
    fields = {"beta": 3.0, "warmup": 7, "free_bits": 0.25, "likelihood": "gaussian", "scale": 0.4, "learn_scale": True}
    method = from_dict(to_dict(cli.preset("vae")) | {"method": old("vae", "vae", **fields)}).method
    assert (method.objective.beta, method.objective.warmup, method.objective.free_bits) == (3.0, 7, 0.25)
    likelihood = method.likelihood
    assert (likelihood.name, likelihood.scale, likelihood.learn_scale) == ("gaussian", 0.4, True)


def test_what_cannot_be_loaded_names_the_version_that_can():
    plain = to_dict(cli.preset("vae"))
    with pytest.raises(Invalid, match="^config.json: method.name: 'vamp' is of genlab 0.1, which loads it"):
        from_dict(plain | {"method": plain["method"] | {"name": "vamp"}})


def test_names_that_are_no_names_are_refused():
    plain = to_dict(cli.preset("vae"))
    for name in (["vae"], None, 5, {}):
        with pytest.raises(Invalid, match="^config.json: method.name: "):
            from_dict(plain | {"method": plain["method"] | {"name": name}})
