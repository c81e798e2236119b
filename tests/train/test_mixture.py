"""Several checkpoints as one model: whose samples its samples are, its likelihood, and what it refuses."""

import jax
import numpy as np
import pytest

from genlab.errors import Invalid
from genlab.model import CHUNK, Mixture, Model, load
from genlab.train.state import stream

STEPS = (2, 4, 6)
RNG = np.random.default_rng(0)


@pytest.fixture(scope="session")
def run(trained):
    return trained("wgan_gp", steps=6, checkpoint={"keep": 9})


@pytest.fixture(scope="session")
def vae(trained):
    return trained("vae", steps=6, checkpoint={"keep": 9}, data={"binarise": True})


def expected_members(n, seed, count):
    """Of each sample, from its own key."""
    root = stream(seed, "mixture")
    drawn = [jax.random.uniform(jax.random.fold_in(root, i)) for i in range(n)]
    return np.array([int(u * count) for u in drawn])


def test_each_sample_is_the_one_of_its_member(run):
    """Bit for bit: sample i of a seed, whatever is asked for beside it; members are drawn alike often."""
    mixture, members = load(run, steps=STEPS), [load(run, step) for step in STEPS]
    assert isinstance(mixture, Mixture) and mixture.steps == STEPS and mixture.shape == (8, 8, 1)
    chosen = expected_members(CHUNK + 40, 3, 3)
    own = np.stack([member.sample(CHUNK + 40, seed=3) for member in members])
    assert (own[0] != own[1]).any() and (own[1] != own[2]).any()
    found = mixture.sample(CHUNK + 40, seed=3)
    np.testing.assert_array_equal(found, own[chosen, np.arange(CHUNK + 40)])
    np.testing.assert_array_equal(mixture.sample(5, seed=3, start=CHUNK), found[CHUNK : CHUNK + 5])
    np.testing.assert_array_equal(mixture.sample(1, seed=3), found[:1])
    assert (mixture.sample(9, seed=4) != found[:9]).any()
    counts = np.bincount(np.concatenate([np.full(len(i), STEPS.index(m.steps[0])) for m, i in mixture.shares(3000)]))
    assert ((counts - 1000) ** 2 / 1000).sum() < 9.21  # chi-square with 2 degrees of freedom, 1 in 100


def test_all_members_share_a_program(run):
    mixture = load(run, steps=STEPS)
    mixture.sample(40)
    assert {id(member._compiled) for member in mixture.members} == {id(mixture.members[0]._compiled)}
    assert mixture.members[0]._compiled._cache_size() == 1


def test_classes_go_with_their_samples(trained):
    run = trained("cgan", steps=4, checkpoint={"keep": 9})
    mixture, members = load(run, steps=(2, 4)), [load(run, step) for step in (2, 4)]
    labels, chosen = np.arange(30) % 10, expected_members(30, 0, 2)
    own = np.stack([member.sample(30, labels=labels) for member in members])
    np.testing.assert_array_equal(mixture.sample(30, labels=labels), own[chosen, np.arange(30)])
    assert mixture.conditional and mixture.class_indices(["3"]) == (3,)
    with pytest.raises(Invalid, match="labels: 99 is not one class from 0 to 9, or one for each of 30"):
        mixture.sample(30, labels=99)


def test_its_likelihood_is_the_mean_of_its_members(vae):
    x = np.sign(RNG.normal(size=(7, 8, 8, 1))).astype(np.float32)
    each = np.stack([load(vae, step).log_likelihood(x, 5) for step in STEPS]).astype(np.float64)
    expected = np.log(np.exp(each - each.max(0)).mean(0)) + each.max(0)
    found = load(vae, steps=STEPS).log_likelihood(x, 5)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert (found < each.max(0)).all() and (found > each.min(0)).all() and found.dtype == np.float32


@pytest.mark.parametrize("action", ["encode", "decode", "reconstruct", "prior"])
def test_what_needs_latents_is_refused(vae, action):
    with pytest.raises(Invalid, match=f"^{action}: a mixture has no latents of its own; .* of its checkpoints 2, 4$"):
        getattr(load(vae, steps=(2, 4)), action)(np.zeros((1, 8, 8, 1)))


def test_steps_are_checked(run):
    one = load(run, steps=[4])
    assert isinstance(one, Model) and one.steps == (4,)
    with pytest.raises(Invalid, match=r"^step: 5 is not among the checkpoints of .*: 2, 4, 6$"):
        load(run, steps=[2, 5])
    with pytest.raises(Invalid, match=r"^steps: \(2, 4, 2\) is not steps of which each is given once"):
        load(run, steps=[2, 4, 2])
    with pytest.raises(Invalid, match="^step: 2 is not possible beside steps"):
        load(run, step=2, steps=[4, 6])
