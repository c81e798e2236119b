"""Requests to the page: whatever their parameters are, a picture or one line that names what is wrong."""

import asyncio
import json
from urllib.parse import unquote, urlencode

import pytest

import genlab
from genlab.serve import explorer
from genlab.serve.server import app

NUMBERS = [
    "0",
    "5",
    "59",
    "60",
    "-1",
    "",
    "nan",
    "inf",
    "x",
    "1.5",
    "9" * 30,
    "9" * 5000,
    "\u0663",
    " 7 ",
    "\x00",
    "0x1",
]
GOOD = {
    "/original.png": {"point": "5"},
    "/decoded.png": {"point": "5", "along": "1,-0.5", "label": "1"},
    "/between.png": {"start": "5", "end": "7", "steps": "4", "how": "lerp", "label": "1"},
}
OTHER = {
    "along": ["nan", "inf,1", "1e309", "1,,2", ",", "1;2", "101", "-100.5", ",".join("0" * 100), "x", "9" * 400],
    "how": ["", "slerp", "geodesic", "\n", "lerp\x00", "LERP"],
}
PATHS = [
    "/nope",
    "/samples/",
    "/samples/../config.json",
    "/samples/%2e%2e/config.json",
    "/samples//etc/passwd",
    "/page/",
]
PATHS += ["/page/..%2fserver.py", "/samples/%00", "/samples/" + "a" * 5000, "/%ff"]


@pytest.fixture(scope="module", params=["cgan", "vae"])
def page(request, trained):
    """`page(path, query)`: the status and the body of the answer, asked as a server asks; exceptions come through."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explorer, "POINTS", 60)
        run = trained(request.param)
        application = app(genlab.load(run), run)

    def ask(path, query=(), method="GET"):
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path, errors="replace"),
            "headers": [],
            "root_path": "",
        }
        scope |= {"query_string": urlencode(query).encode(), "scheme": "http", "server": ("localhost", 80)}
        sent = []

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        asyncio.run(application(scope, receive, send))
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)

    return ask


def refusal(page, path, query):
    """The one line in place of a picture; None for a picture."""
    status, body = page(path, query)
    assert status in (200, 400), (path, query, body)
    if status == 200:
        assert body.startswith(b"\x89PNG")
        return None
    text = body.decode()
    assert text.endswith("\n") and text.count("\n") == 1 and len(text) < 6000, text
    return text


@pytest.mark.parametrize("path", GOOD)
def test_a_parameter_that_is_wrong_is_named(path, draw, page):
    conditional = json.loads(page("/run.json")[1])["conditional"]
    assert refusal(page, path, GOOD[path]) is None
    for name in GOOD[path]:
        rest = {other: value for other, value in GOOD[path].items() if other != name}
        if name not in ("along", "label"):
            assert f"{name}:" in refusal(page, path, rest)
        for value in draw.sample(OTHER.get(name, NUMBERS), 6):
            said = refusal(page, path, rest | {name: value})
            assert said is None or said.startswith(f"{name}:"), (name, value, said)
            right = (
                name in OTHER or value in ("0", "5", "59") or (name == "label" and not value) or value.strip() == "7"
            )
            assert said or right or value == "\u0663" or (name == "label" and not conditional)
        refusal(page, path, list(GOOD[path].items()) + [(name, draw.choice(NUMBERS))])  # twice


@pytest.mark.parametrize("path", PATHS)
def test_a_strange_path_is_not_found(path, page):
    assert page(path)[0] in (400, 404, 405)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "NOPE"])
def test_nothing_can_be_sent(method, page):
    assert page("/run.json", method=method)[0] == 405
