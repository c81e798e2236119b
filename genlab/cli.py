"""From the command line to a configuration, and from a mistake to one clear line."""

import argparse
import contextlib
import difflib
import io
import itertools
import logging
import os
import re
import runpy
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import jax
import tyro

from genlab.config.plain import flatten, to_dict
from genlab.config.sections import Config, resolved
from genlab.errors import Invalid, Seed, Stopped, check_fields
from genlab.kernels.corruption import Corruption
from genlab.kernels.penalty import Penalty
from genlab.methods.game import Method
from genlab.parts.contraction import Contraction
from genlab.parts.sparsity import Sparsity

T = TypeVar("T")
FLAG = re.compile(r"--[a-z][a-z0-9.-]*")
# in tyro's help, whose columns are two spaces or a frame apart: a flag with no value behind it, and its negation
SWITCH = re.compile(rf"({FLAG.pattern})(?:, ({FLAG.pattern}))?(?= *$| *│|  )", re.M)
PACKAGE = Path(__file__).resolve().parent
# in the package where it was installed from a wheel, beside it in a checkout
CONFIGS = PACKAGE / "configs" if (PACKAGE / "configs").is_dir() else PACKAGE.parent / "configs"

# the setting that says whether a part does anything, and what it is if so
SWITCHES: dict[type, tuple[str, str]] = {
    Penalty: ("weight", "above 0"),
    Contraction: ("weight", "above 0"),
    Corruption: ("level", "above 0"),
    Sparsity: ("kind", "kl or l1"),
}


@dataclass(frozen=True)
class Configured:
    """What every command is told that trains."""

    config: str
    """Preset: a file of configs/; the flags below change it."""
    run_dir: Path
    """Folder of the run."""
    settings: Annotated[Config, tyro.conf.arg(name="")]
    dry_run: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the resolved configuration and stop."""


@dataclass(frozen=True)
class Command(Configured):
    """Train a generative model. The same command again continues the run."""

    seeds: tuple[Seed, ...] = ()
    """Train several seeds together, each in RUN_DIR/seed_SEED: these, or with one number so many, from 0."""
    vary: Annotated[tuple[tuple[str, ...], ...], tyro.conf.UseAppendAction] = ()
    """A setting and its values, as `--vary train.ema 0.99 0.999`: a run of each, with every seed, trained together as
    far as one program can. Given several times, every combination."""


@dataclass(frozen=True)
class Weights:
    """Which weights of a run are loaded."""

    step: int | None = None
    """Which checkpoint; the newest by default."""
    ema: bool = True
    """Averaged weights, or those of the last iteration."""
    decay: float | None = None
    """Which average, of a run that has several: its decay, one of train.ema; the first by default."""

    def __post_init__(self) -> None:
        check_fields(self)


C = TypeVar("C", bound=Configured)


def parse(argv: Sequence[str], kind: type[C] = Command, runs: Path = Path("runs")) -> C:  # type: ignore[assignment]
    """The command that the arguments spell, of a run in a folder of `runs` unless they say otherwise.

    Raises:
        Invalid: an unknown preset, flag or value; the message says what is allowed.
        SystemExit: after printing help.
    """
    argv = [re.sub("^--init-from(?==|$)", "--init.run-dir", argument) for argument in argv]
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config", default="wgan_gp")
    name = first.parse_known_args(list(argv))[0].config
    default = kind(name, runs / name, preset(name))
    command = arguments(kind, argv, default)
    _check_unused_penalty(default.settings.method, command.settings.method)
    return command


def spell(name: str, settings: Config) -> list[str]:
    """The arguments, `--config` with the preset's name and a flag for every setting that differs, that `parse` reads as
    these settings."""
    before, after = (flatten(to_dict(config)) for config in (preset(name), settings))
    changed = {setting: value for setting, value in after.items() if value != before[setting]}
    return ["--config", name, *(word for setting, value in changed.items() for word in flag(setting, value))]


def flag(setting: str, value: Any) -> list[str]:
    """The arguments that give a setting, `train.steps`, a value: a number, text, a switch, a list of these, or None."""
    section, _, last = setting.replace("_", "-").rpartition(".")
    if isinstance(value, bool):
        return [f"--{section}.{last}" if value else f"--{section}.no-{last}"]
    words = list(map(str, value if isinstance(value, list) else [value]))
    name = f"--{section}.{last}"
    return [f"{name}={words[0]}"] if len(words) == 1 and words[0].startswith("-") else [name, *words]


def _check_unused_penalty(preset: Method, method: Method) -> None:
    """That no flag shapes a part that is off in the preset, as a penalty without weight is, and was not switched on.

    Raises:
        Invalid: one does; without a word such a run would train as if it were not there.
    """
    for name, before in vars(preset).items():
        after = getattr(method, name)
        switch, on = SWITCHES.get(type(before), ("", ""))
        if not switch or before == after:
            continue
        value = getattr(after, switch)
        if value == getattr(before, switch) and value in (0, "none"):
            changed = ", ".join(f"{n} = {v!r}" for n, v in vars(after).items() if v != vars(before)[n])
            raise Invalid(
                f"method.{name}.{switch}: {value!r} is not {on}, and without it {changed} would do nothing; "
                f"give --method.{name}.{switch}"
            )


def arguments(kind: type[T], argv: Sequence[str], default: T | None = None) -> T:
    """Tyro's reading of `argv` as a dataclass.

    Raises:
        Invalid: tyro's complaint, in one line, or a number that no computation can hold.
        SystemExit: after printing help.
    """
    options: dict[str, Any] = {"config": (tyro.conf.AvoidSubcommands,)}
    if default is not None:
        options["default"] = default
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            found = tyro.cli(kind, args=list(argv), **options)
    except SystemExit as stop:
        if not stop.code:
            raise
    else:
        check_fields(found)
        return found
    complaint = _tyro_output(contextlib.redirect_stderr, kind, argv, options)
    help_text = _tyro_output(contextlib.redirect_stdout, kind, ["--help"], options)
    raise Invalid(_one_line(complaint, help_text, argv))


def _tyro_output(
    redirect: Callable[[io.StringIO], Any], kind: Any, argv: Sequence[str], options: dict[str, Any]
) -> str:
    """What tyro writes about arguments that it does not take, with no line broken, as it would break names in two."""
    text, columns = io.StringIO(), os.environ.get("COLUMNS")
    unicode = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # else the frame is of the terminal's characters
    os.environ["COLUMNS"] = "100000"
    try:
        with contextlib.redirect_stdout(unicode), redirect(text), contextlib.suppress(SystemExit):
            tyro.cli(kind, args=list(argv), **options)
    finally:
        del os.environ["COLUMNS"]
        if columns is not None:
            os.environ["COLUMNS"] = columns
    return text.getvalue()


def preset(name: str) -> Config:
    """The configuration that `configs/<name>.py` calls `config`.

    Raises:
        Invalid: there is no such preset.
    """
    known = presets(CONFIGS)
    if name not in known:
        raise Invalid(f"config: no preset {name!r}; there are {', '.join(known)}")
    return runpy.run_path(str(CONFIGS / f"{name}.py"))["config"]


def _one_line(complaint: str, help_text: str, argv: Sequence[str]) -> str:
    """Tyro's framed complaint as one line; an unknown flag is answered with the nearest ones, or with its section's.

    No public part of tyro gives the complaint without its frame, so its version is capped, and tests know every word.
    """
    body = [line.strip("│ ") for line in complaint.splitlines()[1:]]  # without the frame's title
    message = " ".join(itertools.takewhile(lambda line: not line.startswith(("──", "╰")), body)).strip()
    unknown = message.removeprefix("Unrecognized options:").strip()
    if not message.startswith("Unrecognized options:"):
        return _name_field(message)
    switches = {name for pair in SWITCH.findall(help_text) for name in pair if name}
    joined = (argument.partition("=")[::2] for argument in argv if "=" in argument)
    for flag, value in itertools.chain(joined, itertools.pairwise(argv)):  # tyro sees the value of a switch alone
        value_alone = not value.startswith("--") and f"{unknown}, ".startswith(f"{value}, ")
        if value_alone and flag.replace("_", "-") in switches:
            return f"{flag}: {value!r} is not allowed; it is a switch, without a value"
    first = re.split(r"[\s,=]", unknown)[0]
    if not first.startswith("-"):
        return f"{first!r} is not allowed; it belongs to no flag, which begin with --"
    return _name_nearest(first, set(FLAG.findall(help_text)))


def _name_nearest(flag: str, flags: set[str]) -> str:
    """What to say of a flag that does not exist: the nearest ones, or those of its section, or all sections'."""
    flag = flag.replace("_", "-")
    section = sorted(n for n in flags if "." in flag and n.rpartition(".")[0] == flag.rpartition(".")[0])
    near = difflib.get_close_matches(flag, flags, 3, cutoff=0.75)
    allowed = section or near or sorted({n.partition(".")[0] + (".*" if "." in n else "") for n in flags})
    return f"{flag}: no such flag; there {'are' if len(allowed) > 1 else 'is'} {', '.join(allowed)}"


def _name_field(message: str) -> str:
    """Tyro's message with the field named as the user names it: `train.steps: 0 ...`."""
    message = message.removeprefix("Error parsing ")
    message = re.sub(r"invalid literal for int\(\) with base 10: (.*)", r"\1 is not an integer", message)
    message = re.sub(r"could not convert string to float: (.*)", r"\1 is not a number", message)
    message = re.sub(r"no type matching FLOAT.* instantiated from \[(.*?)\]\..*", r"\1 is not a number", message)
    message = re.sub(r"Exceeds the limit .*value has (\d+) digits.*", r"it has \1 digits, which are too many", message)
    section, found, rest = message.removeprefix("settings.").partition(": ")
    if not message.startswith("settings.") or not found:
        return message
    above, _, last = section.rpartition(".")
    return f"{above}.{rest}".lstrip(".") if rest.startswith(f"{last}.") else f"{section}.{rest}"


def main(command: Callable[[list[str]], None]) -> None:
    """Run a script's command on the arguments, and exit as it ends: see `run`.

    Compiled programs are kept in the user's cache folder, so that a second start is quick.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as of stderr: what a terminal cannot show is spelt
    logging.basicConfig(format="%(message)s", level=logging.WARNING, force=True)
    for name in ("absl", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # Orbax logs whole traces of what it raises anyway
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        jax.config.update("jax_compilation_cache_dir", str(cache / "genlab" / "programs"))
    sys.exit(run(command, sys.argv[1:]))


def run(command: Callable[[list[str]], None], argv: list[str]) -> int:
    """Run a command; the code to exit with.

    What ends it early is printed in one line, with code 2 if the user can mend it and 1 otherwise.
    """
    try:
        command(argv)
        sys.stdout.flush()
        return 0
    except Invalid as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read the output has gone, as `| head` does; nothing is left to flush
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (Stopped, OSError) as error:
        print(f"stopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # before there is anything to save
        return 128 + signal.SIGINT


def describe(settings: Config) -> str:
    """The resolved configuration, one `section.field = value` to a line."""
    flat: dict[str, Any] = flatten(to_dict(resolved(settings)))
    return "\n".join(f"{name} = {value!r}" for name, value in flat.items())


def presets(folder: Path) -> list[str]:
    """Names of the presets in a folder of configurations."""
    return sorted(path.stem for path in folder.glob("*.py"))
