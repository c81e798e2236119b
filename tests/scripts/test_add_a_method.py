"""The README's "Add a method", as it stands there: a file, a preset, and it trains, resumes, samples and evaluates."""

import json
import os
import re
import shutil
import subprocess
import sys


def test_a_method_is_added_as_the_readme_says(root, tmp_path):
    section = (root / "README.md").read_text().partition("## Add a method")[2].partition("\n## ")[0]
    method, preset = re.findall(r"```python\n(.*?)```", section, re.S)
    for part in ("genlab", "configs", "scripts"):
        shutil.copytree(root / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "genlab" / "methods" / "mine.py").write_text(method)
    (tmp_path / "configs" / "mine.py").write_text(preset)

    def run(script, *arguments):
        where = {"PYTHONPATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "WANDB_MODE": "disabled"}
        command = [sys.executable, str(tmp_path / "scripts" / script), *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=os.environ | where, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    small = [
        "--config",
        "mine",
        "--method.generator.width",
        "16",
        "--method.discriminator.width",
        "16",
        "--checkpoint.every",
        "3",
    ]
    run("train.py", *small, "--train.steps", "3")
    run("train.py", *small, "--train.steps", "6")
    rows = [json.loads(line) for line in (tmp_path / "runs" / "mine" / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 6 and "discriminator/loss" in rows[-1]
    run("sample.py", "runs/mine", "--n", "4", "--out", "drawn.png")
    assert (tmp_path / "drawn.png").stat().st_size > 0
    assert "frechet" in run("evaluate.py", "runs/mine", "--n", "50", "--extractor", "pixels")
