"""WGAN-GP against its closed form, Algorithm 1 followed by hand, and the bugs that other implementations have."""

import re
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from scipy import integrate, stats

from genlab import cli
from genlab.data.feed import Batch
from genlab.errors import Invalid
from genlab.kernels.penalty import Penalty, coupled, gradient_penalty, histogram, interpolate, slopes
from genlab.kernels.random import fold
from genlab.methods.wgan_gp import WGANGP
from genlab.nn.layers import AXIS, Dropout
from genlab.nn.net import Net
from genlab.parts.course import Course
from genlab.parts.optimizer import Optimizer
from genlab.train.state import Game

SMALL = Net(width=4, depth=1)
W, B = np.array([0.5, -1.2], np.float32), np.array([0.3, 0.4], np.float32)  # |W| = 1.3
RATE, HORIZON, N_CRITIC, BATCH = 0.05, 4, 3, 8


class Linear(nnx.Module):
    """D(x) = w x."""

    def __init__(self, w):
        self.w = nnx.Param(jnp.asarray(w))

    def __call__(self, x, labels=None):
        return (x.reshape(len(x), -1) @ self.w[...])[:, None]


class Point(nnx.Module):
    """G(z) = b."""

    def __init__(self, b):
        self.b = nnx.Param(jnp.asarray(b))

    def __call__(self, z, labels=None):
        return jnp.broadcast_to(self.b[...], (len(z), *self.b.shape))


class Plain(nnx.Module):
    """A function without parameters."""

    def __init__(self, function):
        self.function = function

    def __call__(self, x, labels=None):
        return self.function(x)


@dataclass(frozen=True)
class Toy(WGANGP):
    """A linear critic against a generator of one point; both can be followed by hand."""

    def networks(self, shape, rngs):
        return {"generator": Point(B), "critic": Linear(W)}


def small(**options) -> WGANGP:
    return WGANGP(**{"latent": 2, "generator": SMALL, "critic": SMALL} | options)


def points(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def gradients(seen, network):
    """The largest entry of the gradient by a network's parameters."""
    return max(abs(g).max() for g in jax.tree.leaves(seen.grads[network]))


@pytest.mark.parametrize("shape", [(4, 4, 1), (4, 4, 3)])
def test_a_linear_critic_in_closed_form(evaluate, keys, shape):
    """Loss w (E fake - E real) + 10 (|w| - 1)^2 and its gradient: the penalty is part of the one loss; grey and colour.

    Mimicry writes three channels into its penalty and fails on grey images.
    """
    size = int(np.prod(shape))
    w, b, real = points(0, size), points(1, *shape), points(2, 8, *shape)
    networks = {"generator": Point(b), "critic": Linear(w)}
    seen = evaluate(small().critic_loss, networks, real, keys(8))
    shift, length = (np.tanh(b) - real.mean(0)).reshape(-1), np.linalg.norm(w)
    penalty = 10 * (length - 1) ** 2
    np.testing.assert_allclose(seen.loss, w @ shift + penalty, rtol=1e-4)
    np.testing.assert_allclose(seen.grads["critic"]["w"], shift + 20 * (length - 1) * w / length, rtol=1e-4, atol=1e-4)
    expected = {"wasserstein": -w @ shift, "penalty": penalty}
    histogram = np.histogram(min(length, 2 - 1e-6), np.linspace(0, 2, 21))[0]
    for at in ("", "_real", "_fake"):
        expected |= {f"slope_mean{at}": length, f"slope_std{at}": 0, f"slopes{at}": histogram}
    assert seen.metrics.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(seen.metrics[name], value, rtol=1e-4, atol=1e-4, err_msg=name)


def test_the_best_critic_of_a_shift_measures_the_distance(evaluate, keys):
    """Points moved by v are |v| away in Wasserstein-1; the critic along v says so, and pays no penalty.

    Positive where real examples score higher: keras-contrib #537 logs the sign reversed.
    """
    v = np.array([3.0, -4.0], np.float32)
    networks = {"generator": Point(jnp.zeros(2)), "critic": Linear(v / 5)}
    seen = evaluate(small().critic_loss, networks, np.tile(v, (8, 1)), keys(8))
    np.testing.assert_allclose(seen.metrics["wasserstein"], 5, rtol=1e-6)
    np.testing.assert_allclose(seen.loss, -5, rtol=1e-6)


def test_the_loss_is_minus_the_distance_plus_the_penalty(evaluate, fresh, keys):
    method = small(critic=Net(width=4, depth=1, norm="layer"))
    seen = evaluate(method.critic_loss, fresh(method), points(0, 8, 2), keys(8))
    np.testing.assert_allclose(seen.loss, seen.metrics["penalty"] - seen.metrics["wasserstein"], rtol=1e-6)
    assert seen.metrics["penalty"] > 0 and seen.metrics["slope_std"] > 0
    assert gradients(seen, "critic") > 1e-3


@pytest.mark.parametrize(("turn", "weight"), [(0, 10), (5, 10), (6, 6), (12, 2), (99, 2), (None, 2)])
def test_the_penalty_may_lose_weight(evaluate, keys, turn, weight):
    """From 10 to 2 over two iterations of six turns each, in the loss and in the log; outside training it is 2."""
    method, networks = (
        small(n_critic=6, penalty_course=Course(to=2.0, over=2)),
        {"generator": Point(B), "critic": Linear(W)},
    )
    seen = evaluate(lambda *args: method.critic_loss(*args, turn), networks, points(0, 8, 2), keys(8))
    np.testing.assert_allclose(seen.metrics["penalty"], weight * 0.3**2, rtol=1e-5)
    np.testing.assert_allclose(seen.loss, seen.metrics["penalty"] - seen.metrics["wasserstein"], rtol=1e-5)


def test_fakes_are_constants_for_the_critic(evaluate, fresh, keys):
    """Planted: torchgan does not detach them, and its critic's loss has a gradient by the generator; ours has none."""
    method = small()

    def planted(networks, batch, keys):
        def critic(x):
            return networks["critic"](x)[:, 0]

        fake = method.sample(networks, fold(keys, 0))
        penalty = gradient_penalty(critic, batch.x, fake, fold(keys, 1), method.penalty)[0]
        return (critic(fake) - critic(batch.x) + penalty).mean(), {}

    networks = fresh(method)
    ours, theirs = (evaluate(loss, networks, points(0, 8, 2), keys(8)) for loss in (method.critic_loss, planted))
    np.testing.assert_allclose(ours.loss, theirs.loss, rtol=1e-6)
    assert gradients(ours, "critic") > 1e-3
    assert gradients(ours, "generator") == 0
    assert gradients(theirs, "generator") > 1e-3


def test_the_generator_raises_its_score(evaluate, keys):
    """Loss -w b, whose gradient by b is -w."""
    seen = evaluate(small().generator_loss, {"generator": Point(B), "critic": Linear(W)}, None, keys(8))
    np.testing.assert_allclose(seen.loss, -W @ B, rtol=1e-5)
    np.testing.assert_allclose(seen.grads["generator"]["b"], -W, rtol=1e-6)


def test_slopes_are_those_at_real_fake_and_interpolated_points(evaluate, fresh, keys):
    method = small(critic=Net(width=4, depth=1, activation="silu"))
    networks, real = fresh(method), jnp.asarray(points(0, 8, 2))
    metrics = evaluate(method.critic_loss, networks, real, keys(8)).metrics
    fake = method.sample(networks, fold(keys(8), 0))
    for at, x in (("_real", real), ("_fake", fake), ("", interpolate(real, fake, fold(keys(8), 1)))):
        expected = slopes(lambda x: networks["critic"](x)[:, 0], x)
        np.testing.assert_allclose(metrics[f"slope_mean{at}"], expected.mean(), rtol=1e-5)
        np.testing.assert_allclose(metrics[f"slope_std{at}"], expected.std(), rtol=1e-4)
        np.testing.assert_allclose(metrics[f"slopes{at}"], histogram(expected), atol=1e-6)


@pytest.mark.parametrize("critic", [Net(width=4, depth=3), Net("dcgan", width=4, norm="layer")])
def test_slope_statistics_cost_no_backward_pass(fresh, keys, critic):
    """The compiled update with them holds one product more: the first layer's input gradient. The rest is shared."""
    method = small(critic=critic)
    graph, weights = nnx.split(fresh(method, (16, 16, 1)))
    k = keys(8)

    def update(weights, x, statistics):
        def objective(weights):
            batch = Batch(x, jnp.zeros(8, jnp.int32))
            loss, metrics = method.critic_loss(nnx.merge(graph, weights), batch, k)
            return loss, {name: value for name, value in metrics.items() if name.endswith(statistics)}

        return jax.grad(objective, has_aux=True)(weights)

    def products(statistics):
        mapped = jax.vmap(partial(update, weights, statistics=statistics), axis_name=AXIS)
        program = jax.jit(mapped).lower(jnp.zeros((1, 8, 16, 16, 1))).compile().as_text()
        return len(re.findall(r" (?:dot|convolution)\(", program))

    assert products(("_real", "_fake")) == products("none") + 1


def test_slopes_are_pooled_over_devices(evaluate, fresh, keys):
    """Mean and standard deviation over the whole batch; the mean of each device's deviation would be less."""
    networks = fresh(small())
    one, two = (evaluate(small().critic_loss, networks, points(0, 8, 2), keys(8), n) for n in (1, 2))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), one, two)


def test_noise_and_epsilon_share_no_bits(evaluate, keys):
    """GANs-JAX draws both from one key. The critic exp has slope exp(x), at x = (1 - e) z between fakes z and real 0.

    Its mean over independent e and z is the integral of exp((1 - e)^2 / 2), 1.195; were both made of the same bits,
    e = Phi(z), it would be 0.79. The standard error of 4,000 draws is below 0.02.
    """
    method = small(latent=1)
    networks = {"generator": Plain(lambda z: z), "critic": Plain(jnp.exp)}
    slope = evaluate(method.critic_loss, networks, np.zeros((4000, 1), np.float32), keys(4000)).metrics["slope_mean"]
    expected = integrate.quad(lambda e: np.exp((1 - e) ** 2 / 2), 0, 1)[0]
    shared = integrate.quad(lambda z: np.exp((1 - stats.norm.cdf(z)) * z) * stats.norm.pdf(z), -9, 9)[0]
    assert abs(slope - expected) < 0.08
    assert abs(shared - expected) > 0.3


class Adam:
    """Kingma and Ba (2015), Algorithm 1."""

    def __init__(self, b1, b2):
        self.b1, self.b2, self.m, self.v, self.t = b1, b2, 0.0, 0.0, 0

    def __call__(self, x, gradient, rate):
        self.t += 1
        self.m = self.b1 * self.m + (1 - self.b1) * gradient
        self.v = self.b2 * self.v + (1 - self.b2) * gradient**2
        return x - rate * self.m / (1 - self.b1**self.t) / (np.sqrt(self.v / (1 - self.b2**self.t)) + 1e-8)


@dataclass
class Algorithm1:
    """Gulrajani et al. (2017), Algorithm 1, for `Toy`, with switches for the deviations of others."""

    betas: tuple[float, float] = (0.0, 0.9)
    weight: float = 10.0
    apart: bool = False
    same_batch: bool = False
    inside: bool = False
    decay: str = "iterations"
    sign: int = 1
    interval: int = 1
    count: str = "updates"

    def rate(self, t, plays):
        done = {"iterations": t, "updates": t * plays, "never": 0}[self.decay]
        return RATE * max(0, 1 - done / HORIZON)

    def run(self, real, iterations):
        w, b, critic, generator = W.astype(float), B.astype(float), Adam(*self.betas), Adam(*self.betas)
        plays = real.shape[1]
        for t in range(iterations):
            for i in range(plays):
                distance = self.sign * (b - real[t, 0 if self.same_batch else i].mean(0))
                length = np.linalg.norm(w)
                turn = {"updates": t * plays + i, "within": i, "mixed up": t + i}[self.count]
                weight = self.weight * self.interval * (turn % self.interval == 0)
                penalty = 2 * weight * (length - 1) * w / length
                for gradient in (distance, penalty) if self.apart else (distance + penalty,):
                    w = critic(w, gradient, self.rate(t, plays))
                if i == (0 if self.inside else plays - 1):
                    b = generator(b, -w, self.rate(t, 1))
        return w, b


DEVIATIONS = {
    "the penalty in an update of its own (torchgan)": {"apart": True},
    "one real batch for all critic updates (GANs-JAX)": {"same_batch": True},
    "the generator moved inside the critic's loop (chainer-gan-lib)": {"inside": True},
    "betas 0.5 and 0.999 (StudioGAN, GANs-JAX, dirmeier)": {"betas": (0.5, 0.999)},
    "betas 0.9 and 0.999 (ganx)": {"betas": (0.9, 0.999)},
    "no decay of the learning rate (StudioGAN, compare_gan)": {"decay": "never"},
    "decay counted in critic updates": {"decay": "updates"},
    "default weight of one (compare_gan)": {"weight": 1.0},
    "the distance reversed": {"sign": -1},
}


def train(play, **options):
    """The real examples, and the state after three of four iterations."""
    real = 2 + points(5, HORIZON, N_CRITIC, BATCH, 2)
    adam = Optimizer(learning_rate=RATE, b1=0.0, b2=0.9, schedule="linear")
    method = Toy(latent=2, n_critic=N_CRITIC, generator_optimizer=adam, critic_optimizer=adam, **options)
    return real, play(method, real, HORIZON, 3)


@pytest.fixture(scope="module")
def trained(play):
    return train(play)


def learnt(state):
    return state.params["critic"]["w"], state.params["generator"]["b"]


def test_training_is_algorithm_1(trained):
    """Every critic update on its fresh batch, then the generator's, both rates falling to 0 over the iterations."""
    real, state = trained
    np.testing.assert_allclose(learnt(state), Algorithm1().run(real, 3), atol=1e-5)


@pytest.mark.parametrize("deviation", DEVIATIONS)
def test_training_as_others_do_it_ends_elsewhere(trained, deviation):
    real, state = trained
    theirs = Algorithm1(**DEVIATIONS[deviation]).run(real, 3)
    assert np.abs(np.subtract(learnt(state), theirs)).max() > 1e-3


def test_a_lazy_penalty_counts_the_critics_updates(play):
    """Every fourth of all updates, three to an iteration, pays four times: the first, second and third of iterations.

    With an interval of 2 the sum of iteration and play, planted, would have the parity of the right count.
    """
    real, state = train(play, penalty=Penalty(interval=4))
    np.testing.assert_allclose(learnt(state), Algorithm1(interval=4).run(real, 3), atol=1e-5)
    others = Algorithm1(interval=4, count="within"), Algorithm1(interval=4, count="mixed up"), Algorithm1(weight=40.0)
    for other in others:
        assert np.abs(np.subtract(learnt(state), other.run(real, 3))).max() > 1e-3


def test_the_critic_moves_n_times_for_each_move_of_the_generator(trained):
    state = trained[1]
    for player, plays in (("critic", N_CRITIC), ("generator", 1)):
        counts = optax.tree.get_all_with_path(state.optimizers[player], "count")
        assert counts and {int(count) for _, count in counts} == {3 * plays}
    assert state.step == 3


def test_defaults_are_those_of_the_paper():
    """lambda 10, n_critic 5, Adam (0, 0.9) for both players: Algorithm 1."""
    assert WGANGP().penalty == Penalty(weight=10.0, where="interpolated", target=1.0, one_sided=False, norm=2.0)
    assert [player.plays for player in WGANGP().players()] == [5, 1]
    assert [player.plays for player in WGANGP(n_critic=1).players()] == [1, 1]
    for player in WGANGP().players():
        assert player.optimizer == Optimizer("adam", learning_rate=1e-4, b1=0.0, b2=0.9)


def test_the_settings_of_the_penalty_reach_it(evaluate, keys):
    """A slope of 1.3 costs weight (1.3 - target)^2, and nothing below a one-sided target."""
    networks = {"generator": Point(B), "critic": Linear(W)}
    for penalty, expected in [(Penalty(weight=0.1, target=0.3), 0.1), (Penalty(one_sided=True, target=2.0), 0)]:
        seen = evaluate(small(penalty=penalty).critic_loss, networks, points(0, 8, 2), keys(8))
        np.testing.assert_allclose(seen.metrics["penalty"], expected, rtol=1e-5)


def test_the_penalty_of_pixels_from_0_to_1_in_those_from_minus_1_to_1(evaluate, fresh, keys):
    """configs/wgan_gp_mnist.py: a critic of x in [0, 1] is one of 2 x - 1, half as steep; the cost is the same."""
    ours = cli.preset("wgan_gp_mnist").method.penalty
    networks, x, k = fresh(small()), jnp.asarray(points(0, 8, 2)), keys(8)

    def critic(x):
        return networks["critic"](2 * x - 1)[:, 0]

    theirs = gradient_penalty(critic, (x + 1) / 2, (1 - x) / 2, k, Penalty())[0]
    here = gradient_penalty(lambda x: networks["critic"](x)[:, 0], x, -x, k, ours)[0]
    assert theirs.min() > 0
    np.testing.assert_allclose(here, theirs, rtol=1e-4)


def test_batch_norm_is_refused_in_the_critic():
    """StudioGAN and GANs-JAX have it there, where the penalty of an example has no meaning."""
    with pytest.raises(Invalid, match="^critic.norm: 'batch' is not .*use layer or none$"):
        WGANGP(critic=Net(norm="batch"))
    assert WGANGP(generator=Net(norm="batch")).generator.norm == "batch"
    with pytest.raises(Invalid, match="^n_critic: 0 is not at least 1$"):
        WGANGP(n_critic=0)


def test_dropout_under_a_penalty_on_a_share_is_refused():
    """An example's units go by its place in the batch, which a share changes, and on more devices otherwise."""
    with pytest.raises(Invalid, match="^penalty.share: 0.5 is not 1: dropout goes by an example's place"):
        WGANGP(critic=Net(dropout=0.5), penalty=Penalty(share=0.5))
    assert WGANGP(generator=Net(dropout=0.5), penalty=Penalty(share=0.5)).penalty.share == 0.5


def test_dropout_leaves_one_function_to_an_update(keys):
    """Slopes at real and fake points, penalised slopes and scores are those of the same units."""
    method = small(critic=Net(width=16, depth=1, activation="silu", dropout=0.5))
    game = Game(method, (2,), 0, 1)
    state, k = game.init(), keys(8)
    real = jnp.asarray(points(0, 8, 2))
    networks = game.merge(state.params, state.stats, train=True, keys=k)

    def losses(x):
        return method.critic_loss(networks, Batch(x, jnp.zeros(8, jnp.int32)), k)[1]

    metrics = jax.tree.map(lambda a: a[0], jax.vmap(losses, axis_name=AXIS)(real[None]))
    fake = method.sample(networks, fold(k, 0))
    critic = networks["critic"]
    (dropped,) = (m for _, m in nnx.iter_modules(critic) if isinstance(m, Dropout))
    kept = np.array(dropped(jnp.ones((8, 16))))
    assert set(np.unique(kept)) == {0, 2}
    first, last = (critic.layers.layers[i] for i in (0, 1))
    kernel, bias = (p[...] for p in (first.layers[0].kernel, first.layers[0].bias))

    def by_hand(x):
        return ((jax.nn.silu(x @ kernel + bias) * kept) @ last.kernel[...] + last.bias[...])[:, 0]

    for at, x in (("_real", real), ("_fake", fake), ("", interpolate(real, fake, fold(k, 1)))):
        np.testing.assert_allclose(metrics[f"slope_mean{at}"], slopes(by_hand, x).mean(), rtol=1e-4)
    np.testing.assert_allclose(metrics["wasserstein"], (by_hand(real) - by_hand(fake)).mean(), rtol=1e-4, atol=1e-6)


def test_a_critic_with_layer_norm_scores_each_example_by_itself(compiled, fresh):
    critic = fresh(small(critic=Net(width=4, depth=1, norm="layer")))["critic"]
    assert not compiled(lambda x: coupled(lambda x: critic(x)[:, 0], x))(points(0, 8, 2))


@pytest.mark.parametrize("channels", [1, 3])
def test_convolutional_networks_fit_the_losses(keys, channels):
    net = Net("dcgan", width=2)
    method, k = small(generator=net, critic=net), keys(4)

    def losses(x):
        networks = method.networks((8, 8, channels), nnx.Rngs(0))
        batch = Batch(x, jnp.zeros(4, jnp.int32))
        return method.critic_loss(networks, batch, k)[0], method.generator_loss(networks, None, k)[0]

    shapes = jax.eval_shape(jax.vmap(losses, axis_name="data"), jnp.zeros((1, 4, 8, 8, channels)))
    assert [shape.shape for shape in shapes] == [(1,), (1,)]


def test_batch_norm_of_one_device_is_another_game(evaluate, fresh, keys):
    """Planted: each replica normalises by itself and the first one's averages are kept (jax-gans; flax #319).

    Ours, over all devices, is compared with one device in the tests of the step.
    """
    method = small(generator=Net(width=4, depth=1, norm="batch"))
    networks = fresh(method)
    one = evaluate(method.generator_loss, networks, None, keys(8))
    for _, module in nnx.iter_modules(networks["generator"]):
        if isinstance(module, nnx.BatchNorm):
            module.axis_name = None
    apart = evaluate(method.generator_loss, networks, None, keys(8), 2)
    far = jax.tree.map(lambda a, b: abs(a - b).max() > 1e-3, one.stats, apart.stats)
    assert all(jax.tree.leaves(far)) and abs(apart.loss - one.loss) > 1e-4
