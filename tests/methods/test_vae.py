"""The evidence lower bound, against the evidence."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy import special, stats

from genlab.errors import Invalid
from genlab.kernels.random import normal
from genlab.methods.vae import VAE
from genlab.nn.net import Net
from genlab.parts.likelihood import Bernoulli, Gaussian, Likelihood
from genlab.parts.objective import Objective

SMALL = Net(width=4, depth=1)
METHOD = VAE(latent=2, encoder=SMALL, decoder=SMALL)
GAUSSIAN = dataclasses.replace(METHOD, likelihood=Likelihood("gaussian", scale=0.5))
IMAGE, BETAS = (2, 2, 1), (0.0, 1.0, 4.0)
CASES = {"bernoulli": (METHOD, IMAGE), "gaussian": (GAUSSIAN, IMAGE), "points": (GAUSSIAN, (2,))}


def examples(shape, n=8):
    return np.random.default_rng(0).uniform(-1, 1, (n, *shape)).astype(np.float32)


class Plain(nnx.Module):
    """A function without parameters, in place of a network."""

    def __init__(self, function):
        self.function = function

    def __call__(self, x, labels=None):
        return self.function(x)


class Code(nnx.Module):
    """An encoder that is nothing but one mean and log-variance."""

    def __init__(self, mean, log_variance):
        self.code = nnx.Param(jnp.array([mean, log_variance]))

    def __call__(self, x, labels=None):
        return jnp.broadcast_to(self.code[...], (len(x), 2))


@pytest.mark.parametrize("case", ["bernoulli", "gaussian"])
def test_the_loss_is_that_of_the_paper(evaluate, compiled, fresh, keys, case):
    """-E log p(x|z) + beta KL by numpy and scipy, from the networks' outputs and the same noise; -ELBO at beta 1."""
    method, shape = CASES[case]
    networks, x, k = fresh(method, shape), examples(shape), keys(8)

    def outputs(x, k):
        q = method.model.q(networks, x)
        noise = normal(k, (2,))
        return q.mean, q.log_variance, noise, networks["decoder"](q.mean + jnp.exp(q.log_variance / 2) * noise)

    mean, log_variance, _, output = (np.asarray(y, float) for y in compiled(outputs)(x, k))
    if case == "bernoulli":
        p, pixels = special.expit(output), (x + 1) / 2
        log_likelihood = (special.xlogy(pixels, p) + special.xlog1py(1 - pixels, -p)).sum((1, 2, 3))
    else:
        log_likelihood = stats.norm.logpdf(x, np.tanh(output), 0.5).sum((1, 2, 3))
    kl = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(1).mean()

    def losses(networks, batch, keys):
        of = {
            beta: dataclasses.replace(method, objective=Objective(beta=beta)).loss(networks, batch, keys)
            for beta in BETAS
        }
        return of[4.0][0], of[4.0][1] | {str(beta): loss for beta, (loss, _) in of.items()}

    seen = evaluate(losses, networks, x, k)
    for beta in BETAS:
        np.testing.assert_allclose(seen.metrics[str(beta)], -log_likelihood.mean() + beta * kl, rtol=1e-5)
    np.testing.assert_allclose(seen.metrics["1.0"], -seen.metrics["elbo"], rtol=1e-6)
    np.testing.assert_allclose(seen.metrics["kl"], kl, rtol=1e-4)


def test_the_evidence_is_the_bound_plus_the_gap(evaluate, keys):
    """log p(x) = ELBO + KL(q(z|x) || p(z|x)), both by quadrature, for a decoder that is not linear.

    The bound is the mean over 20,000 draws of the noise, whose standard error is below 0.01.
    """
    method = VAE(latent=1, likelihood=Likelihood("gaussian", scale=0.5))

    def curve(z, np=jnp):
        return np.concatenate([np.sin(2 * z), z**2 / 2], axis=1)

    mean, log_variance, x = 0.4, -1.0, np.array([0.7, 0.3], np.float32)
    networks = {"encoder": Code(mean, log_variance), "decoder": Plain(curve), "observation": Gaussian(0.5, False)}
    seen = evaluate(method.loss, networks, np.tile(x, (20_000, 1)), keys(20_000))

    z = np.linspace(-8, 8, 8001)
    joint = stats.norm.logpdf(z) + stats.norm.logpdf(x, curve(z[:, None], np), 0.5).sum(1)
    evidence = np.log(np.trapezoid(np.exp(joint), z))
    q = stats.norm.logpdf(z, mean, np.exp(log_variance / 2))
    gap = np.trapezoid(np.exp(q) * (q - joint + evidence), z)
    assert gap > 0.1
    assert seen.metrics["elbo"] < evidence
    np.testing.assert_allclose(seen.metrics["elbo"] + gap, evidence, atol=0.03)


def test_the_bound_is_tight_and_stationary_at_the_posterior(evaluate, keys):
    """With a linear decoder the posterior is known; it closes the gap, and the bound is log N(x; 0, 1 + s^2).

    There the likelihood's pull on mean and log-variance balances that of the KL term, which is +0.64 and -0.4. The
    standard errors of 20,000 draws are below 0.02.
    """
    s, x = 0.5, 0.8
    precision = 1 + 1 / s**2
    networks = {"encoder": Code(x / s**2 / precision, -np.log(precision)), "decoder": Plain(lambda z: z)}
    networks["observation"] = Gaussian(s, False)
    method = VAE(latent=1, likelihood=Likelihood("gaussian", scale=s))
    seen = evaluate(method.loss, networks, np.full((20_000, 1), x, np.float32), keys(20_000))
    np.testing.assert_allclose(seen.metrics["elbo"], stats.norm.logpdf(x, 0, (1 + s**2) ** 0.5), atol=0.02)
    np.testing.assert_allclose(seen.grads["encoder"]["code"], 0, atol=0.05)


def test_a_collapsed_posterior_costs_nothing(evaluate, keys):
    """An encoder of zeros is the prior: KL 0 whatever beta, and no pull on the encoder from it."""
    networks = {"encoder": Plain(lambda x: jnp.zeros((len(x), 4))), "decoder": Plain(lambda z: z)}
    networks["observation"] = Gaussian(0.5, False)
    method = dataclasses.replace(GAUSSIAN, objective=Objective(beta=100.0))
    seen = evaluate(method.loss, networks, examples((2,)), keys(8))
    assert seen.metrics["kl"] == 0
    assert seen.loss == seen.metrics["distortion"] == -seen.metrics["elbo"]


def test_points_need_the_gaussian():
    with pytest.raises(Invalid, match="^method.likelihood.name: 'bernoulli' is not for points: use gaussian$"):
        METHOD.networks((2,), nnx.Rngs(0))


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        (Likelihood, "scale", 0.0),
        (Likelihood, "learn_scale", True),
        (Objective, "beta", -1.0),
        (Objective, "warmup", -1),
        (Objective, "free_bits", -0.1),
        (VAE, "latent", 0),
        (VAE, "classes", -1),
    ],
)
def test_bad_fields_are_named(part, field, value):
    with pytest.raises(Invalid, match=f"^{field}: {value} is not "):
        part(**{field: value})


@pytest.mark.parametrize("case", CASES)
def test_decoding_gives_the_mean_of_the_likelihood(case):
    """In [-1, 1] for images, however large the decoder's output: the mean of a pixel that is 1 with sigmoid(output)."""
    method, shape = CASES[case]
    output = 30 * examples(shape)
    expected = {"bernoulli": 2 * special.expit(output) - 1, "gaussian": np.tanh(output), "points": output}[case]
    observation = Bernoulli() if case == "bernoulli" else Gaussian(0.5, False)
    networks = {"decoder": Plain(lambda z: jnp.asarray(output)), "observation": observation}
    decoded = method.decode(networks, jnp.zeros((8, 2)))
    np.testing.assert_allclose(decoded, expected, atol=1e-6)
    assert (abs(decoded).max() <= 1) == (case != "points")


def test_reconstruction_decodes_the_posteriors_mean(fresh, compiled):
    networks, x = fresh(METHOD, IMAGE), examples(IMAGE)

    def both(x):
        mean, _ = jnp.split(networks["encoder"](x), 2, axis=1)
        return METHOD.encode(networks, x), mean, METHOD.reconstruct(networks, x), METHOD.decode(networks, mean)

    code, mean, reconstruction, decoded = compiled(both)(x)
    np.testing.assert_array_equal(code, mean)
    np.testing.assert_array_equal(reconstruction, decoded)
    assert reconstruction.shape == x.shape


@pytest.mark.parametrize("case", CASES)
def test_log_weights_are_the_elbo_in_the_mean(case, fresh, evaluate, keys, compiled):
    """In the mean over 4,096 latents, the same for both: to the Monte Carlo error of the KL term (0.05 nats)."""
    method, shape = CASES[case]
    networks, x = fresh(method, shape), np.repeat(examples(shape, 1), 4096, axis=0)
    weights = compiled(lambda x, k: method.log_weight(networks, x, k))(x, keys(len(x)))
    elbo = evaluate(method.loss, networks, x, keys(len(x))).metrics["elbo"]
    np.testing.assert_allclose(weights.mean(), elbo, atol=0.05)


def test_the_weight_of_the_kl_rises_to_beta(evaluate, fresh, keys):
    """loss - distortion = beta KL min(1, turn / warmup); all of it outside training."""
    method = dataclasses.replace(METHOD, objective=Objective(beta=3.0, warmup=8))
    networks, x = fresh(METHOD, IMAGE), examples(IMAGE)

    def losses(networks, batch, keys):
        turns = {"0": 0, "2": 2, "8": 8, "9": 9, "None": None}
        return jnp.zeros(()), {name: method.loss(networks, batch, keys, turn)[0] for name, turn in turns.items()}

    seen, plain = evaluate(losses, networks, x, keys(8)).metrics, evaluate(METHOD.loss, networks, x, keys(8)).metrics
    for turn, share in {"0": 0, "2": 0.25, "8": 1, "9": 1, "None": 1}.items():
        np.testing.assert_allclose(seen[turn], plain["distortion"] + 3 * share * plain["kl"], rtol=1e-5)


class Shifted(nnx.Module):
    """Means that are the example times a factor for each latent, and unit variances."""

    def __init__(self, *factors):
        self.factors = nnx.Param(jnp.array(factors))

    def __call__(self, x, labels=None):
        return jnp.concatenate([x * self.factors[...], jnp.zeros_like(x)], 1)


def test_free_bits_are_free_on_average_over_all_devices(evaluate, keys):
    """Latents of 0.5 x^2 and 2 x^2 nats at x = 0 (half the batch) and 2: means of 1 and 4, of which 3 are free.

    So the loss is the distortion plus 3 + 4, and only the second latent is pulled, on two devices as on one, although
    the first device's mean is 0 for both.
    """
    networks = {"encoder": Shifted(1.0, 2.0), "decoder": Plain(jnp.zeros_like), "observation": Gaussian(1.0, False)}
    method = dataclasses.replace(GAUSSIAN, objective=Objective(free_bits=3.0))
    x = np.repeat([0, 2], 4)[:, None].repeat(2, 1).astype(np.float32)
    for devices in (1, 2):
        seen = evaluate(method.loss, networks, x, keys(8), devices)
        np.testing.assert_allclose(seen.loss - seen.metrics["distortion"], 7, rtol=1e-5)
        np.testing.assert_allclose(seen.metrics["kl"], 5, rtol=1e-5)
        np.testing.assert_allclose(seen.grads["encoder"]["factors"], [0, 4], rtol=1e-5)  # d/da E[a^2 x^2 / 2]


def test_without_free_bits_it_is_the_plain_vae(evaluate, fresh, keys):
    """Fewer free bits than any latent uses: as if there were none."""
    networks, x = fresh(METHOD, IMAGE), 3 * examples(IMAGE)
    plain, few = (
        evaluate(dataclasses.replace(METHOD, objective=Objective(free_bits=bits)).loss, networks, x, keys(8))
        for bits in (0.0, 1e-6)
    )
    assert plain.loss == few.loss
    np.testing.assert_allclose(plain.loss, -plain.metrics["elbo"], rtol=1e-6)
    jax.tree.map(np.testing.assert_array_equal, plain.grads, few.grads)


def test_the_learned_scale_rests_at_the_root_mean_square_error(evaluate, keys):
    """Where Dai and Wipf's optimum is; below it the loss pulls it up, above it down. A fixed one is not pulled."""
    x = examples((2,))
    rmse = float(np.sqrt((x**2).mean()))
    for scale, sign in ((rmse, 0), (rmse / 2, -1), (2 * rmse, 1)):
        networks = {"encoder": Plain(lambda x: jnp.zeros((len(x), 4))), "decoder": Plain(jnp.zeros_like)}
        networks["observation"] = Gaussian(scale, True)
        seen = evaluate(
            dataclasses.replace(GAUSSIAN, likelihood=Likelihood("gaussian", learn_scale=True)).loss,
            networks,
            x,
            keys(8),
        )
        assert np.sign(np.round(seen.grads["observation"]["log_scale"], 4)) == sign
        np.testing.assert_allclose(seen.metrics["scale"], scale, rtol=1e-5)
    fixed = evaluate(GAUSSIAN.loss, networks | {"observation": Gaussian(0.5, False)}, x, keys(8))
    assert "observation" not in fixed.grads and "scale" not in fixed.metrics
