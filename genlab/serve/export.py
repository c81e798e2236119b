"""An export: a folder that appears whole or not at all."""

import hashlib
from datetime import date
from pathlib import Path

from genlab.errors import Invalid, require
from genlab.model import Model
from genlab.serve.card import card
from genlab.serve.program import programs, weights
from genlab.track.atomic import atomic_write
from genlab.track.folder import RunFolder


def write(model: Model, run: Path, out: Path) -> None:
    """Write `<program>.stablehlo`, weights.safetensors, config.json and README.md, the model card, to a new folder.

    Raises:
        Invalid: `out` has a suffix, holds something or cannot be written; the method cannot be exported; the run is
            damaged.
    """
    from safetensors.numpy import save

    folder = RunFolder.open(run)
    require(not out.suffix, "out", str(out), "a folder, whose name has no suffix")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise Invalid(f"out: {out}; must be an empty folder, or not exist yet")
    files = {f"{name}.stablehlo": program for name, program in programs(model).items()}
    files["weights.safetensors"] = save(weights(model))
    files["config.json"] = folder.config.read_bytes()
    digest = hashlib.sha256(files["weights.safetensors"]).hexdigest()
    files["README.md"] = card(model, folder, date.today(), digest).encode()
    with atomic_write(out) as place:
        place.mkdir()
        for name, content in files.items():
            (place / name).write_bytes(content)
