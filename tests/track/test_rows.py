"""Whatever a metrics.jsonl holds, its rows are read and the rest is passed over."""

from genlab.track.rows import rows
from genlab.track.sinks import Jsonl

GOOD = [b'{"step": 1, "a/loss": 2.0}\n', b'{"step": 2, "a/loss": null, "a/slopes": [0.5, 0.5]}\n']
BAD = [
    b'{"a": 1}\n',
    b"[]\n",
    b"null\n",
    b"5\n",
    b"\n",
    b'{"step": null}\n',
    b'{"step": "3"}\n',
    b'{"step": true}\n',
    b'{"step": -1}\n',
    b"\xff\xfe\n",
    b"[" * 100_000 + b"\n",
]


def test_only_rows_are_read(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"".join([*BAD, GOOD[0], *BAD, GOOD[1]]) + b'{"step": 3, "a/lo')
    assert [line for line, _ in rows(path)] == GOOD
    assert [row["step"] for _, row in rows(path)] == [1, 2]
    assert not list(rows(tmp_path / "absent"))


def test_a_record_is_cut_back_to_its_rows(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"".join([*BAD, *GOOD]))
    sink = Jsonl(path)
    sink.truncate(1)
    sink.close()
    assert path.read_bytes() == GOOD[0]
