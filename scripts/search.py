"""Search settings: `python scripts/search.py --config wgan_gp --space space.toml --trials 100`."""

import sys
from pathlib import Path

from genlab import cli
from genlab.lab.campaign import Command, run


def command(argv: list[str]) -> None:
    """Search as the arguments say."""
    args = cli.parse(argv, Command, Path("runs/search"))
    if args.dry_run:
        print(cli.describe(args.settings))
        return
    run(args, [sys.executable, str(Path(__file__).resolve()), *argv, "--workers", "1", "--launcher", "here"])


if __name__ == "__main__":
    cli.main(command)
