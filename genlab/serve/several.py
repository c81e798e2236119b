"""The page of several runs: their comparison, and behind it each one's own page."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from genlab.errors import Invalid
from genlab.lab.compare import compare
from genlab.lab.compare_page import page
from genlab.lab.statistics import Bootstrap
from genlab.model import load
from genlab.serve import server

# the page has its style and its pictures in itself, and runs nothing
POLICY = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


def app(folders: Sequence[Path], weights: Mapping[str, Any]) -> Any:
    """The runs' comparison as an ASGI application; it is made anew whenever it is asked for.

    Each run's own page, of the `weights` that these arguments of `load` choose, is made when it is first asked for.

    Raises:
        Invalid: what `compare` raises, or Starlette is not installed.
    """
    server.require_starlette()
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Mount, Route

    compare(folders, "last", Bootstrap())  # so that what cannot be compared is not served
    links = {folder: f"runs/{number}/" for number, folder in enumerate(folders)}

    def comparison(request: Request) -> Response:
        try:
            content = page(compare(folders, "last", Bootstrap()), links)
        except Invalid as error:
            return PlainTextResponse(f"{error}\n", 400)
        return Response(content, media_type="text/html", headers=POLICY)

    def own_page(folder: Path) -> Any:
        return server.app(load(folder, **weights), folder)

    runs = [
        Mount(f"/{link}".rstrip("/"), on_demand(functools.partial(own_page, folder))) for folder, link in links.items()
    ]
    return Starlette(routes=[Route("/", comparison), *runs])


def on_demand(make: Callable[[], Any]) -> Any:
    """An ASGI application that is made when it is first asked for; until it can be, the answer says why not."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import PlainTextResponse

    made = functools.cache(make)

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        try:
            application = await run_in_threadpool(made)
        except Invalid as error:
            application = PlainTextResponse(f"{error}\n", 400)
        await application(scope, receive, send)

    return answer
