"""Compare runs by configuration, seeds apart: `python scripts/compare.py runs/a-0 runs/a-1 runs/b-0 runs/b-1`."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from genlab import cli
from genlab.lab.scores import Which
from genlab.lab.statistics import Bootstrap


@dataclass(frozen=True)
class Command(Bootstrap):
    """Print what differs between configurations and their scores over seeds; draw them, with curves and samples."""

    run_dirs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Folders of runs, or folders of such folders."""
    which: Which = "last"
    """The checkpoint whose scores are compared: the last, or the best by its validation."""
    out: Path = Path("comparison.html")
    """The page, which needs no other file; the picture is put beside it, as .png."""


def command(argv: list[str]) -> None:
    """Read, compare, print, draw."""
    settings = cli.arguments(Command, argv)
    from genlab.errors import require
    from genlab.lab.compare import compare, text
    from genlab.lab.compare_figures import picture
    from genlab.lab.compare_page import page
    from genlab.track.atomic import atomic_write

    require(settings.out.suffix == ".html", "out", str(settings.out), "an .html file")
    comparison = compare(settings.run_dirs, settings.which, settings)
    print(text(comparison))
    written = {settings.out.with_suffix(".png"): picture(comparison), settings.out: page(comparison).encode()}
    for out, content in written.items():
        with atomic_write(out) as part:
            part.write_bytes(content)
        print(out)


if __name__ == "__main__":
    cli.main(command)
