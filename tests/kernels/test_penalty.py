"""Penalties against closed forms, finite differences and PyTorch."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.errors import Invalid
from genlab.kernels.convolution import conv
from genlab.kernels.penalty import (
    EDGES,
    Penalty,
    clip_weights,
    contractive,
    coupled,
    gradient_norm,
    gradient_penalty,
    histogram,
    interpolate,
    origins,
    points,
    slopes,
    value_and_slope,
)
from genlab.kernels.random import example_keys

KEYS = example_keys(jax.random.key(7), jnp.arange(6))


def images(shape=(6, 8, 8, 2), dtype=float):
    real, fake = jax.random.split(jax.random.key(1))
    return jax.random.normal(real, shape, dtype), jax.random.normal(fake, shape, dtype)


def weight(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape) / np.sqrt(np.prod(shape[:-1]))


def layer_norm(x):
    axes = tuple(range(1, x.ndim))
    centred = x - x.mean(axes, keepdims=True)
    return centred / jnp.sqrt(jnp.square(centred).mean(axes, keepdims=True) + 1e-5)


def mlp(p, x):
    hidden = jax.nn.softplus(x.reshape(x.shape[0], -1) @ p[0])
    return (jnp.tanh(hidden @ p[1]) @ p[2])[:, 0]


def conv_net(p, x):
    hidden = jax.nn.softplus(layer_norm(conv(x, p[0], 2)))
    return (layer_norm(conv(hidden, p[1], 2)).reshape(x.shape[0], -1) @ p[2])[:, 0]


def residual_net(p, x):
    hidden = conv(x, p[0])
    hidden = hidden + conv(jax.nn.softplus(conv(jax.nn.softplus(hidden), p[1])), p[2])
    batch, height, width, channels = hidden.shape
    pooled = hidden.reshape(batch, height // 2, 2, width // 2, 2, channels).mean((2, 4))
    return (jnp.tanh(pooled).mean((1, 2)) @ p[3])[:, 0]


NETS = {
    "mlp": (mlp, [(128, 16), (16, 8), (8, 1)]),
    "conv": (conv_net, [(5, 5, 2, 6), (3, 3, 6, 8), (32, 1)]),
    "residual": (residual_net, [(3, 3, 2, 6), (3, 3, 6, 6), (1, 1, 6, 6), (6, 1)]),
}
SPECS = [
    Penalty(),
    Penalty(where="real", target=0.0, weight=5.0),
    Penalty(where="fake", target=0.0),
    Penalty(where="both", target=0.0),
    Penalty(where="dragan", noise=0.5),
    Penalty(where="mixed", one_sided=True, target=0.1),
    Penalty(norm=3.0, share=0.5),
]


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("length", [0.5, 3.0])
def test_linear_critic_in_closed_form(length, one_sided):
    with jax.enable_x64(True):
        w = weight(0, 8, 8, 2)
        w = length * w / jnp.linalg.norm(w)
        spec = Penalty(one_sided=one_sided)

        def loss(w):
            penalty, slope = gradient_penalty(lambda x: jnp.tensordot(x, w, 3), *images(), KEYS, spec)
            return penalty.mean(), (penalty, slope)

        gradient, (penalty, slope) = jax.grad(loss, has_aux=True)(w)
        charged = 0 if one_sided and length < 1 else 1
        np.testing.assert_allclose(slope, length)
        np.testing.assert_allclose(penalty, charged * 10 * (length - 1) ** 2)
        np.testing.assert_allclose(gradient, charged * 20 * (length - 1) * w / length, atol=1e-12)


def test_quadratic_critic_in_closed_form():
    with jax.enable_x64(True):
        x, fake = images((6, 5))
        half = weight(0, 5, 5)
        matrix = half + half.T

        def critic(x):
            return 0.5 * jnp.einsum("bi,ij,bj->b", x, matrix, x)

        np.testing.assert_allclose(slopes(critic, x), jnp.linalg.norm(x @ matrix, axis=1))
        np.testing.assert_allclose(slopes(critic, x, 1.0), jnp.abs(x @ matrix).sum(1))
        np.testing.assert_allclose(slopes(critic, x, np.inf), jnp.abs(x @ matrix).max(1))
        np.testing.assert_allclose(slopes(critic, x, 3.0), (jnp.abs(x @ matrix) ** 3).sum(1) ** (1 / 3))
        between = interpolate(x, fake, KEYS)
        _, slope = gradient_penalty(critic, x, fake, KEYS, Penalty())
        np.testing.assert_allclose(slope, jnp.linalg.norm(between @ matrix, axis=1))


@pytest.mark.parametrize(("net", "spec"), [(net, SPECS[0]) for net in NETS] + [("mlp", spec) for spec in SPECS[1:]])
def test_parameter_gradient_by_finite_differences(net, spec):
    with jax.enable_x64(True):
        function, shapes = NETS[net]
        params = [weight(i, *shape) for i, shape in enumerate(shapes)]
        direction = [weight(10 + i, *shape) for i, shape in enumerate(shapes)]

        @jax.jit
        def loss(params):
            return gradient_penalty(lambda x: function(params, x), *images(), KEYS, spec)[0].mean()

        def moved(h):
            return loss([p + h * d for p, d in zip(params, direction, strict=True)])

        h = 1e-3  # fourth order: the error is of order h^4
        difference = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h)
        gradient = jax.jit(jax.grad(loss))(params)
        exact = sum(jnp.vdot(g, d) for g, d in zip(gradient, direction, strict=True))
        np.testing.assert_allclose(exact, difference, rtol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_agrees_with_the_double_backward_of_pytorch(torch, dtype):
    with jax.enable_x64(True):
        real, fake = images(dtype=dtype)
        params = [weight(i, *shape).astype(dtype) for i, shape in enumerate([(3, 3, 2, 6), (3, 3, 6, 8), (32, 1)])]

        def critic(p, x):
            for w in p[:2]:
                x = jax.nn.leaky_relu(conv(x, w), 0.2)
                x = layer_norm(x[:, ::2, ::2])
            return (x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1) @ p[2])[:, 0]

        def loss(p):
            return gradient_penalty(lambda x: critic(p, x), real, fake, KEYS, Penalty())[0].mean()

        value, gradient = jax.jit(jax.value_and_grad(loss))(params)
        between = interpolate(real, fake, KEYS)

    def kernel(w):
        return np.transpose(w, (3, 2, 0, 1)) if w.ndim == 4 else np.asarray(w)

    theirs = [torch.tensor(kernel(np.asarray(p)), requires_grad=True) for p in params]
    x = torch.tensor(np.transpose(np.asarray(between), (0, 3, 1, 2)), requires_grad=True)
    hidden = x
    for w in theirs[:2]:
        hidden = torch.nn.functional.leaky_relu(torch.nn.functional.conv2d(hidden, w, padding=1), 0.2)[:, :, ::2, ::2]
        hidden = torch.nn.functional.layer_norm(hidden, hidden.shape[1:])
    score = (hidden.flatten(1) @ theirs[2])[:, 0]
    (slope,) = torch.autograd.grad(score.sum(), x, create_graph=True)
    penalty = 10 * (slope.flatten(1).norm(dim=1) - 1).square().mean()
    np.testing.assert_allclose(value, penalty.item(), rtol=1e-5)
    for ours, peer in zip(gradient, torch.autograd.grad(penalty, theirs), strict=True):
        assert np.linalg.norm(kernel(np.asarray(ours)) - peer.numpy()) <= 1e-5 * np.linalg.norm(peer.numpy())


@pytest.mark.parametrize("spec", SPECS[:6], ids=lambda spec: spec.where)
def test_permuting_the_batch_permutes_the_penalties(spec):
    real, fake = images()
    w = jnp.cos(jnp.arange(128.0)).reshape(8, 8, 2)
    order = np.array([3, 0, 5, 1, 4, 2])

    def penalised(real, fake, keys):
        return gradient_penalty(lambda x: jnp.tensordot(jnp.sin(x), w, 3), real, fake, keys, spec)[0]

    permuted = penalised(real[order], fake[order], KEYS[order])
    kinds = len(permuted) // 6  # both real and fake: each is permuted
    expected = penalised(real, fake, KEYS).reshape(kinds, 6)[:, order]
    np.testing.assert_allclose(permuted.reshape(kinds, 6), expected, rtol=1e-5)


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0, np.inf])
def test_zero_slope_has_zero_value_and_finite_gradient(order):
    def loss(w):
        spec = Penalty(norm=order)
        penalty, slope = gradient_penalty(lambda x: jnp.tensordot(x, w, 3), *images(), KEYS, spec)
        return penalty.mean(), slope

    gradient, slope = jax.grad(loss, has_aux=True)(jnp.zeros((8, 8, 2)))
    assert np.all(slope == 0) and np.all(np.isfinite(gradient))


def test_small_slopes_are_exact():
    with jax.enable_x64(True):
        gradient = jnp.full((2, 4), 1e-12)
        np.testing.assert_allclose(gradient_norm(gradient), 2e-12, rtol=1e-14)


def test_points_lie_where_they_should():
    real, fake = images()
    epsilon = (points(real, fake, KEYS, Penalty()) - fake) / (real - fake)
    flat = epsilon.reshape(6, -1)
    np.testing.assert_allclose(flat, jnp.broadcast_to(jnp.median(flat, axis=1, keepdims=True), flat.shape), atol=1e-3)
    assert len(np.unique(np.round(jnp.median(flat, axis=1), 3))) == 6 and flat.min() >= 0 and flat.max() < 1
    assert np.array_equal(points(real, fake, KEYS, Penalty(where="real")), real)
    assert np.array_equal(points(real, fake, KEYS, Penalty(where="fake")), fake)
    mixed = points(real, fake, KEYS, Penalty(where="mixed"))
    assert all(np.array_equal(m, r) or np.array_equal(m, f) for m, r, f in zip(mixed, real, fake, strict=True))
    noise = points(real, fake, KEYS, Penalty(where="dragan", noise=0.3)) - real
    assert 0.27 < noise.std() < 0.33
    uniform = points(real, fake, KEYS, Penalty(where="dragan_uniform")) - real
    most = uniform.max(axis=(1, 2, 3)) / (0.5 * real.std())  # of 128 draws: close to the example's own alpha
    assert uniform.min() >= 0 and most.max() < 1 and len(np.unique(np.round(most, 3))) == 6
    np.testing.assert_allclose(uniform.mean(axis=(1, 2, 3)) / (0.5 * real.std()), most / 2, atol=0.1)


def test_the_deviation_of_the_noise_is_that_of_the_whole_batch():
    """Halves of a batch that differ in spread, each on a device of its own: as on one."""
    real = images()[0] * jnp.where(jnp.arange(6) < 3, 1.0, 5.0)[:, None, None, None]
    spec = Penalty(where="dragan_uniform", share=2 / 3)
    whole = points(real, real, KEYS, spec)
    halves = jax.vmap(lambda x, k: points(x, x, k, spec, "data"), axis_name="data")
    apart = halves(real.reshape(2, 3, 8, 8, 2), KEYS.reshape(2, 3))
    np.testing.assert_allclose(apart.reshape(whole.shape), whole, rtol=1e-5)


@pytest.mark.parametrize("spec", [*SPECS[:6], Penalty(where="dragan_uniform"), Penalty(where="both", share=0.5)])
def test_what_belongs_to_an_example_goes_with_its_point(spec):
    """Points of the examples 0, 1, 2 ... and 100, 101 ... are where these numbers say; keys can be chosen, too."""
    real, fake = images()
    found = origins(jnp.arange(6), 100 + jnp.arange(6), KEYS, spec)
    named = {**dict(enumerate(real)), **{100 + i: x for i, x in enumerate(fake)}}
    nearest = [min(named, key=lambda n: float(jnp.abs(named[n] - x).sum())) for x in points(real, fake, KEYS, spec)]
    if spec.where == "interpolated":
        nearest = [n % 100 for n in nearest]
    assert found.tolist() == nearest
    others = jax.vmap(jax.random.fold_in, (0, None))(KEYS, 1)
    assert origins(KEYS, others, KEYS, spec).shape == found.shape


def test_epsilon_is_uniform():
    keys = example_keys(jax.random.key(0), jnp.arange(4000))
    epsilon = interpolate(jnp.ones((4000, 1)), jnp.zeros((4000, 1)), keys)[:, 0]
    deciles = np.quantile(epsilon, np.linspace(0.1, 0.9, 9))
    np.testing.assert_allclose(deciles, np.linspace(0.1, 0.9, 9), atol=0.03)


def test_share_is_spread_evenly_and_survives_a_split():
    real, fake = images((8, 3))
    keys = example_keys(jax.random.key(7), jnp.arange(8))
    spec = Penalty(share=0.5)
    whole = points(real, fake, keys, spec)
    halves = [points(real[part], fake[part], keys[part], spec) for part in (slice(0, 4), slice(4, 8))]
    assert whole.shape == (4, 3) and np.array_equal(whole, np.concatenate(halves))


def test_lazy_interval_scales_the_weight_and_skips_the_work():
    real, fake = images()
    w = jnp.ones((8, 8, 2))

    def penalised(step, interval):
        spec = Penalty(interval=interval)
        return gradient_penalty(lambda x: jnp.tensordot(jnp.sin(x), w, 3), real, fake, KEYS, spec, step)

    every, slope = penalised(0, 1)
    lazy = [jax.jit(penalised, static_argnums=1)(step, 4) for step in range(8)]
    np.testing.assert_allclose(sum(penalty for penalty, _ in lazy), 8 * every, rtol=1e-5)
    np.testing.assert_allclose(lazy[4][1], slope, rtol=1e-6)
    assert all(np.all(lazy[step][0] == 0) for step in (1, 2, 3, 5))
    program = jax.make_jaxpr(lambda step: penalised(step, 4))(jnp.int32(0))
    assert not {"dot_general", "cos", "random_bits"} & {str(equation.primitive) for equation in program.eqns}


def test_both_is_the_sum_of_real_and_fake():
    """R1 + R2, as in R3GAN: each with the weight asked for."""
    real, fake = images()

    def mean(where):
        spec = Penalty(where=where, target=0.0, share=0.5)
        return gradient_penalty(lambda x: jnp.sin(x).sum((1, 2, 3)), real, fake, KEYS, spec)[0].mean()

    np.testing.assert_allclose(mean("both"), mean("real") + mean("fake"), rtol=1e-6)


def test_outside_training_a_lazy_penalty_is_what_it_is_on_average():
    real, fake = images()
    eager, lazy = (
        gradient_penalty(lambda x: jnp.sin(x).sum((1, 2, 3)), real, fake, KEYS, Penalty(interval=interval))
        for interval in (1, 4)
    )
    np.testing.assert_array_equal(eager, lazy)


def test_value_and_slope_share_a_pass():
    real, _ = images()
    score, slope = value_and_slope(lambda x: jnp.sin(x).sum((1, 2, 3)), real)
    np.testing.assert_allclose(score, jnp.sin(real).sum((1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(slope, jnp.sqrt(jnp.square(jnp.cos(real)).sum((1, 2, 3))), rtol=1e-5)


def test_bfloat16_critic_has_float32_slopes_within_a_percent():
    function, shapes = NETS["mlp"]
    real, fake = images()
    params = [weight(i, *shape) for i, shape in enumerate(shapes)]

    def half(x):
        return function([p.astype("bfloat16") for p in params], x.astype("bfloat16"))

    penalty, slope = gradient_penalty(half, real.astype("bfloat16"), fake.astype("bfloat16"), KEYS, Penalty())
    _, exact = gradient_penalty(lambda x: function(params, x), real, fake, KEYS, Penalty())
    assert penalty.dtype == slope.dtype == jnp.float32
    assert np.linalg.norm(slope - exact) < 0.01 * np.linalg.norm(exact)


def test_contractive_penalty_is_the_jacobian():
    x, _ = images((6, 5))
    w = weight(0, 5, 3)

    def encoder(x):
        return jnp.tanh(x @ w)

    jacobian = jax.vmap(jax.jacrev(lambda x: encoder(x[None])[0]))(x)
    exact = jnp.square(jacobian).sum((1, 2))
    np.testing.assert_allclose(contractive(encoder, x), exact, rtol=1e-5)
    draws = jax.vmap(lambda seed: contractive(encoder, x, example_keys(jax.random.key(seed), jnp.arange(6))))
    estimates = draws(jnp.arange(2000))
    assert np.all(np.abs(estimates.mean(0) - exact) < 5 * estimates.std(0) / np.sqrt(2000) + 1e-5)


def test_histogram_of_slopes():
    slope = jnp.array([0.0, 0.95, 1.05, 1.99, 2.0, 5.0])
    expected, _ = np.histogram(np.minimum(slope, EDGES[-1]), bins=EDGES)  # whose last bin holds its right edge too
    np.testing.assert_allclose(histogram(slope), expected / 6, rtol=1e-6)


def test_clipping_bounds_every_parameter():
    clipped = clip_weights({"a": jnp.array([-1.0, 0.005]), "b": [jnp.array(0.5)]}, 0.01)
    np.testing.assert_allclose(clipped["a"], [-0.01, 0.005])
    np.testing.assert_allclose(clipped["b"][0], 0.01)


@pytest.mark.parametrize(
    ("field", "value"),
    [("weight", -1.0), ("target", np.nan), ("norm", 0.5), ("interval", 0), ("share", 0.0)],
)
def test_refuses_what_makes_no_sense(field, value):
    with pytest.raises(Invalid, match=rf"penalty\.{field}: .*; it is "):
        Penalty(**{field: value})


def test_refuses_an_unknown_place():
    spec = SimpleNamespace(where="nowhere")  # the type checker of the tests would stop the class itself
    with pytest.raises(Invalid, match="penalty.where: 'nowhere'; it is one of .*, dragan, mixed"):
        Penalty.__post_init__(spec)


def test_refuses_unlike_shapes_and_too_few_examples():
    real, fake = images()
    with pytest.raises(Invalid, match="shapes must be equal"):
        gradient_penalty(mlp, real, fake[:1], KEYS, Penalty())
    with pytest.raises(Invalid, match="2 examples; the test takes 3 or more"):
        coupled(lambda x: x.sum((1, 2, 3)), real[:2])
