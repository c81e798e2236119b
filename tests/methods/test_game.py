"""What all methods have in common."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab import methods
from genlab.errors import Invalid
from genlab.nn.layers import AXIS
from genlab.nn.net import Net
from genlab.parts.metrics import batch_mean
from genlab.parts.optimizer import Optimizer
from genlab.parts.pixels import squash

CODED = ("ae", "wae", "stacked_ae", "vae", "ladder_vae", "vq_vae")
METHODS = dict.fromkeys(CODED, ("encoder", "decoder")) | {
    "aae": ("encoder", "decoder", "discriminator"),
    "factor_vae": ("encoder", "decoder", "discriminator"),
    "vae_gan": ("encoder", "decoder", "discriminator"),
    "gan": ("generator", "discriminator"),
    "began": ("generator", "discriminator"),
    "rbm": (),
    "dbn": (),
    "wgan": ("generator", "critic"),
    "wgan_gp": ("generator", "critic"),
}
# the algorithm lets a second player move these
SHARED = {"aae": ["encoder"], "stacked_ae": ["encoder", "decoder"] * 2, "dbn": ["machine_2"]}
OPTIONS = {"ladder_vae": {"layers": (1, 1)}, "vq_vae": {"tokens": 2}, "rbm": {"latent": 64}, "dbn": {"latent": 64}}
ANCESTRAL = ("dbn",)  # draws bits on the way down, where decoding goes by their means
IMAGE = (2, 2, 1)


@pytest.fixture(params=METHODS)
def method(request):
    """Every method with tiny networks."""
    nets = dict.fromkeys(METHODS[request.param], Net(width=4, depth=1))
    return methods.find(request.param)(**{"latent": 2} | nets | OPTIONS.get(request.param, {}))


def test_a_method_is_found_by_its_file(method):
    assert methods.find(methods.name_of(method)) is type(method)
    assert set(methods.names()) == set(METHODS)  # else add it above


def test_a_method_is_one_final_class_below_an_interface(method):
    """At most three classes of genlab; what an interface does is done by no class again."""
    family = [kind for kind in type(method).__mro__ if kind.__module__.startswith("genlab")]
    assert len(family) <= 3 and {kind.__name__ for kind in family[1:]} <= {"Method", "Encoding"}
    assert not [kind for kind in type(method).__subclasses__() if kind.__module__.startswith("genlab")]
    for interface in family[1:]:
        done = {
            name
            for name, value in vars(interface).items()
            if inspect.isfunction(value) and not getattr(value, "__isabstractmethod__", False)
        }
        assert not {name for name in done if not name.startswith("__")} & vars(type(method)).keys()


@pytest.mark.parametrize("name", ["diffusion", ""])
def test_an_unknown_method_is_answered_with_the_known(name):
    with pytest.raises(Invalid, match=f"^method.name: '{name}' is not one of .*ae.*gan.*vae.*wgan_gp"):
        methods.find(name)


def test_networks_have_one_owner(method):
    """Where two players moved a network, one would move the other's; one that none moved would never learn."""
    networks, players = nnx.eval_shape(lambda: method.networks(IMAGE, nnx.Rngs(0))), method.players()
    shared = SHARED.get(methods.name_of(method), [])
    assert sorted(name for player in players for name in player.networks) == sorted([*networks, *shared])
    assert set(method.sampling) <= set(networks)
    assert len({player.name for player in players}) == len(players)


def test_a_sample_is_a_decoded_latent_of_its_own_key(method, fresh, compiled, keys):
    networks = fresh(method, IMAGE)

    def draw(k):
        return method.sample(networks, k), method.decode(networks, method.draw_latents(networks, k))

    (many, decoded), (few, _) = compiled(lambda k: (draw(k), draw(k[:3])))(keys(6))
    if methods.name_of(method) not in ANCESTRAL:
        np.testing.assert_array_equal(many, decoded)
    np.testing.assert_allclose(many[:3], few, atol=1e-6)
    assert many.shape == (6, *IMAGE) and abs(many).max() <= 1
    assert len(np.unique(many.reshape(6, -1), axis=0)) == 6


def test_images_are_squashed_and_points_are_not():
    np.testing.assert_allclose(squash(jnp.full((1, *IMAGE), 3.0)), np.tanh(3), rtol=1e-6)
    np.testing.assert_array_equal(squash(jnp.full((1, 2), 3.0)), 3)


def test_batch_mean_is_over_all_devices_and_has_no_gradient():
    values = jnp.arange(6.0).reshape(2, 3)
    both = jax.vmap(jax.value_and_grad(lambda v: batch_mean(v)), axis_name=AXIS)
    mean, gradient = both(values)
    np.testing.assert_array_equal(mean, [2.5, 2.5])
    np.testing.assert_array_equal(gradient, np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("learning_rate", 0.0, "above 0"),
        ("b1", 1.0, r"in \[0, 1\)"),
        ("b2", -0.1, r"in \[0, 1\)"),
        ("eps", -1.0, "at least 0"),
        ("weight_decay", -1.0, "at least 0"),
        ("clip", -1.0, "at least 0"),
        ("warmup", -1, "at least 0"),
        ("horizon", -1, "at least 0"),
        ("period", 0, "at least 1"),
        ("decay", 0.0, "above 0"),
    ],
)
def test_an_optimizers_bad_fields_are_named(field, value, allowed):
    with pytest.raises(Invalid, match=f"^{field}: {value} is not {allowed}$"):
        Optimizer(**{field: value})


@pytest.mark.parametrize("milestones", [(5, 5), (9, 3), (0,)])
def test_milestones_come_in_order(milestones):
    with pytest.raises(Invalid, match="^milestones: .* is not in rising order, after the warm-up$"):
        Optimizer(milestones=milestones)


def test_a_method_needs_a_latent(method):
    with pytest.raises(Invalid, match="^latent: 0 is not at least 1$"):
        type(method)(latent=0)
