"""Train a generative model: `python scripts/train.py --config wgan_gp`. The same command again continues the run."""

import sys

from genlab import cli


def command(argv: list[str]) -> None:
    """Train as the arguments say."""
    args = cli.parse(argv)
    if args.dry_run:
        print(cli.describe(args.settings))
        return
    from genlab.evaluate.scorer import make_scorer
    from genlab.train.loop import train

    stopped = train(args.settings, args.run_dir, make_scorer)
    done = f"stopped by {stopped}; the same command continues" if stopped else "done"
    print(f"{done}: {args.run_dir}", file=sys.stderr)


if __name__ == "__main__":
    cli.main(command)
