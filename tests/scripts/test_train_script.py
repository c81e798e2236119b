"""The command line as a user meets it: separate processes, signals, mistakes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import jax
import numpy as np
import pytest

from genlab import cli
from genlab.errors import Invalid
from genlab.model import load

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    "--method.generator.width",
    "8",
    "--method.critic.width",
    "8",
    "--data.batch-size",
    "16",
    "--track.wandb",
    "disabled",
    "--track.every",
    "10",
    "--track.samples-every",
    "200",
    "--train.validate-every",
    "50",
    "--parallel.devices",
    "1",
]


def command(run_dir: Path, steps: int, *extra: str) -> list[str]:
    script = [sys.executable, str(ROOT / "scripts" / "train.py"), "--config", "wgan_gp", "--run-dir", str(run_dir)]
    return [*script, *SMALL, "--train.steps", str(steps), *extra]


def rows(run_dir: Path) -> list[dict]:
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if not name.startswith("time/")} for line in lines]


def wait_for(path: Path, process: subprocess.Popen, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"no {path.name} after {seconds} s"
        time.sleep(0.02)


@pytest.fixture
def environment() -> dict[str, str]:
    """The user's, with this session's compilation cache."""
    return os.environ | {"JAX_COMPILATION_CACHE_DIR": str(jax.config.jax_compilation_cache_dir)}


def test_a_killed_run_resumes_bitwise(tmp_path, environment):
    """train(2N) = train(N), SIGKILL, train(2N): parameters, optimisers, averages and metrics, bit for bit."""
    whole = command(tmp_path / "whole", 400, "--checkpoint.every", "100")
    subprocess.run(whole, env=environment, check=True, capture_output=True, timeout=300)

    killed = command(tmp_path / "killed", 400, "--checkpoint.every", "100")
    process = subprocess.Popen(killed, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    wait_for(tmp_path / "killed" / "checkpoints" / "200", process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "checkpoints" / "400").exists()
    subprocess.run(killed, env=environment, check=True, capture_output=True, timeout=300)

    jax.tree.map(np.testing.assert_array_equal, load(tmp_path / "whole").state, load(tmp_path / "killed").state)
    assert rows(tmp_path / "whole") == rows(tmp_path / "killed")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_exits_cleanly(tmp_path, environment, number):
    run = command(tmp_path, 1_000_000, "--checkpoint.every", "100000")
    process = subprocess.Popen(run, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    metrics = tmp_path / "metrics.jsonl"
    wait_for(metrics, process)
    while not metrics.read_text():
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in err
    assert out == ""
    assert err.splitlines()[-1].startswith(f"stopped by {number.name}; the same command continues")
    step = load(tmp_path).state.step
    assert 0 < step < 1_000_000


def test_the_terminal_shows_nothing_but_progress(tmp_path, environment):
    done = subprocess.run(
        command(tmp_path, 20, "--track.wandb", "offline"), env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0
    assert done.stdout == ""
    assert all(line.startswith(("step ", "done: ")) for line in done.stderr.splitlines()), done.stderr


def test_training_does_not_import_tensorflow(environment):
    program = (
        "import sys; from genlab import cli, model; from genlab.train import loop; import genlab.data.sources; "
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], env=environment, timeout=120).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--config nope", "config: no preset 'nope'; there are aae, acgan, ae, "),
        (
            "--train.stepz 3",
            "no such flag; there are --train.ema, --train.ema-halflife, --train.patience, --train.seed",
        ),
        ("--foo.bar 3", "--foo.bar: no such flag; there are --checkpoint.*, --config, --data.*"),
        ("extra", "'extra' is not allowed; it belongs to no flag"),
        ("--train.steps abc", "--train.steps: 'abc' is not an integer"),
        ("--train.steps 0", "train.steps: 0 is not at least 1"),
        ("--train.ema x", "--train.ema: 'x' is not a number"),
        ("--method.n-critic 0", "method.n_critic: 0 is not at least 1"),
        ("--method.critic.norm batch", "method.critic.norm: 'batch' is not allowed in a critic"),
        ("--method.critic.width 0", "method.critic.width: 0 is not at least 1"),
        (
            "--config gan --method.penalty.where real --method.penalty.target 0",
            "method.penalty.weight: 0.0 is not above 0, and without it where = 'real', target = 0.0 would do nothing; "
            "give --method.penalty.weight",
        ),
        ("--method.critic-optimizer.b1 1.5", "b1: 1.5 is not in [0, 1)"),
        ("--parallel.mapper vmap", "'--parallel.mapper'. Expected one of ('pmap', 'shard_map')"),
        ("--data.name nope", "data.name: nope; digits, points:"),
        (
            "--config vae --method.n-critic 3",
            "--method.n-critic: no such flag; there are --method.classes, --method.latent",
        ),
        ("--method.generator-optimizer.learning-rate -1", "learning_rate: -1.0 is not above 0"),
    ],
)
def test_a_mistake_gets_one_line_that_names_what_is_allowed(arguments, words):
    with pytest.raises(Invalid) as error:
        cli.parse(arguments.split())
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("columns", ["40", "100"])
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--train.stepz 3", "--train.stepz: no such flag; there are --train.ema, "),
        ("--train.steps", "Missing value for argument '--train.steps'. Expected 1 values."),
        ("--train.steps 2.5", "--train.steps: '2.5' is not an integer"),
        ("--train.ema x", "--train.ema: 'x' is not a number"),
        ("--train.ema 2", "train.ema: 2.0 is not in [0, 1)"),
        ("--method.critic.width 0", "method.critic.width: 0 is not at least 1"),
        ("--parallel.mapper v", "invalid choice 'v' for argument '--parallel.mapper'. Expected one of ('pmap', "),
        ("--method.generator-optimizer.b2 1", "method.generator-optimizer.b2: 1.0 is not in [0, 1)"),
        (
            "--data.name a-name-of-data-that-is-longer-than-a-line-and-has-many-hyphens-at-which-it-could-be-broken",
            "data.name: a-name-of-data-that-is-longer-than-a-line-and-has-many-hyphens-at-which-it-could-be-broken; ",
        ),
    ],
)
def test_a_mistake_is_told_in_these_words_however_narrow_the_terminal(monkeypatch, arguments, line, columns):
    """tyro frames its complaints and breaks them, names too, where the terminal ends; all its words are read here."""
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(Invalid) as error:
        cli.parse(arguments.split())
    assert str(error.value) == line or line.endswith(("; ", ", ")) and str(error.value).startswith(line)
    assert os.environ["COLUMNS"] == columns


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
@pytest.mark.parametrize(
    ("arguments", "code", "said", "complaint"),
    [
        ("--train.stepz 3", 2, "", "error: --train.stepz: no such flag; there are --train.ema, "),
        ("--train.ema 2", 2, "", "error: train.ema: 2.0 is not in [0, 1)"),
        ("--data.dir \u2192 --dry-run", 0, "data.dir = '\\u2192'", ""),
    ],
)
def test_a_terminal_of_few_characters_is_told_the_same(root, encoding, arguments, code, said, complaint):
    """tyro's frames are then of other characters; what cannot be shown is spelt."""
    asked = [sys.executable, "scripts/train.py", *arguments.split()]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(asked, cwd=root, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == code
    assert said in done.stdout and done.stderr.startswith(complaint) and done.stderr.count("\n") == bool(complaint)


def test_what_is_missing_is_named(root):
    done = subprocess.run([sys.executable, "scripts/sample.py"], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: Missing from scripts/sample.py: PATH Folder of the run. (required)\n"


def test_a_mistake_ends_with_code_2_and_no_traceback(tmp_path):
    run = [sys.executable, str(ROOT / "scripts" / "train.py"), "--run-dir", str(tmp_path / "run"), "--train.steps", "0"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: train.steps: 0 is not at least 1\n"
    assert not (tmp_path / "run").exists()


def test_every_flag_has_its_promised_name(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.parse(["--help"])
    assert not stop.value.code
    text = capsys.readouterr().out
    for flag in [
        "--config",
        "--run-dir",
        "--dry-run",
        "--data.name",
        "--data.dir",
        "--data.batch-size",
        "--data.image-size",
        "--train.steps",
        "--train.seed",
        "--checkpoint.every",
        "--checkpoint.keep",
        "--track.wandb",
        "--parallel.mapper",
        "--parallel.devices",
    ]:
        assert flag in text
    assert "Iterations in all" in text  # the fields' docstrings are the help


def test_a_dry_run_prints_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = [sys.executable, str(ROOT / "scripts" / "train.py"), "--dry-run", "--train.steps", "7"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert "train.steps = 7\n" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_presets_are_found_where_there_is_no_checkout(tmp_path):
    """The scripts beside a package laid out as its wheel is."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for source, place in ({name: name for name in wheel["packages"]} | wheel["force-include"]).items():
        shutil.copytree(ROOT / source, tmp_path / "site" / place, ignore=shutil.ignore_patterns("__pycache__"))
    asked = [sys.executable, str(ROOT / "scripts" / "train.py"), "--config", "vae_mnist", "--dry-run"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(asked, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert "data.name = 'tfds:mnist'\n" in done.stdout


def test_a_reader_that_goes_away_is_no_fault(environment):
    """As in `--dry-run | head -1`."""
    asked = [sys.executable, "scripts/train.py", "--config", "wgan_gp", "--dry-run"]
    process = subprocess.Popen(asked, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    complaint = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), complaint) == (128 + signal.SIGPIPE, b"")
