"""Several runs behind one page, asked as a server asks."""

import asyncio
import re

import pytest

from genlab.errors import Invalid
from genlab.serve import explorer, several


@pytest.fixture
def ask():
    """`ask(application, "/path")`: the status, the headers and the body of the answer."""

    def get(application, path):
        scope = {"type": "http", "method": "GET", "path": path, "headers": [], "root_path": "", "query_string": b""}
        scope |= {"scheme": "http", "server": ("localhost", 80)}
        sent = []

        asked = iter([True])

        async def receive():
            if not next(asked, False):
                await asyncio.Event().wait()  # who asks stays
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        asyncio.run(application(scope, receive, send))
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent)

    return get


def test_the_comparison_leads_to_each_run(trained, ask, monkeypatch):
    monkeypatch.setattr(explorer, "POINTS", 60)
    runs = [trained("vae", train={"seed": seed}) for seed in range(2)]
    application = several.app(runs, {})
    status, headers, body = ask(application, "/")
    assert status == 200 and headers["content-type"].startswith("text/html")
    assert headers["content-security-policy"].startswith("default-src 'none'; img-src data:;")
    assert b"2 runs of 1 configuration on digits" in body
    links = re.findall('href="([^"]*)"', body.decode())
    assert links == ["runs/0/", "runs/1/"]
    for link, run in zip(links, runs, strict=True):
        assert b'id="map"' in ask(application, f"/{link}")[2]
        assert f'"run":"{run.name}"'.encode() in ask(application, f"/{link}run.json")[2]
        assert ask(application, f"/{link}page/main.js")[0] == 200
        picture = ask(application, f"/{link}samples/step_00000002.png")
        assert picture[0] == 200 and picture[2] == (run / "samples" / "step_00000002.png").read_bytes()
    assert ask(application, "/runs/2/")[0] == 404


def test_a_run_whose_model_is_gone_says_so_on_its_own_page(trained, ask, tmp_path):
    import shutil

    for name in ("a", "b"):
        shutil.copytree(trained("vae"), tmp_path / name)
    shutil.rmtree(tmp_path / "b")
    shutil.copytree(trained("vae", train={"seed": 1}), tmp_path / "b")
    shutil.rmtree(tmp_path / "b" / "checkpoints")
    application = several.app([tmp_path / "a", tmp_path / "b"], {})
    status, _, body = ask(application, "/runs/1/")
    assert status == 400 and body.count(b"\n") == 1 and ask(application, "/")[0] == 200


def test_runs_that_cannot_be_compared_are_not_served(trained):
    with pytest.raises(Invalid, match="is not one data set"):
        several.app([trained("vae"), trained("wgan_gp_points")], {})
