"""A search from its command to its findings."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from genlab import cli
from genlab.errors import Invalid, Stopped, at_least
from genlab.lab import space as spaces
from genlab.lab.plan import Plan, Pruner, Sampler
from genlab.lab.space import Space
from genlab.track.atomic import atomic_write

if TYPE_CHECKING:
    from genlab.lab.study import Study


@dataclass(frozen=True)
class Command(cli.Configured):
    """Search settings, on Optuna. The same command again continues the study; from elsewhere, it adds workers to it."""

    run_dir: Path
    """Folder of the study, and its name."""
    space: Path | None = None
    """File of the settings to search: a table for each in TOML, see the README."""
    narrow: Path | None = None
    """In place of a file: folder of an earlier study, whose ranges are narrowed to what its best quarter spans."""
    trials: int = 100
    """Trials of the study, whoever runs them; a grid has no more than its points."""
    sampler: Sampler = "tpe"
    """How settings are drawn; qmc is a scrambled Sobol sequence."""
    pruner: Pruner = "median"
    """What ends a trial early, by the validations of its first run."""
    seeds: int = 1
    """Runs of a trial, of seeds train.seed, train.seed + 1, ...; it is scored by their mean."""
    storage: str | None = None
    """sqlite:///FILE or postgresql://USER@HOST/DATABASE; by default study.journal in the folder."""
    workers: int = 1
    """Trials that are trained at once; 0 only tells what has been found."""
    launcher: Literal["here", "slurm"] = "here"
    """Where workers run: slurm submits each as a job."""
    slurm: tuple[str, ...] = ()
    """Options of sbatch, as partition=gpu time=120."""


def run(args: Command, worker: Sequence[str]) -> None:
    """Take part in the study, or have others do so, and print what has been found.

    Args:
        worker: a command that starts one worker on this machine.

    Raises:
        Invalid: the command asks for what there is not; nothing was started, or written.
        Stopped: a signal ended it, or trials are left to others.
    """
    try:
        from genlab.lab import findings, search, study, workers
    except ImportError as error:
        raise Invalid(f'search: needs {error.name}; pip install -e ".[search]"') from None
    at_least(args, 1, "trials", "seeds")
    at_least(args, 0, "workers")
    plan = Plan(args.config, args.settings, _space(args), args.sampler, args.pruner, args.seeds)
    spaces.check(plan.preset, plan.settings, plan.space)
    wanted = plan.trials(args.trials)
    search.check_validation(plan.settings)
    if not args.workers and study.find(args.storage, args.run_dir) is None:
        raise Invalid(f"run_dir: there is no study {args.run_dir}; --workers 1 or more begins it")
    with study.Study(plan, args.storage, args.run_dir, args.narrow.name if args.narrow else "") as shared:
        _keep(plan.space, args.run_dir / "space.toml")
        failed = 0
        if args.launcher == "slurm" and args.workers:
            jobs = workers.submit(worker, args.workers, args.run_dir / "slurm", args.slurm)
            print(f"submitted {', '.join(job.job_id for job in jobs)}; --workers 0 tells what has been found")
            return
        if args.workers == 1:
            search.work(shared, wanted)
        elif args.workers:
            failed = workers.start_here(worker, args.workers, args.run_dir / "workers", _progress(shared))
        print(findings.tell(shared, wanted))
        left = wanted - sum(trial.state.is_finished() for trial in shared.trials())
    if failed and left > 0:
        raise Stopped(f"{failed} workers ended early, {left} trials are left; the same command continues")


def _space(args: Command) -> Space:
    """What to search: a file's space, or an earlier study's, narrowed once, when the study is begun."""
    from genlab.lab import findings, study

    if (args.space is None) == (args.narrow is None):
        both = "one of them, not both" if args.space else "a file of settings to search, unless there is --narrow"
        raise Invalid(f"space: {args.space} is not {both}")
    if args.space is not None:
        return spaces.read(args.space)
    assert args.narrow is not None
    begun = study.find(args.storage, args.run_dir)
    if begun is not None and begun.user_attrs.get("narrowed") == args.narrow.name:
        return spaces.from_dict(begun.user_attrs["plan"]["space"])
    earlier = study.find(args.storage, args.narrow)
    if earlier is None or "plan" not in earlier.user_attrs:
        raise Invalid(f"narrow: there is no study {args.narrow}; the folder of an earlier search is needed")
    return findings.best_quarter(earlier)


def _keep(space: Space, path: Path) -> None:
    """Leave the space beside the trials, for who reads the folder."""
    if not path.exists():
        with atomic_write(path) as part:
            part.write_text(spaces.to_toml(space))


def _progress(shared: "Study") -> Callable[[], None]:
    """A function that prints a line for each trial that has ended since it was last called."""
    from genlab.lab.study import outcome

    def ended() -> dict[int, str]:
        return {trial.number: outcome(trial) for trial in shared.trials() if trial.state.is_finished()}

    told = ended()

    def tell() -> None:
        for number, what in ended().items():
            if number not in told:
                print(f"trial {number}: {what}", file=sys.stderr)
                told[number] = what

    return tell
