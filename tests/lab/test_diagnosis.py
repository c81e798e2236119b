"""Every finding: on what was made sick on purpose, and silent on the same in health."""

import numpy as np
import pytest

from genlab.kernels.penalty import Penalty
from genlab.lab.diagnosis import curves, layers, samples
from genlab.lab.origin import Origin
from genlab.lab.probe import Layer, Turn
from genlab.lab.start import Start
from genlab.lab.units import Units

RNG = np.random.default_rng(0)


def turn(**changed):
    """Three layers in health, the second one changed."""
    healthy = {"weight": 0.1, "gradient": 0.01, "update": 1e-4}
    parts = [healthy | {"name": "net/0"}, healthy | {"name": "net/1"} | changed, healthy | {"name": "net/2"}]
    return [Turn("player", tuple(Layer(**part) for part in parts))]


def rows(name, values, every=100):
    return [{"step": every * (i + 1), name: float(value)} for i, value in enumerate(values)]


@pytest.mark.parametrize(
    "check, changed, said",
    [
        (layers.vanishing, {"gradient": 0.9e-5}, "net/1 has root mean square 9e-06"),
        (layers.vanishing, {"gradient": 0.0}, "net/1 has root mean square 0, 0 times the median"),
        (layers.exploding, {"gradient": 10.1}, "net/1 has root mean square 10, 1e+03 times the median"),
        (layers.large_updates, {"update": 0.02}, "the weights of net/1 by 0.2 of their size"),
    ],
)
def test_a_sick_layer_is_named_with_its_figures(check, changed, said):
    assert said in check(turn(**changed)).sentence
    assert check(turn()) is None


def test_layers_within_the_bounds_are_healthy():
    assert layers.vanishing(turn(gradient=1.1e-5)) is None and layers.exploding(turn(gradient=9.9)) is None
    assert layers.large_updates(turn(update=0.0099)) is None
    assert layers.large_updates(turn(weight=0.0)) is None  # of weights that start at 0 nothing is a share


def test_updates_are_too_small_where_no_layer_moves():
    still = tuple(Layer(f"net/{i}", 0.1, 0.01, 1e-7) for i in range(3))
    assert (
        "player at its peak learning rate moves no layer by more than 1e-06"
        in layers.small_updates([Turn("player", still)]).sentence
    )
    assert layers.small_updates(turn(update=1e-7)) is None  # the others move


@pytest.mark.parametrize(
    "check, dead, saturated, said",
    [
        (layers.dead_units, 0.96, 0.0, "96 % of the units of net/1 are 0"),
        (layers.dead_units, 0.94, 0.06, None),
        (layers.saturated_units, 0.0, 0.6, "60 % of the units of net/1"),
        (layers.saturated_units, 0.6, 0.4, None),
    ],
)
def test_units_that_are_dead_or_saturated(check, dead, saturated, said):
    units = Units("net/0", 0.3, 0.0, True), Units("net/1", dead, saturated, True)
    found = check([Turn("player", (), units)])
    assert found is None if said is None else said in found.sentence


def test_a_first_loss_far_above_that_of_networks_that_know_nothing():
    healthy = Start("generator", 1.5, 0.69)
    found = layers.wrong_start([healthy, Start("critic", 400.0, 10.0)])
    assert "critic starts at 400, where networks that say the same of every example have 10" in found.sentence
    assert layers.wrong_start([healthy]) is None
    assert layers.wrong_start([Start("critic", 300.0, 0.0), Start("model", 9.0, -2.0)]) is None  # nothing to compare


def test_a_player_without_gradients_has_vanished():
    still = tuple(Layer(f"net/{i}", 0.1, 0.0, 0.0) for i in range(3))
    assert layers.vanishing([Turn("player", still)]) and not layers.exploding([Turn("player", still)])


def test_mode_collapse_by_distances():
    real = RNG.normal(size=(100, 4))
    found = samples.collapse(0.1 * real, real)
    assert found.name == "mode collapse" and "0.1 of it" in found.sentence
    assert samples.collapse(0.5 * real, real) is None
    three = np.array([[0.0, 0], [3, 4], [0, 0]])  # distances 5, 0, 5
    assert samples.mean_distance(three) == pytest.approx(10 / 3)


def test_classes_that_are_hardly_sampled():
    real = np.repeat(np.arange(4), 25)
    assert (
        "2 of 4 classes: 2 (0 % of samples, 25 % of examples), 3 (2 % of"
        in samples.missing_classes(np.repeat([0, 1, 3], [50, 48, 2]), real).sentence
    )
    assert samples.missing_classes(np.repeat([0, 1, 2, 3], [40, 30, 20, 10]), real) is None


def test_samples_that_are_black_and_white_alone():
    real = RNG.uniform(-0.9, 0.9, (50, 16))
    assert "100 % of the values" in samples.saturation(np.sign(real), real).sentence
    assert samples.saturation(real, real) is None and samples.saturation(np.sign(real), np.sign(real)) is None


def test_copies_lie_on_training_examples():
    train, held_out, fake = (RNG.normal(size=(n, 8)).astype(np.float32) for n in (200, 50, 50))
    copied = train[:50] + 0.01 * fake
    assert samples.copies(copied, held_out, train).name == "copied examples"
    assert samples.copies(fake, held_out, train) is None


def test_latents_that_say_nothing():
    silent = np.full((50, 16), 0.001)
    assert "0 of 16 latents" in samples.posterior_collapse(silent).sentence
    weak = np.full((50, 4), 0.02)
    assert "4 of 4 latents say anything about the example, and all together 0.08 nats" in str(
        samples.posterior_collapse(weak)
    )
    silent[:, :3] = 0.5  # as many as a healthy VAE on the digits needs
    assert samples.posterior_collapse(silent) is None


@pytest.mark.parametrize("slope, sick", [(0.2, True), (0.5, False), (1.0, False), (2.5, False), (30.0, True)])
def test_slopes_are_held_near_their_target(slope, sick):
    assert (curves.slopes(rows("critic/slope_mean", [slope] * 5), Penalty()) is not None) == sick
    assert curves.slopes(rows("critic/slope_mean", [slope] * 5), Penalty(target=0.0)) is None
    one_sided = curves.slopes(rows("critic/slope_mean", [slope] * 5), Penalty(one_sided=True))
    assert (one_sided is not None) == (sick and slope > 1)


@pytest.mark.parametrize(
    "metric, value, name",
    [
        ("accuracy", 0.999, "opponent too strong"),
        ("accuracy", 0.7, None),
        ("accuracy", 0.3, "opponent too weak"),
        ("wasserstein", -0.2, "opponent too weak"),
        ("wasserstein", 0.2, None),
    ],
)
def test_an_opponent_in_and_out_of_balance(metric, value, name):
    found = curves.opponent_strength(rows(f"critic/{metric}", [0.6] * 20 + [value] * 4))
    assert (found and found.name) == name


@pytest.mark.parametrize("metric, train", [("accuracy", 0.95), ("wasserstein", 3.0)])
def test_an_opponent_that_has_memorised(metric, train):
    def both(held_out):
        trained = rows(f"discriminator/{metric}", [train] * 10)
        return curves.memorised(trained + rows(f"validation/discriminator/{metric}", [held_out] * 10))

    assert both(0.5 if metric == "accuracy" else -2.0).name == "memorised examples" and both(0.8 * train) is None
    assert curves.memorised(rows(f"discriminator/{metric}", [train] * 10)) is None


def test_a_codebook_that_is_hardly_used():
    assert "had 2 of its 64 vectors" in curves.unused_codes(rows("model/perplexity", [2.0] * 5), 64).sentence
    assert curves.unused_codes(rows("model/perplexity", [20.0] * 5), 64) is None


def test_fits_by_their_curves():
    time = np.arange(1, 31)
    converged, rising, falling = 1 + np.exp(-time), 1 + np.exp(-time) + 0.03 * time, 10 - 0.3 * time

    def underfitting(trained, validation):
        return curves.underfitting(rows("model/loss", trained) + validation, "validation/model/loss")

    healthy, late = rows("validation/model/loss", converged), rows("validation/model/loss", rising)
    assert curves.overfitting(healthy, "validation/model/loss", 4.0) is None
    assert "and has risen to 1.9 at 3,000" in curves.overfitting(late, "validation/model/loss", 4.0).sentence
    assert curves.overfitting(late, "validation/model/loss", 76.0) is None  # a hundredth of all that it had fallen
    assert "model/loss still fell" in underfitting(falling, healthy).sentence
    assert underfitting(falling, late) is None and underfitting(converged, []) is None
    assert underfitting(falling[:5], []) is None  # too few to tell


def test_divergence_names_the_first_player_in_the_order_of_play():
    finite = {"step": 100, "critic/loss": 1.0, "generator/loss": 1.0}
    broken = {"step": 200, "generator/loss": None, "critic/loss": None}
    found = curves.not_finite([finite, broken], ("critic", "generator"))
    assert found.sentence.startswith("critic/loss was no finite number at iteration 200")
    origin = Origin(190, "critic", 2, 5, "gradients", "critic/layers/layers/0")
    assert (
        "iteration 190 is the first with such numbers: in update 2 of 5 of critic the gradients of critic/layers"
        in curves.not_finite([finite, broken], ("critic", "generator"), origin).sentence
    )
    assert "that of iteration 100" in found.sentence and curves.not_finite([finite], ("critic", "generator")) is None


def test_a_run_that_slows_down():
    assert curves.slowing(rows("time/steps_per_second", [100] * 20 + [20] * 20)).name == "slowing down"
    assert curves.slowing(rows("time/steps_per_second", [100] * 20 + [60] * 20)) is None
    assert curves.slowing(rows("time/steps_per_second", [100] * 20 + [20] * 20, every=10)) is None  # over in seconds
