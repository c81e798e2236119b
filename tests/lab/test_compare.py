"""Comparisons: the numbers of runs that are known, what is not compared and why, the page and the script."""

import dataclasses
import io
import re
import runpy
import sys

import numpy as np
import pytest
from PIL import Image

from genlab.errors import Invalid
from genlab.evaluate.measure import HIGHER, LOWER
from genlab.lab.compare import compare, pair_rows, pairs, score_rows, setting_rows, text
from genlab.lab.compare_figures import picture
from genlab.lab.compare_page import page
from genlab.lab.statistics import Bootstrap

WASSERSTEIN = "validation/sliced_wasserstein"


def compared(runs, which="last"):
    return compare(runs, which, Bootstrap(resamples=200))


def test_the_numbers_of_known_scores(learning_rates):
    found = compared(learning_rates)
    (table,) = found.tables
    assert setting_rows(found) == [
        ["", "A", "B"],
        ["method.critic_optimizer.learning_rate", "0.001", "0.0001"],
        ["seeds", "0-2", "0-2"],
    ]
    _, first, second = score_rows(found, table)
    assert first[:4] == ["frechet (lower is better)", "A", "3", "2"] and second[:4] == ["", "B", "3", "2"]
    assert first[4].startswith("2 [") and second[4].startswith("3.5 [") and first[5].startswith("2 [")
    (pair,) = pairs(table.metrics[0], Bootstrap())
    # of the nine pairs 2 > ... : A has the lower score in all but (3, 2.5)
    assert pair.improvement.value == pytest.approx(8 / 9) and pair.paired and pair.seeds == (3, 3)
    # every seed differs by the same, so the same seeds resampled do
    assert pair.difference.value == pytest.approx(-1.5) and pair.difference.interval == pytest.approx((-1.5, -1.5))
    assert pair_rows(found, table)[1][:3] == ["frechet", "A and B", "3 paired"]
    assert "points" not in text(found) and text(found) == text(compared(learning_rates))


def test_one_seed_has_no_interval_and_says_so(learning_rates):
    found = compared([learning_rates[0], *learning_rates[3:]])
    (table,) = found.tables
    assert score_rows(found, table)[1][2:] == ["1", "2", "1", "1"]
    assert pair_rows(found, table)[1][2:] == ["1 and 3", "1", "-2.5"]
    assert "one seed has none" in text(found)


def test_seeds_that_one_alone_has_are_left_out_where_they_are_paired(learning_rates):
    (table,) = compared(learning_rates[:5]).tables
    (pair,) = pairs(table.metrics[0], Bootstrap())
    assert pair.paired and pair.seeds == (2, 2) and pair.difference.value == pytest.approx(-1.5)


def test_a_mixture_of_checkpoints_is_neither_the_last_nor_the_best(learning_rates, evaluated):
    before = compared(learning_rates).tables
    for run in learning_rates:
        evaluated(run, which="mixture", step=None, frechet=99.0)
    assert repr(compared(learning_rates).tables) == repr(before)


def test_of_many_configurations_each_is_compared_with_the_first(recorded_run, evaluated):
    runs = [recorded_run(f"{size}", data={"batch_size": size}) for size in range(8, 14)]
    for run in runs:
        evaluated(run, frechet=1.0)
    assert [pair.groups for pair in pairs(compared(runs).tables[0].metrics[0], Bootstrap())] == [
        (number, 0) for number in range(1, 6)
    ]
    assert len(pairs(compared(runs[:5]).tables[0].metrics[0], Bootstrap())) == 10


def test_numbers_made_in_two_ways_are_not_compared_and_it_says_why(learning_rates, evaluated, stamp):
    pixels = dataclasses.replace(stamp, extractor="pixels")
    (learning_rates[3] / "evaluation.jsonl").unlink()
    evaluated(learning_rates[3], stamp=pixels, frechet=0.1)
    evaluated(learning_rates[3], stamp=dataclasses.replace(stamp, split="test"), mse=0.5)
    one, other, model = compared([learning_rates[0], learning_rates[3]]).tables
    assert (one.apart, other.apart, model.apart) == ("", "table 1: extractor: 'pixels', not 'classifier'", "")
    assert not any(pairs(metric, Bootstrap()) for table in (one, other, model) for metric in table.metrics)
    assert "not compared with table 1: extractor: 'pixels', not 'classifier'\n" in text(
        compared([learning_rates[0], learning_rates[3]])
    )


def test_the_newest_checkpoint_of_its_kind_is_taken(recorded_run, evaluated):
    run = recorded_run("a")
    evaluated(run, "best, last", 2, frechet=5.0, recall=0.9)
    evaluated(run, "best", 4, frechet=3.0)
    evaluated(run, "last", 6, frechet=4.0)
    evaluated(run, "last", 6, coverage=0.5)
    evaluated(run, "", 8, frechet=9.0)
    last, best = (compared([run], which).tables[0] for which in ("last", "best"))
    assert (last.steps, best.steps) == (((6,),), ((4,),))
    assert [(metric.name, dict(metric.values[0])) for metric in last.metrics] == [
        ("frechet", {0: 4.0}),
        ("coverage", {0: 0.5}),
    ]
    assert best.metrics[0].values == ({0: 3.0},)


def test_scores_that_are_missing_or_not_finite_are_named(learning_rates, evaluated):
    (learning_rates[1] / "evaluation.jsonl").unlink()
    evaluated(learning_rates[2], frechet=float("nan"))
    found = compared(learning_rates)
    assert dict(found.tables[0].metrics[0].values[0]) == {0: 1.0}
    assert [note for note in found.notes if "no scores of its last checkpoint" in note] == [
        f"{run} has no scores of its last checkpoint" for run in learning_rates[1:3]
    ]


def test_a_damaged_record_is_named(learning_rates):
    path = learning_rates[0] / "evaluation.jsonl"
    path.write_text(path.read_text().replace('"frechet": 1.0', '"frechet": "low"'))
    with pytest.raises(Invalid, match="run_dirs: .*evaluation.jsonl: scores.frechet: 'low'; Input should be") as error:
        compared(learning_rates)
    assert "\n" not in str(error.value)


def test_what_was_recorded_in_training_is_compared_where_nothing_was_evaluated(recorded_run, course):
    runs = [recorded_run(f"{seed}", train={"seed": seed}) for seed in range(2)]
    for run, values in zip(runs, ([3, 1, 2], [4, 2, 3]), strict=True):
        course(run, {WASSERSTEIN: values, "critic/wasserstein": values, "generator/loss": [0, 0, 0]})
    last, best = (compared(runs, which).tables[0] for which in ("last", "best"))
    assert (last.steps, last.metrics[0].values) == (((6,),), ({0: 2.0, 1: 3.0},))
    assert (best.steps, best.metrics[0].values) == (((4,),), ({0: 1.0, 1: 2.0},))
    assert last.about.startswith("recorded while training") and last.metrics[0].better == -1
    (curve,) = compared(runs).courses[WASSERSTEIN]
    np.testing.assert_array_equal(curve.values, [[3, 4], [1, 2], [2, 3]])
    assert [shown.step for shown in compared(runs).samples] == [2, 4, 6]


def test_metrics_of_training_are_not_compared_between_unlike_data_or_batches(recorded_run, course, evaluated):
    runs = [recorded_run(f"{size}", data={"batch_size": size}) for size in (8, 16)]
    for run in runs:
        course(run, {WASSERSTEIN: [3, 2]})
    with pytest.raises(Invalid, match="no scores that may be compared; .*: data.batch_size: 8, 16; scripts/evaluate"):
        compared(runs)
    evaluated(runs[0], frechet=1.0)
    found = compared(runs)
    assert not found.courses and "metrics of training are not compared: data.batch_size: 8, 16" in found.notes


def test_losses_are_compared_where_they_are_the_same_function(recorded_run, course, tiny):
    encoder = dataclasses.replace(tiny("vae").method.encoder, width=4)
    objective = dataclasses.replace(tiny("vae").method.objective, beta=4.0)
    run, wide, beta = (
        recorded_run(name, "vae", method=method)
        for name, method in (("a", {}), ("b", {"encoder": encoder}), ("c", {"objective": objective}))
    )
    for folder in (run, wide, beta):
        course(folder, {WASSERSTEIN: [3, 2], "validation/model/loss": [2, 1]})
    assert [metric.name for metric in compared([run, wide]).tables[0].metrics] == [WASSERSTEIN, "validation/model/loss"]
    assert [metric.name for metric in compared([run, beta]).tables[0].metrics] == [WASSERSTEIN]


def test_nothing_recorded_is_nothing_to_compare(recorded_run):
    with pytest.raises(Invalid, match="run_dirs: no scores that may be compared; none of them has recorded any"):
        compared([recorded_run("a")])


def test_no_score_is_better_both_ways():
    assert not HIGHER & LOWER


def test_the_page_needs_nothing_but_itself(learning_rates, course):
    for run in learning_rates:
        course(run, {WASSERSTEIN: [3, 2]})
    strange = learning_rates[0].rename(learning_rates[0].with_name("<b>&0"))
    runs = [strange, *learning_rates[1:]]
    html = page(compared(runs))
    assert not re.search("https?:|://|@import|url\\(|<script|<link", re.sub('base64,[^"]*"', '"', html))
    sources = re.findall('src="([^"]{30})', html)
    assert len(sources) == 2 + 2 * 2 and all(source.startswith("data:image/png;base64,") for source in sources)
    assert "&lt;b&gt;&amp;0" in html and "<b>&0" not in html and "href" not in html
    assert '<a href="runs/0/">' in page(compared(runs), {strange: "runs/0/"})
    for word in (
        "method.critic_optimizer.learning_rate",
        "frechet (lower is better)",
        "3 paired",
        "iteration 4, seed 0",
    ):
        assert word in html
    assert html == page(compared(runs))


@pytest.mark.parametrize("kept", [slice(None), slice(1)])
def test_the_picture_shows_samples_below_all_else(learning_rates, course, kept):
    runs = learning_rates[kept]
    for run in runs:
        course(run, {WASSERSTEIN: [3, 2]})
    with Image.open(io.BytesIO(picture(compared(runs)))) as image:
        with_samples = np.asarray(image.convert("RGB"))
    assert with_samples.shape[1] == 1320 and (with_samples[-200:] == 9).all(2).any()
    for run in runs:
        next((run / "samples").glob("*4.png")).unlink()
        next((run / "samples").glob("*2.png")).unlink()
    found = compared(runs)
    assert "no iteration of which all configurations have samples" in found.notes
    with Image.open(io.BytesIO(picture(found))) as image:
        assert image.height < len(with_samples)


def script(root, monkeypatch, *arguments):
    """The exit code of `scripts/compare.py`."""
    monkeypatch.setattr(sys, "argv", ["compare.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(root / "scripts" / "compare.py"), run_name="__main__")
    return stop.value.code


def test_the_script_prints_and_writes(root, learning_rates, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    out = tmp_path / "out" / "both.html"
    assert not script(root, monkeypatch, *learning_rates, "--out", out, "--resamples", 100)
    printed = capsys.readouterr().out
    assert printed.startswith("6 runs of 2 configurations on digits\n") and "100 resamples" in printed
    assert out.read_text().startswith("<!doctype html>") and out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "run_dirs: [] is not at least one folder"),
        (["absent"], "run_dirs: absent; must be the folder of a run"),
        (["absent", "--out", "page.txt"], "out: 'page.txt' is not an .html file"),
        (["absent", "--resamples", "0"], "resamples: 0 is not from 1 to 1,000,000"),
        (["absent", "--level", "1"], "level: 1.0 is not from 0.01 to 0.999"),
    ],
)
def test_the_script_says_a_mistake_in_one_line(root, monkeypatch, capsys, arguments, said):
    assert script(root, monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {said}") and error.count("\n") == 1
