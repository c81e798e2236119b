"""Train a generative model: `python scripts/train.py --config wgan_gp`. The same command again continues the run."""

import sys

from genlab import cli


def command(argv: list[str]) -> None:
    """Train as the arguments say: one run, or one of every seed and setting that they name."""
    args = cli.parse(argv)
    from genlab.lab.members import members

    several = members(argv, args) if args.seeds or args.vary else {}
    if args.dry_run:
        print(cli.describe(args.settings), *(f"run {name}" for name in several), sep="\n")
        return
    from genlab.evaluate.scorer import make_scorer
    from genlab.lab.population import train_population
    from genlab.lab.rounds import Rounds
    from genlab.train.loop import train

    if several:
        stopped = train_population(several, args.run_dir, make_scorer, Rounds)
    else:
        stopped = train(args.settings, args.run_dir, make_scorer, make_diagnoser=Rounds)
    done = f"stopped by {stopped}; the same command continues" if stopped else "done"
    print(f"{done}: {args.run_dir}", file=sys.stderr)


if __name__ == "__main__":
    cli.main(command)
