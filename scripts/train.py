"""Train a generative model: `python scripts/train.py --config wgan_gp`. The same command again continues the run."""

import sys

from genlab.train import cli


def command(argv: list[str]) -> int:
    """Train as the arguments say; 0 when done or asked to stop, 1 when the losses diverged."""
    wish = cli.parse(argv)
    if wish.dry_run:
        print(cli.describe(wish.settings))
        return 0
    from genlab.train.loop import Diverged, train

    try:
        stopped = train(wish.settings, wish.run_dir)
    except Diverged as error:
        print(f"stopped: {error} in {wish.run_dir}", file=sys.stderr)
        return 1
    done = f"stopped by {stopped}; the same command continues" if stopped else "done"
    print(f"{done}: {wish.run_dir}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    cli.main(command)
