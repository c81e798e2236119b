"""What a run has recorded, as it is drawn."""

from genlab.track import history
from genlab.track.folder import RunFolder


def test_curves_leave_out_what_cannot_be_drawn(tmp_path):
    lines = [
        '{"step": 1, "a/loss": 2.0, "a/slopes": [0.5, 0.5], "note": "text"}',
        '{"step": 2, "a/loss": NaN}',
        '{"step": 2, "validation/loss": 3}',
        '{"step": 3, "a/loss": 1.5}',
        '{"step": 4, "a/lo',
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    assert history.curves(RunFolder(tmp_path)) == {"a/loss": [(1, 2.0), (3, 1.5)], "validation/loss": [(2, 3)]}
    assert history.curves(RunFolder(tmp_path / "none")) == {}


def test_long_curves_are_thinned_and_keep_their_end(tmp_path):
    (tmp_path / "metrics.jsonl").write_text("".join(f'{{"step": {i}, "a": {i / 2}}}\n' for i in range(1, 1002)))
    (curve,) = history.curves(RunFolder(tmp_path)).values()
    values = history.thinned(curve)
    assert len(curve) == 1001 and 200 < len(values) <= history.MAX_VALUES
    assert values[-1] == (1001, 500.5)
    assert {b[0] - a[0] for a, b in zip(values, values[1:], strict=False)} == {3}


def test_pictures_are_found_by_kind_and_step(tmp_path):
    (tmp_path / "samples").mkdir()
    for name in ("step_00000010.png", "step_00000002.png", "reconstruction_step_00000002.png", "other.png"):
        (tmp_path / "samples" / name).touch()
    assert history.pictures(RunFolder(tmp_path)) == {
        "reconstruction": [(2, "reconstruction_step_00000002.png")],
        "samples": [(2, "step_00000002.png"), (10, "step_00000010.png")],
    }
