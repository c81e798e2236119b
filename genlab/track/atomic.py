"""Files and folders that are there whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from genlab.errors import Invalid


@contextmanager
def atomic_write(out: Path) -> Iterator[Path]:
    """A hidden place beside `out`, of the same suffix, for a file or a folder; it becomes `out` when all is written.

    What was at `out` stays until then, and whatever fails leaves nothing behind. A process that is killed leaves the
    hidden place, whose name begins with a dot and its number.

    Raises:
        Invalid: `out` is a folder that holds something, or cannot be written to, or there is no space.
    """
    if not out.name or "\0" in str(out):
        raise Invalid(f"out: {str(out)!r}; must name a file or a folder")
    part = out.with_name(f".{os.getpid()}.part.{out.name}")
    try:
        if out.is_dir() and any(out.iterdir()):
            raise Invalid(f"out: {out}; the folder must be empty")
        out.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(out)
    except OSError as error:
        reason = error.strerror or (str(error).splitlines() or [type(error).__name__])[0]
        raise Invalid(f"out: {out} cannot be written ({reason})") from None
    finally:
        with suppress(OSError):
            shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)
