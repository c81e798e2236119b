"""The model card of an export: what the model is, how it was made and measured, how to use it."""

import calendar
import json
from datetime import date
from pathlib import Path
from typing import Any

import jax

from genlab.cli import describe
from genlab.errors import Invalid
from genlab.evaluate.protocol import Stamp, describe_stamp
from genlab.model import Model
from genlab.track.folder import RunFolder

RELOAD = """\
import hashlib
from pathlib import Path
import numpy as np
from jax import export
from safetensors.numpy import load
held = Path("weights.safetensors").read_bytes()
if hashlib.sha256(held).hexdigest() != "{digest}":
    raise SystemExit("weights.safetensors is damaged")
weights = load(held)
sample = export.deserialize(bytearray(Path("sample.stablehlo").read_bytes()))
x = sample.call({arguments})
"""


def card(model: Model, folder: RunFolder, day: date, digest: str) -> str:
    """The card, as Markdown, of an export made on `day`; its code uses weights of this SHA-256, and no others.

    Raises:
        Invalid: the run's versions or evaluations cannot be read.
    """
    step, images = int(model.state.step), len(model.shape) == 3
    labels = ", labels" if model.conditional else ""
    arguments = "weights, np.uint32(0), np.arange(64, dtype=np.int32)"
    if model.conditional:
        arguments += f", np.arange(64, dtype=np.int32) % {len(model.classes)}"
    what = "float32 images in [-1, 1]" if images else "float32 points"
    title = (type(model.method).__doc__ or "").splitlines()[0].partition(":")[0]
    about = {
        "Data": f"`{model.config.data.name}`, examples of shape {model.shape}"
        + (f", classes {', '.join(model.classes)}" if model.classes else ""),
        "Weights": f"iteration {step:,}, {_average(model) if model.ema else 'those of the last iteration'}",
        "Made with": ", ".join(f"{name} {version}" for name, version in _versions(folder.versions).items()),
    }
    return f"""# {title.rstrip(".")}

{"".join(f"- {name}: {text}{chr(10)}" for name, text in about.items())}
## Use

With `jax`, `flatbuffers` and `safetensors`, in this folder; genlab is not needed:

```python
{RELOAD.format(arguments=arguments, digest=digest)}```

`x` is {what}, (64, {", ".join(map(str, model.shape))}){"; `((x + 1) * 127.5).round()` are pixels" if images else ""}.
Sample i depends on the seed and i alone. {_other_programs(model, labels)} All run on CPUs, NVIDIA GPUs
and TPUs, on any number of examples, inside `jax.jit` too.

## Until when

{_compatibility(model, step, day)}
## Scores

{_scores(folder.path / "evaluation.jsonl", step, model)}
## Configuration

```
{describe(model.config)}
```
"""


def _average(model: Model) -> str:
    return "averaged (EMA)" if model.decay is None else f"averaged (EMA of decay {model.decay:g})"


def _compatibility(model: Model, step: int, day: date) -> str:
    """How long JAX promises to run the programs, and how to make them anew (docs.jax.dev, `jax.export`)."""
    flag = ("" if model.ema else " --no-ema") + ("" if model.decay is None else f" --decay {model.decay:g}")
    return f"""\
jax {jax.__version__} made these programs on {day:%-d %B %Y}. JAX promises to run them by its releases that are up to
six months newer than that one, or up to three weeks older. The months count from its release, not from the export:
they end by {half_a_year_after(day):%-d %B %Y} at the latest. After that, keep to jax {jax.__version__}, or make the
programs anew with genlab, a newer JAX and the folder of the run; the weights stay as they are.

```
python scripts/export.py RUN_DIR --step {step}{flag} --out FOLDER
```
"""


def half_a_year_after(day: date) -> date:
    """The same day six months on, or the last of a month that is too short."""
    year, month = day.year + (day.month > 6), (day.month + 5) % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _other_programs(model: Model, labels: str) -> str:
    """What there is beside the samples."""
    decode = (
        f"`decode.stablehlo` is called with `weights, z{labels}`, z being float32 (any number, {model.method.latent})"
    )
    encode = f"; `encode.stablehlo` with `weights, x{labels}`, to such z" if model.encodes else ""
    return f"Beside it, {decode}{encode}."


def _versions(path: Path) -> dict[str, str]:
    """What the run was made with."""
    try:
        return {str(name): str(version) for name, version in json.loads(path.read_text()).items()}
    except (OSError, ValueError, AttributeError) as error:
        raise Invalid(f"run-dir: {path} cannot be read ({error}); it must be as genlab wrote it") from None


def _scores(path: Path, step: int, model: Model) -> str:
    """The evaluations of these weights, each with the protocol of its numbers."""
    lines = path.read_text().splitlines() if path.is_file() else []
    average = "" if model.decay is None else f"(ema {model.decay:g})"

    def of_these(row: dict[str, Any]) -> bool:
        own = row.get("which", "")
        same = row.get("step") == step and row["stamp"].get("ema", model.ema) == model.ema
        return same and (average in own if average else "(ema" not in own)

    try:
        evaluated = [row for row in map(json.loads, lines) if of_these(row)]
        parts = [f"{_stamp(row['stamp'])}:\n\n{_table(row['scores'], row.get('spread', {}))}" for row in evaluated]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Invalid(f"run-dir: {path} cannot be read ({error}); it must be as genlab wrote it") from None
    return "\n".join(dict.fromkeys(parts)) or "These weights have not been evaluated.\n"


def _stamp(written: dict[str, Any]) -> str:
    stamp: dict[str, Any] = {name: tuple(x) if isinstance(x, list) else x for name, x in written.items()}
    return describe_stamp(Stamp(**stamp))


def _table(scores: dict[str, int | float], spread: dict[str, int | float]) -> str:
    """A row for each score, with its standard deviation over the seeds of sampling where there were several."""
    rows = [
        f"| {name.replace('_', ' ')} | {value:.4g} | {f'{spread[name]:.1g}' if name in spread else ''} |"
        for name, value in scores.items()
    ]
    return "\n".join(["| score | value | deviation over seeds |", "|---|---|---|", *rows, ""])
