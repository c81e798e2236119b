"""Runs, and images of other programs, measured end to end: stamps, tables, records, and what is refused."""

import dataclasses
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from genlab.config.plain import to_dict
from genlab.data.config import Data
from genlab.data.feed import to_uint8
from genlab.errors import Invalid
from genlab.evaluate.evaluator import Evaluator, Result, Run, Settings, evaluate
from genlab.evaluate.extractors import Pixels
from genlab.evaluate.inputs import load_runs
from genlab.evaluate.protocol import PROTOCOLS, require_same
from genlab.evaluate.report import record, table
from genlab.evaluate.samples import ExternalImages
from genlab.parts.likelihood import Likelihood
from genlab.train.loop import train


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def gan(untrained, tmp_path):
    """An untrained model in a run folder."""
    (tmp_path / "run" / "samples").mkdir(parents=True)
    return Run(tmp_path / "run", untrained("wgan_gp", (8, 8, 1)))


def real_digits(n=180):
    return Evaluator(Data(), Settings()).test.x[:n]


def test_digits_in_the_classifiers_features(gan):
    real, run = evaluate([gan], {}, Data(), Settings(seeds=2))
    stamp = run.stamp
    assert (stamp.data, stamp.split, stamp.n_real, stamp.n_generated) == ("digits", "train", 1437, 180)
    assert (stamp.extractor, stamp.resize, stamp.grey, stamp.seeds) == ("classifier", "none", "as they are", (0, 1))
    assert (stamp.quantised, stamp.ema, stamp.batch_norm) == ("round", True, "average")
    assert len(stamp.weights) == len(stamp.reference) == 12
    assert run.scores.keys() == real.scores.keys() == run.spread.keys() and not real.spread
    assert {"frechet", "kernel_distance", "classifier_score", "precision", "coverage", "smallest_class"} <= set(
        run.scores
    )
    assert 5 * real.scores["frechet"] < run.scores["frechet"]
    assert abs(real.scores["kernel_distance"]) < 3 * real.scores["kernel_distance_error"]
    assert real.scores["precision"] > 0.8 > run.scores["precision"]
    assert real.name == "real" and run.spread["frechet"] > 0


def test_a_model_of_the_training_images_is_perfect_but_copied():
    """All is well with training images in the place of samples except that they are no new ones; held-out ones are."""
    evaluator = Evaluator(Data(), Settings(metrics=("frechet", "precision", "neighbours"), n=180))
    copies = evaluator.evaluate_images(ExternalImages(Path("copies"), evaluator.train.x))
    held_out = evaluator.evaluate_images(ExternalImages(Path("unseen"), real_digits()))
    assert copies.scores["precision"] == 1 and copies.scores["nearest_ratio"] < 1e-3
    np.testing.assert_allclose(held_out.scores["nearest_ratio"], 1, rtol=1e-6)
    assert copies.picture.shape == held_out.picture.shape and copies.picture.dtype == np.uint8
    assert (
        copies.stamp.ema is None and len(copies.spread) == 4 and not held_out.spread
    )  # 180 of 1437, and all there are


def test_copies_are_found_out_whatever_split_samples_are_measured_against():
    """It is the training images that may be copied, and the test images that are unseen."""
    evaluator = Evaluator(Data(), Settings(metrics=("neighbours",), split="test", n=180))
    assert evaluator.stamp(180).split == "test"
    assert evaluator.evaluate_images(ExternalImages(Path("copies"), evaluator.train.x)).scores["nearest_ratio"] < 1e-3
    np.testing.assert_allclose(
        evaluator.evaluate_images(ExternalImages(Path("new"), real_digits())).scores["nearest_ratio"], 1, rtol=1e-6
    )
    assert evaluator.evaluate_real().scores["nearest_ratio"] < 1e-3  # against the test split these are training images


def test_the_same_images_score_the_same_as_samples_and_as_a_file(gan):
    """However they come in: from a model, or from what it wrote."""
    settings = Settings(n=50, seeds=1, metrics=("frechet",))
    _, run = evaluate([gan], {}, Data(), settings)
    images = ExternalImages(Path("file"), to_uint8(gan.model.sample(50, 0)))
    _, file = evaluate([], {Path("file"): images}, Data(), settings)
    np.testing.assert_allclose(file.scores["frechet"], run.scores["frechet"], rtol=1e-4)


def test_points_against_their_modes(untrained, tmp_path):
    points = Run(tmp_path, untrained("wgan_gp_points", (2,)))
    real, run = evaluate([points], {}, Data(), Settings(seeds=1))
    assert real.scores["modes"] == 8 and real.scores["good_share"] > 0.99 and real.scores["transport"] < 0.2
    assert run.scores["good_share"] < 0.5 and run.scores["transport"] > 0.5
    roll = Run(tmp_path, untrained("wgan_gp_points", (2,), data={"name": "points:swissroll"}))
    assert list(evaluate([roll], {}, Data(), Settings(seeds=1))[1].scores) == ["transport"]
    with pytest.raises(Invalid, match="metrics: modes; points:swissroll has none"):
        evaluate([roll], {}, Data(), Settings(metrics=("modes",)))
    with pytest.raises(Invalid, match="metrics: 'frechet' is not for points; these are: modes, transport, likelihood"):
        evaluate([roll], {}, Data(), Settings(metrics=("frechet",)))


def test_what_a_model_says_has_a_stamp_of_its_own(untrained, tmp_path):
    vae = Run(tmp_path, untrained("vae", (8, 8, 1)))
    metrics = ("frechet", "likelihood", "reconstruction", "latents", "representation")
    _, samples, said = evaluate([vae], {}, Data(), Settings(metrics, seeds=1, importance=2))
    assert list(samples.scores) == ["frechet"]
    assert (said.stamp.split, said.stamp.n_real, said.stamp.importance, said.stamp.extractor) == ("test", 180, 2, None)
    assert (said.stamp.ema, said.stamp.seeds, said.stamp.n_generated) == (True, None, None)
    assert {"grey_cross_entropy_error", "ssim", "active_units", "probe_test"} <= set(said.scores)
    lines = table([samples, said]).splitlines()
    assert any(line.startswith("not to be compared with the above: split: 'test', not 'train'") for line in lines)


def test_likelihoods_of_unlike_things_are_not_compared(untrained, tmp_path):
    """Bernoulli on grey levels, a Gaussian density of dequantised pixels, and bits: three tables of their own names."""
    sections = {
        "grey": {},
        "density": {"method": {"likelihood": Likelihood("gaussian")}, "data": {"dequantise": True}},
        "bits": {"data": {"binarise": True}},
    }
    models = [Run(tmp_path / name, untrained("vae", (8, 8, 1), **s)) for name, s in sections.items()]
    settings = Settings(("likelihood",), importance=2)
    found = {Path(r.name).name: r for model in models for r in evaluate([model], {}, Data(), settings)}
    stamps = {name: (r.stamp.observation, r.stamp.binarised, r.stamp.dequantised) for name, r in found.items()}
    assert stamps == {
        "grey": ("bernoulli", "none", False),
        "density": ("gaussian", "none", True),
        "bits": ("bernoulli", "dynamic", False),
    }
    assert found["grey"].scores.keys() == {"grey_cross_entropy", "grey_cross_entropy_error"}
    assert {"elbo", "bits_per_dimension"} <= found["density"].scores.keys()
    assert "elbo" in found["bits"].scores and "bits_per_dimension" not in found["bits"].scores
    tables = table(list(found.values())).split("\n\n")
    assert len(tables) == 3 and [t.count("bits per dimension") for t in tables] == [0, 1, 0]
    assert "not to be compared with the above: observation: 'gaussian', not 'bernoulli'; deq" in tables[1]
    assert "not to be compared with the above: binarised: 'dynamic', not 'none'" in tables[2]
    with pytest.raises(Invalid, match="protocol: density cannot be compared with grey; it has observation"):
        require_same({name: result.stamp for name, result in found.items()})


def test_unlike_numbers_stand_in_two_tables(gan):
    real, run = evaluate([gan], {}, Data(), Settings(n=300, seeds=1))
    assert (real.stamp.n_generated, run.stamp.n_generated) == (180, 300)
    said = table([real, run])
    assert "not to be compared with the above: n_generated: 300, not 180" in said
    assert len(said.split("\n\n")) == 2
    assert len(table([real, dataclasses.replace(run, stamp=real.stamp)]).split("\n\n")) == 1


def test_a_table_has_straight_columns_and_says_errors_and_spreads():
    evaluator = Evaluator(Data(), Settings(metrics=("kernel",)))
    scores = {"kernel_distance": 0.5, "kernel_distance_error": 0.03}
    rows = [
        Result("real", evaluator.stamp(180), scores),
        Result("a longer name", evaluator.stamp(180), scores | {"kernel_distance": 0.25}, step=7, which="best"),
    ]
    lines = table(rows).splitlines()
    assert lines[1].split() == ["name", "which", "step", "n", "kernel", "distance"]
    assert lines[3].split() == ["a", "longer", "name", "best", "7", "180", "0.25", "±", "0.03"]
    assert len({len(line) for line in lines[1:]}) == 1


class InceptionStandIn(Pixels):
    """Pixels in the place of inception."""

    name = "inception"


def test_published_protocols_set_everything(monkeypatch):
    monkeypatch.setattr("genlab.evaluate.inception.load", lambda path, grey: InceptionStandIn(name="inception"))
    small = dataclasses.replace(PROTOCOLS["mimicry"], n_real=90, n_generated=60, subsets=(2, 30))
    monkeypatch.setitem(PROTOCOLS, "mimicry", small)
    asked = Settings(protocol="mimicry", weights=Path("w.pth"), n=7, seeds=1, metrics=("kernel", "frechet"))
    evaluator = Evaluator(Data(), asked)
    stamp = evaluator.stamp(evaluator.n)
    assert (stamp.protocol, stamp.split, stamp.n_real, stamp.n_generated) == ("mimicry", "train+validation", 90, 60)
    assert (stamp.kernel, stamp.splits, evaluator.settings.seeds) == ("2 subsets of 30", 10, 3)
    assert list(evaluator.evaluate_images(ExternalImages(Path("x"), real_digits(60))).scores) == [
        "kid",
        "kid_error",
        "fid",
    ]


def test_refusals(gan, untrained, tmp_path):
    points = Run(tmp_path / "b", untrained("wgan_gp_points", (2,)))

    def said(*arguments):
        with pytest.raises(Invalid) as error:
            evaluate(*arguments)
        assert "\n" not in str(error.value)
        return str(error.value)

    assert "is not one data set" in said([gan, points], {}, Data(), Settings())
    assert "at least one folder of a run, --npz or --folder" in said([], {}, Data(), Settings())
    assert "weights: none; inception needs a file" in said([gan], {}, Data(), Settings(extractor="inception"))
    assert "metrics: score; needs an extractor with classes" in said(
        [gan], {}, Data(), Settings(("score",), extractor="pixels")
    )
    wide = {Path("x"): ExternalImages(Path("x"), np.zeros((9, 8, 9, 1), np.uint8))}
    assert "images: (8, 9, 1) is not of the real images' shape (8, 8, 1)" in said([], wide, Data(), Settings(n=6))
    assert "n: 180 is not at most 9" in said([], wide, Data(), Settings())
    for wrong in ({"n": 5}, {"seeds": 0}, {"importance": 0}, {"n_real": 3}):
        with pytest.raises(Invalid, match=next(iter(wrong))):
            Settings(**wrong)
    result = Result("absent", Evaluator(Data(), Settings()).stamp(9), {"frechet": 1.0}, run=tmp_path / "absent", step=0)
    with pytest.raises(Invalid, match="run_dirs: .*absent; must be writable"):
        record([result])


def script(root, monkeypatch, *arguments):
    """The exit code of `scripts/evaluate.py`."""
    monkeypatch.setattr(sys, "argv", ["evaluate.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(root / "scripts" / "evaluate.py"), run_name="__main__")
    return stop.value.code


def test_the_script_prints_a_table_and_records(root, tiny, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    train(tiny("vae", steps=4), run)
    capsys.readouterr()
    asked = (run, "--metrics", "frechet", "neighbours", "latents", "--n", 40, "--seeds")
    for seeds in (1, 1, 2):
        assert script(root, monkeypatch, *asked, seeds) == 0
    printed = capsys.readouterr().out
    assert "digits, against 1437 of the train split" in printed and "real " in printed and str(run) in printed
    rows = [json.loads(line) for line in (run / "evaluation.jsonl").read_text().splitlines()]
    samples = [row for row in rows if "frechet" in row["scores"]]
    assert (
        samples[0] == samples[1 if len(load_runs([run], "both", True)) == 1 else 2]
    )  # an equal evaluation, an equal line
    assert samples[0]["stamp"]["seeds"] == [0] and samples[-1]["stamp"]["seeds"] == [0, 1]
    assert {"last"} & set(",".join(row["which"] for row in rows).replace(" ", "").split(","))
    assert (run / "samples" / "neighbours_step_00000004.png").is_file()


def test_where_training_logged_to_wandb_evaluation_goes_too(gan, tmp_path, monkeypatch):
    """Under `eval/`, at the checkpoint's step; a run that never logged there is left alone."""
    sent = []

    class Sink:
        def __init__(self, folder, mode, project, name, config):
            sent.append((mode, project, name, config["method"]["name"]))

        def scalars(self, step, values):
            sent.append((step, dict(values)))

        def image(self, step, name, pixels):
            sent.append((step, name, pixels.shape))

        def close(self):
            sent.append("closed")

    monkeypatch.setattr("genlab.evaluate.report.Wandb", Sink)
    train_config = {"config": to_dict(gan.model.config), "shape": [8, 8, 1], "classes": []}
    (gan.folder / "config.json").write_text(json.dumps(train_config))
    stamp = Evaluator(Data(), Settings()).stamp(9)
    result = Result("a", stamp, {"frechet": 1.5}, run=gan.folder, step=7, picture=np.zeros((4, 4, 3), np.uint8))
    record([result])
    assert not sent
    (gan.folder / "wandb").mkdir()
    (gan.folder / "wandb" / "run-id").write_text("id")
    record([result])
    opened = ("disabled", "genlab", "run", "wgan_gp")
    assert sent == [opened, (7, {"eval/frechet": 1.5}), (7, "eval/neighbours", (4, 4, 3)), "closed"]


@pytest.mark.parametrize("arguments", [[], ["absent"], ["--n", "many"], ["--metrics", "fun"], ["--folder", "absent"]])
def test_the_script_says_a_mistake_in_one_line(root, monkeypatch, capsys, arguments):
    assert script(root, monkeypatch, *arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1


def test_the_best_and_the_last_checkpoint(tiny, tmp_path, monkeypatch):
    """Scored while training, kept by the score, and both found again."""
    scores = iter([0.5, 0.1, 0.3])
    config = tiny("vae", steps=6, checkpoint={"every": 100})
    config = dataclasses.replace(config, evaluate=dataclasses.replace(config.evaluate, every=2))
    train(config, tmp_path, lambda *_: lambda state: (score := next(scores), {"eval/kernel_distance": score}))
    found = load_runs([tmp_path], "both", True)
    assert [(s.which, int(s.model.state.step)) for s in found] == [("best", 4), ("last", 6)]
    assert [int(s.model.state.step) for s in load_runs([tmp_path], "best", True)] == [4]
    assert [int(s.model.state.step) for s in load_runs([tmp_path], 6, True)] == [6]
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert {r["step"]: r["eval/kernel_distance"] for r in rows if "eval/kernel_distance" in r} == {
        2: 0.5,
        4: 0.1,
        6: 0.3,
    }
