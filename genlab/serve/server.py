"""The page that explores a trained model, served to this machine alone unless another host is given."""

import errno
import importlib.util
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from genlab import methods
from genlab.errors import Invalid, require
from genlab.model import Model
from genlab.serve.explorer import Explorer, make_map
from genlab.track import history
from genlab.track.folder import RunFolder

T = TypeVar("T")
PAGE = Path(__file__).parent / "page"
LOCAL = ("127.0.0.1", "localhost", "::1")
# the page loads nothing from anywhere else, and no other page can have it in a frame
POLICY = {"Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'", "Cache-Control": "no-store"}


def require_starlette() -> None:
    """Raise `Invalid` where Starlette is not installed."""
    if importlib.util.find_spec("starlette") is None:
        raise Invalid('explore: needs Starlette and uvicorn; pip install -e ".[explore]"')


def app(model: Model, run: Path) -> Any:
    """The page as an ASGI application.

    Raises:
        Invalid: Starlette is not installed.
    """
    require_starlette()
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, PlainTextResponse, Response
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

    folder, explorer = RunFolder.open(run), Explorer(model, make_map(model))

    def png(draw: Callable[[dict[str, str]], bytes]) -> Callable[[Request], Response]:
        """A route that draws what its query asks for."""

        def answer(request: Request) -> Response:
            try:
                return Response(draw(dict(request.query_params)), media_type="image/png", headers=POLICY)
            except Invalid as error:
                return PlainTextResponse(f"{error}\n", 400)

        return answer

    def original(query: dict[str, str]) -> bytes:
        return explorer.original(_number(int, "point", query.get("point")))

    def decoded(query: dict[str, str]) -> bytes:
        along = tuple(_number(float, "along", step) for step in query.get("along", "").split(",") if step)
        return explorer.decoded(_number(int, "point", query.get("point")), along, _label(query))

    def between(query: dict[str, str]) -> bytes:
        start, end, steps = (_number(int, name, query.get(name)) for name in ("start", "end", "steps"))
        return explorer.between(start, end, steps, query.get("how", ""), _label(query))

    def facts(request: Request) -> Response:
        return JSONResponse(_facts(explorer, folder), headers=POLICY)

    def index(request: Request) -> Response:
        return Response((PAGE / "index.html").read_text(), media_type="text/html", headers=POLICY)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/run.json", facts),
            Route("/original.png", png(original)),
            Route("/decoded.png", png(decoded)),
            Route("/between.png", png(between)),
            Route("/atlas.png", png(lambda query: explorer.atlas())),
            Mount("/samples", StaticFiles(directory=folder.samples)),
            Mount("/page", StaticFiles(directory=PAGE)),
        ]
    )


def serve(application: Any, host: str, port: int) -> None:
    """Serve until interrupted.

    A page on this machine answers to this machine's names only, so that no other site can reach it through a name of
    its own.

    Raises:
        Invalid: the address cannot be served.
    """
    import uvicorn
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    require(0 <= port < 2**16, "port", port, "from 0 (any that is free) to 65535")
    require(bool(host), "host", host, "an address; 0.0.0.0 is every one of this machine's")
    if host in LOCAL:
        # "[::1]:80" is of the host "[::1]" to newer Starlettes, to older ones of "[", which is no name of a site's
        application.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOCAL, "[::1]", "["], www_redirect=False)
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()  # who comes before the server is up waits
    except (OSError, TypeError) as error:  # the latter of a name that cannot be spelt as one of a machine
        listening.close()
        code, reason = getattr(error, "errno", None), getattr(error, "strerror", None) or error
        field = "port" if code in (errno.EADDRINUSE, errno.EACCES) else "host"
        raise Invalid(f"{field}: {host}:{port} cannot be served ({reason})") from None
    print(f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/  (Ctrl-C ends it)", flush=True)
    settings = uvicorn.Config(application, log_level="warning", lifespan="off", ws="none", timeout_graceful_shutdown=2)
    uvicorn.Server(settings).run(sockets=[listening])


def _label(query: dict[str, str]) -> int | None:
    return _number(int, "label", query["label"]) if query.get("label") else None


def _number(kind: Callable[[str], T], name: str, text: str | None) -> T:
    """The number that a parameter spells. Raises `Invalid` by its name where it is absent or spells none."""
    try:
        return kind(text or "")
    except ValueError:
        raise Invalid(f"{name}: {text!r:.40} is not a number of its kind") from None


def _facts(explorer: Explorer, folder: RunFolder) -> dict[str, Any]:
    """All that the page fetches at once."""
    model, latent_map = explorer.model, explorer.map
    return {
        "run": folder.path.resolve().name,
        "method": methods.name_of(model.method),
        "data": model.config.data.name,
        "step": int(model.state.step),
        "ema": model.ema,
        "images": len(model.shape) == 3,
        "classes": model.classes,
        "conditional": model.conditional,
        "encoded": latent_map.real is not None,
        "path": "slerp" if model.gaussian else "lerp",
        "about": latent_map.about,
        "places": latent_map.places.round(4).tolist(),
        "labels": latent_map.labels.tolist(),
        "directions": len(latent_map.directions),
        "headline": [*model.method.headline, model.method.monitor],
        "curves": {name: history.thinned(values) for name, values in history.curves(folder).items()},
        "pictures": history.pictures(folder),
    }
