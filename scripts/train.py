"""Train a generative model: `python scripts/train.py --config wgan_gp`. The same command again continues the run."""

import sys

from genlab import cli


def command(argv: list[str]) -> None:
    """Train as the arguments say."""
    wish = cli.parse(argv)
    if wish.dry_run:
        print(cli.describe(wish.settings))
        return
    from genlab.evaluate.judge import make_judge
    from genlab.train.loop import train

    stopped = train(wish.settings, wish.run_dir, make_judge)
    done = f"stopped by {stopped}; the same command continues" if stopped else "done"
    print(f"{done}: {wish.run_dir}", file=sys.stderr)


if __name__ == "__main__":
    cli.main(command)
