"""Update rules and schedules at known points."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from genlab.errors import Invalid
from genlab.methods.began import BEGAN
from genlab.methods.game import Player
from genlab.methods.gan import GAN
from genlab.methods.vae_gan import VAEGAN
from genlab.methods.vq_vae import VQVAE
from genlab.methods.wae import WAE
from genlab.methods.wgan import WGAN
from genlab.methods.wgan_gp import WGANGP
from genlab.parts.course import Course
from genlab.parts.optimizer import LAYERWISE, USUAL, Optimizer
from genlab.train.optimizer import build, schedule

NAMES = typing.get_args(typing.get_type_hints(Optimizer)["name"])
RATE = 0.1
P, G1, G2 = np.array([1.0, -2.0, 0.5]), np.array([0.3, -4.0, 0.0]), np.array([-0.1, 2.0, 0.2])


def player(plays=1, **options) -> Player:
    return Player("player", (), lambda *_: None, Optimizer(**{"learning_rate": RATE} | options), plays)


def moves(gradients, plays=1, iterations=100, params=P, **options):
    """The updates that these gradients cause, the parameters being moved by each."""
    rule = build(player(plays, **options), iterations)

    def move(carry, gradient):
        params, state = carry
        update, state = rule.update(gradient, state, params)
        return (optax.apply_updates(params, update), state), update

    params, gradients = jnp.asarray(params, jnp.float32), jnp.asarray(np.array(gradients), jnp.float32)
    quick = {"xla_backend_optimization_level": 0}
    run = jax.jit(lambda p, g: jax.lax.scan(move, (p, rule.init(p)), g)[1], compiler_options=quick)
    return np.asarray(run(params, gradients))


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_goes_downhill(name):
    """On |x|^2 / 2 with a curvature that differs by axis: the first step lowers it, and twenty do more."""
    curvature = jnp.array([0.5, 1.0, 2.0])
    rule = build(player(name=name, b1=0.5, learning_rate=0.05, warmup=0), 100)

    def advance(carry, _):
        x, state = carry
        value, gradient = jax.value_and_grad(lambda x: (curvature * x**2).sum() / 2)(x)
        update, state = rule.update(gradient, state, x)
        return (optax.apply_updates(x, update), state), value

    start = jnp.asarray(P, jnp.float32)
    quick = {"xla_backend_optimization_level": 0}
    values = jax.jit(lambda: jax.lax.scan(advance, (start, rule.init(start)), length=21)[1], compiler_options=quick)()
    assert values[20] < values[1] < values[0]


def test_all_eleven_rules_are_there():
    assert len(NAMES) == 11


def test_descent():
    close(moves([G1, G2], name="sgd"), [-RATE * G1, -RATE * G2])


def test_momentum():
    """v = g + b1 v; Nesterov looks one step ahead, at g + b1 v."""
    v = G2 + 0.5 * G1
    close(moves([G1, G2], name="momentum", b1=0.5), [-RATE * G1, -RATE * v])
    close(moves([G1, G2], name="nesterov", b1=0.5), [-RATE * 1.5 * G1, -RATE * (G2 + 0.5 * v)])


def test_adam():
    """Kingma and Ba (2015), Algorithm 1; its first step is the learning rate times the sign, but for eps."""
    b1, b2, eps = 0.5, 0.9, 0.1
    seen = moves([G1, G2], name="adam", b1=b1, b2=b2, eps=eps)
    close(seen[0], -RATE * G1 / (abs(G1) + eps))
    m = ((1 - b1) * b1 * G1 + (1 - b1) * G2) / (1 - b1**2)
    v = ((1 - b2) * b2 * G1**2 + (1 - b2) * G2**2) / (1 - b2**2)
    close(seen[1], -RATE * m / (np.sqrt(v) + eps))


def test_lion():
    """Chen et al. (2023), Algorithm 2: the sign of a mean of the gradient and the momentum."""
    seen = moves([G1, G2], name="lion", b1=0.9, b2=0.5)
    close(seen, [-RATE * np.sign(G1), -RATE * np.sign(0.9 * 0.5 * G1 + 0.1 * G2)])


MATRIX, M1, M2 = np.outer(P, [1.0, 0.5]), np.outer(G1, [0.2, 1.0]), np.outer(G2, [3.0, -1.0])


def test_lars():
    """You et al. (2017), algorithm 1, with one norm of g + beta w: the rate 0.001 |w| / |g + beta w|, and momentum of
    whole steps. A vector has no such rate and does not decay."""

    def local(g, w):
        decayed = g + 0.3 * w
        return RATE * 0.001 * np.linalg.norm(w) / np.linalg.norm(decayed) * decayed

    first = local(M1, MATRIX)
    second = local(M2, MATRIX - first) + 0.5 * first
    options = {"name": "lars", "b1": 0.5, "weight_decay": 0.3, "warmup": 0}
    close(moves([M1, M2], params=MATRIX, **options), [-first, -second])
    close(moves([G1, G2], **options), [-RATE * G1, -RATE * (G2 + 0.5 * G1)])


def test_lamb():
    """You et al. (2020), algorithm 2: Adam's direction and the decay, as long as the weights; of a vector, Adam's."""
    b1, b2, eps = 0.5, 0.9, 0.1
    adam = moves([M1, M2], params=MATRIX, name="adam", b1=b1, b2=b2, eps=eps) / -RATE
    w, expected = MATRIX, []
    for direction in adam:
        whole = direction + 0.3 * w
        expected.append(-RATE * np.linalg.norm(w) / np.linalg.norm(whole) * whole)
        w = w + expected[-1]
    options = {"name": "lamb", "b1": b1, "b2": b2, "eps": eps, "weight_decay": 0.3, "warmup": 0}
    close(moves([M1, M2], params=MATRIX, **options), expected)
    close(moves([G1, G2], **options), moves([G1, G2], name="adam", b1=b1, b2=b2, eps=eps))


@pytest.mark.parametrize("name", LAYERWISE)
def test_rules_for_large_batches_warm_up(name):
    """Over an 18th of the iterations until the horizon, if nothing else is said; others do not."""
    close(rates(iterations=180, at=(0, 5, 10, 179), name=name), [0, 0.5, 1, 1])
    close(rates(iterations=10, at=(0, 5, 10, 95, 180), name=name, horizon=180, schedule="linear")[:4], [0, 0.5, 1, 0.5])
    close(rates(iterations=180, at=(0, 10), name=name, warmup=0), [1, 1])
    close(rates(iterations=180, at=(0, 10), name=name, warmup=20), [0, 0.5])
    close(rates(iterations=180, at=(0,), name="sgd"), [1])


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_b2_moves_by_iterations(name):
    """Each update with the b2 of its iteration, also in the correction of its bias, as in R3GAN's code. Two plays share
    one. With the same b2 at both ends it is Adam."""
    b1, eps, course = 0.5, 0.1, Course(to=0.5, over=4)
    m = v = 0
    expected = []
    for t, g in enumerate([G1, G2, G1, G2], 1):
        b2 = 0.9 - 0.1 * ((t - 1) // 2)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        expected.append(-RATE * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps))
    options = {"name": name, "b1": b1, "b2": 0.9, "eps": eps}
    close(moves([G1, G2, G1, G2], plays=2, **options, b2_course=course), expected)
    still = moves([G1, G2, G1], **options, b2_course=Course(to=0.9, over=4))
    close(still, moves([G1, G2, G1], **options))


def test_weight_decay_is_coupled_or_not():
    """Adam adds it to the gradient and so normalises it away (Loshchilov and Hutter 2019); adamw and lion do not."""
    decay = {"weight_decay": 0.3}
    close(moves([G1], name="sgd", **decay)[0], -RATE * (G1 + 0.3 * P))
    close(moves([G1], name="adam", **decay)[0], -RATE * np.sign(G1 + 0.3 * P))
    close(moves([G1], name="adamw", **decay)[0], -RATE * (np.sign(G1) + 0.3 * P))
    close(moves([G1], name="lion", **decay)[0], -RATE * (np.sign(G1) + 0.3 * P))


def test_clipping_bounds_the_global_norm():
    """By one factor for all parameters, and only where the norm is above; weight decay comes after."""
    norm = np.linalg.norm(G1)
    close(moves([G1], name="sgd", clip=1.0)[0], -RATE * G1 / norm)
    close(moves([G1], name="sgd", clip=float(2 * norm))[0], -RATE * G1)
    close(moves([G1], name="sgd", clip=1.0, weight_decay=0.3)[0], -RATE * (G1 / norm + 0.3 * P))
    rule = build(player(name="sgd", clip=1.0), 10)
    tree = {"a": jnp.array([3.0]), "b": jnp.array([4.0])}
    update, _ = rule.update(tree, rule.init(tree), tree)
    close([*update["a"], *update["b"]], [-RATE * 0.6, -RATE * 0.8])


def rates(iterations=100, at=(), **options):
    course = schedule(Optimizer(learning_rate=RATE, **options), iterations)
    return np.array([float(course(jnp.int32(t))) for t in at]) / RATE


def test_schedules_at_known_iterations():
    """Factors of the peak."""
    close(rates(at=(0, 50, 1000)), [1, 1, 1])
    close(rates(at=(0, 25, 99, 100, 200), schedule="linear"), [1, 0.75, 0.01, 0, 0])
    close(rates(at=(0, 25, 50, 100, 200), schedule="cosine"), [1, 0.5 + 0.5**1.5, 0.5, 0, 0])
    steps = {"schedule": "steps", "milestones": (10, 30), "decay": 0.2}
    close(rates(at=(0, 9, 10, 29, 30, 1000), **steps), [1, 1, 0.2, 0.2, 0.04, 0.04])
    restarts = {"schedule": "cosine_restarts", "period": 10}
    close(rates(at=(0, 5, 10, 15, 1005), **restarts), [1, 0.5, 1, 0.5, 0.5])
    assert rates(at=(9,), **restarts) < 0.03


def test_a_horizon_takes_the_place_of_the_length():
    close(rates(at=(25, 50, 60), schedule="linear", horizon=50), [0.5, 0, 0])
    close(rates(iterations=10, at=(25,), schedule="linear", horizon=50), [0.5])


def test_the_warm_up_rises_before_the_course():
    """From 0 to the peak in 20 iterations; what falls still ends with the training."""
    close(rates(at=(0, 5, 20, 90), warmup=20), [0, 0.25, 1, 1])
    close(rates(at=(0, 10, 20, 60, 100), warmup=20, schedule="linear"), [0, 0.5, 1, 0.5, 0])
    close(rates(at=(0, 10, 20, 60, 100), warmup=20, schedule="cosine"), [0, 0.5, 1, 0.5, 0])
    close(rates(at=(20, 25, 30), warmup=20, schedule="cosine_restarts", period=10), [1, 0.5, 1])
    close(rates(at=(0, 50, 100), warmup=100, schedule="linear"), [0, 0.5, 1])
    close(rates(at=(10, 29, 30), warmup=20, schedule="steps", milestones=(30,), decay=0.5), [0.5, 1, 0.5])


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_schedules_count_iterations_not_updates(name):
    """Five plays share a rate. Counted in updates, the rate would be 0 after the first of the five iterations."""
    ones = np.ones((25, 3))
    seen = moves(ones, plays=5, iterations=5, name=name, schedule="linear", params=np.zeros(3))
    close(seen[:, 0], -RATE * np.repeat(1 - np.arange(5) / 5, 5))
    assert (seen[5:] != 0).all()


# what each rule's paper names, or Optax where it names nothing
CONSTANTS = {
    "sgd": (None, None, None),
    "momentum": (0.9, None, None),
    "nesterov": (0.9, None, None),
    "adagrad": (None, None, 1e-7),
    "adadelta": (None, 0.95, 1e-6),
    "rmsprop": (None, 0.9, 1e-8),
    "adam": (0.9, 0.999, 1e-8),
    "adamw": (0.9, 0.999, 1e-8),
    "lion": (0.9, 0.99, None),
    "lars": (0.9, None, None),
    "lamb": (0.9, 0.999, 1e-6),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_has_its_own_constants(name):
    """What is not given is the rule's own, and moves as it does when it is spelt out; what is given stays."""
    assert USUAL.keys() == CONSTANTS.keys() == set(NAMES)
    known: dict = dict(zip(("b1", "b2", "eps"), CONSTANTS[name], strict=True))
    known["warmup"] = None if name in LAYERWISE else 0  # which goes by the iterations
    assert Optimizer(name).resolved() == Optimizer(name, **known) == Optimizer(name, **known).resolved()
    close(moves([G1, G2], name=name), moves([G1, G2], name=name, **known))
    del known["warmup"]
    spelt = Optimizer(name, b1=0.3, b2=0.4, eps=0.5).resolved()
    own = {"b1": 0.3, "b2": 0.4, "eps": 0.5}
    assert {n: getattr(spelt, n) for n in own} == {n: own[n] if known[n] is not None else None for n in own}


def test_rmsprop_and_adadelta_by_hand():
    """v <- b2 v + (1 - b2) g^2 from 0, g / sqrt(v + eps): with Adam's b2 the first step would be ten times as far."""
    v = 0.1 * G1[:2] ** 2
    second = 0.9 * v + 0.1 * G2[:2] ** 2
    seen = moves([G1, G2], name="rmsprop")[:, :2]
    close(seen, [-RATE * G1[:2] / np.sqrt(v + 1e-8), -RATE * G2[:2] / np.sqrt(second + 1e-8)])
    v = 0.05 * G1[:2] ** 2  # Zeiler (2012), algorithm 1
    close(moves([G1], name="adadelta")[0, :2], -RATE * G1[:2] * np.sqrt(1e-6 / (v + 1e-6)))


def test_defaults_are_those_of_the_papers():
    """Of the methods whose paper names an optimiser."""
    dcgan = Optimizer(learning_rate=2e-4, b1=0.5, b2=0.999)
    rmsprop = Optimizer("rmsprop", learning_rate=5e-5, b2=0.99)
    for method, names, optimizer in (
        (WGANGP(), ("critic", "generator"), Optimizer(learning_rate=1e-4, b1=0.0, b2=0.9)),
        (WGAN(), ("critic", "generator"), rmsprop),
        (GAN(), ("discriminator", "generator"), dcgan),
        (BEGAN(), ("discriminator", "generator"), Optimizer(learning_rate=1e-4)),
        (VAEGAN(), ("discriminator", "encoder", "decoder"), Optimizer("rmsprop", learning_rate=3e-4)),
        (WAE(), ("model",), Optimizer(learning_rate=1e-3, b1=0.5)),
        (VQVAE(), ("model",), Optimizer(learning_rate=2e-4)),
    ):
        players = {player.name: player.optimizer for player in method.players()}
        assert {name: players[name] for name in names} == dict.fromkeys(names, optimizer)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"b2_course": Course(to=1.0, over=1)}, "b2_course.to: 1.0 is not in"),
        ({"name": "rmsprop", "b2_course": Course(to=0.9, over=1)}, "b2_course.to: 0.9 is not None without adam or"),
        ({"warmup": -1}, "warmup: -1 is not at least 0"),
    ],
)
def test_courses_that_cannot_be_are_refused(options, message):
    with pytest.raises(Invalid, match=f"^{message}"):
        Optimizer(**options)


@pytest.mark.parametrize(("field", "value"), [("b1", 1.0), ("b2", -0.1), ("eps", -1.0)])
def test_constants_out_of_range_are_refused(field, value):
    with pytest.raises(Invalid, match=f"^{field}: {value} is not "):
        Optimizer(**{field: value})
