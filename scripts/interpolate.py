"""Walk through a model's latent space: `python scripts/interpolate.py runs/wgan_gp --between 0 1 2 --out walk.gif`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from genlab import cli


@dataclass(frozen=True)
class Command:
    """Images between samples, or between images that are encoded, or projected by a method without an encoder."""

    run_dir: tyro.conf.Positional[Path]
    """Folder of the run."""
    between: tuple[str, ...] = ("0", "1", "2")
    """Seeds (the first sample of each) and image files."""
    steps: int = 16
    """Images from one to the next, both included."""
    method: Literal["lerp", "slerp", "geodesic"] | None = None
    """Line, arc, or the shortest way as the decoder sees it; by default slerp where latents are N(0, I), else lerp."""
    out: Path = Path("interpolation.gif")
    """A picture with a row from each to the next (.png), or a film that returns to its start (.gif, .mp4)."""
    label: str | None = None
    """The class of all images, by name, of a conditional method."""
    weights: Annotated[cli.Weights, tyro.conf.arg(name="")] = cli.Weights()


def command(argv: list[str]) -> None:
    """Load, interpolate, write."""
    settings = cli.arguments(Command, argv)
    from genlab.errors import require
    from genlab.latent import interpolation
    from genlab.model import load
    from genlab.track.atomic import atomic_write
    from genlab.track.film import FILMS, write_film
    from genlab.track.grids import picture, tile

    require(settings.out.suffix in (".png", *FILMS), "out", str(settings.out), "a .png, .gif or .mp4 file")
    model = load(settings.run_dir, **vars(settings.weights))
    label = model.class_indices((settings.label,))[0] if settings.label is not None else None
    with atomic_write(settings.out) as part:
        if settings.out.suffix == ".png":
            images = interpolation.frames(model, settings.between, settings.steps, settings.method, label)
            picture(tile(images, settings.steps)).save(part)
        else:
            write_film(
                part, interpolation.looping_frames(model, settings.between, settings.steps, settings.method, label)
            )
    print(settings.out)


if __name__ == "__main__":
    cli.main(command)
