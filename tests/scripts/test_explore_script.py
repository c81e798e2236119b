"""The page in a real browser, as the script serves it."""

import base64
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import genlab
from genlab.data.feed import to_uint8
from genlab.data.sources import load as load_data

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
# what an image shows, as a PNG of its own pixels; null while it is on its way
SHOWN = """name => { const image = document.getElementById(name), canvas = document.createElement("canvas");
  if (!image.complete || !image.naturalWidth) return null;
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL(); }"""


def explore(*arguments):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, str(ROOT / "scripts" / "explore.py"), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def served(run, *arguments):
    """The address at which the script serves a run; Ctrl-C ends it quietly."""
    process = explore(run, *arguments, "--port", 0)
    try:
        yield process.stdout.readline().split()[0]
    finally:
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)
    assert said == ("", "")


class Page:
    """A page of a headless Chromium that can reach nothing but this machine, and what was heard of it."""

    def __init__(self, context):
        self.page, self.complaints, self.requests = context.pages[0], [], []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        context.on("request", lambda request: self.requests.append(request.url))

    def open(self, address):
        self.page.goto(address)
        self.page.wait_for_selector("body[data-ready=yes]")

    def text(self, name):
        return self.page.inner_text(f"#{name}")

    def shown(self, name):
        return self.page.wait_for_function(SHOWN, arg=name).json_value()

    def pixels(self, name):
        """What an image shows, in grey levels."""
        with Image.open(io.BytesIO(base64.b64decode(self.shown(name).partition(",")[2]))) as picture:
            return np.asarray(picture.convert("L"))

    @contextmanager
    def changes(self, *names):
        """That these pictures are others afterwards."""
        before = {name: self.shown(name) for name in names}
        yield
        for name, old in before.items():
            other = f"([name, old]) => {{ const now = ({SHOWN})(name); return now && now !== old; }}"
            self.page.wait_for_function(other, arg=[name, old])

    def spot(self, across, down):
        """A place on the map by shares of its sides."""
        box = self.page.locator("#map").bounding_box()
        return box["x"] + across * box["width"], box["y"] + down * box["height"]


@pytest.fixture
def browser(tmp_path):
    if CHROMIUM is None:
        pytest.skip("there is no Chromium or Chrome (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "profile",
            executable_path=CHROMIUM,
            args=FLAGS,
            viewport={"width": 1280, "height": 900},
        )
        context.set_default_timeout(120_000)
        yield Page(context)
        context.close()


def test_a_page_shows_examples_and_what_becomes_of_them(browser, trained):
    run = trained("vae", steps=4)
    with served(run) as address:
        browser.open(address)
        assert browser.text("run") == "run"
        assert "vae on digits, iteration 4, averaged weights" in browser.text("facts")

        with browser.changes("original", "decoded"):
            browser.page.mouse.click(*browser.spot(0.9, 0.5))
        point = int(browser.text("point").split()[0])
        assert point != 0
        model = genlab.load(run)
        x = load_data(model.config.data).test.read(np.array([point])).x
        np.testing.assert_array_equal(browser.pixels("original"), x[0, ..., 0])
        wanted = to_uint8(model.reconstruct(x.astype(np.float32) / 127.5 - 1))[0, ..., 0]
        np.testing.assert_allclose(browser.pixels("decoded").astype(int), wanted, atol=1)

        with browser.changes("decoded"):
            browser.page.get_by_label("direction 1").fill("3")
        assert browser.text("decoded-caption") == "reconstruction, moved"
        with browser.changes("decoded"):
            browser.page.click("#reset")
        with browser.changes("between", "decoded"):
            browser.page.mouse.move(*browser.spot(0.2, 0.3))
            browser.page.mouse.down()
            browser.page.mouse.move(*browser.spot(0.5, 0.5))
            browser.page.mouse.move(*browser.spot(0.6, 0.9))
            browser.page.mouse.up()
        with browser.changes("between"):
            browser.page.select_option("#how", "lerp")
        with browser.changes("sample"):
            browser.page.get_by_label("step").fill("0")
        assert browser.text("step-name") == "step 2"
        assert browser.page.locator(".curve b").all_inner_texts() == ["model/loss", "model/kl", "validation/model/loss"]
        browser.page.select_option("#group", "model")
        assert "model/distortion" in browser.page.locator(".curve b").all_inner_texts()
        before = browser.page.locator("#map").screenshot()
        browser.page.check("#thumbnails")
        assert browser.page.locator("#map").screenshot() != before
    assert browser.complaints == []
    assert browser.requests and all(url.startswith(address) for url in browser.requests), browser.requests


def test_a_class_can_be_chosen(browser, trained):
    run = trained("cgan")
    with served(run) as address:
        browser.open(address)
        assert browser.page.is_hidden("#original")
        with browser.changes("decoded", "between"):
            browser.page.select_option("#class", "7")
        model = genlab.load(run)
        wanted = to_uint8(model.decode(model.prior(1), 7))[0, ..., 0]
        np.testing.assert_allclose(browser.pixels("decoded").astype(int), wanted, atol=1)
    assert browser.complaints == []


def test_the_page_of_several_runs_leads_to_each(browser, trained):
    with served(trained("vae", steps=4), trained("vae", steps=4, train={"seed": 1})) as address:
        browser.page.goto(address)
        assert browser.page.locator("h1").inner_text() == "2 runs of 1 configuration on digits"
        browser.page.click("a[href='runs/1/']")
        browser.page.wait_for_selector("body[data-ready=yes]")
        assert "vae on digits, iteration 4" in browser.text("facts") and browser.shown("decoded")
        browser.page.click("#others")
        browser.page.wait_for_selector("a[href='runs/0/']")
    assert browser.complaints == []
    assert all(url.startswith((address, "data:")) for url in browser.requests), browser.requests


def test_what_is_asked_wrongly_is_refused(trained):

    def answer(path, **headers):
        try:
            with urllib.request.urlopen(urllib.request.Request(address + path, headers=headers)) as response:
                return response.status, response.read().decode("latin-1")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    with served(trained("vae", steps=4)) as address:
        assert json.loads(answer("run.json")[1])["classes"] == [str(i) for i in range(10)]
        assert answer("decoded.png?point=999") == (400, "point: 999 is not from 0 to 179\n")
        for path in ("decoded.png", "decoded.png?point=x", "between.png?start=0&end=1&steps=99&how=lerp"):
            assert answer(path)[0] == 400
        assert answer("samples/../config.json")[0] == answer("samples/%2e%2e/config.json")[0] == 404
        assert answer("run.json", Host="elsewhere.example")[0] == 400


def test_a_page_at_the_address_of_ipv6_answers_to_it(trained):
    with served(trained("vae", steps=4), "--host", "::1") as address:
        assert address.startswith("http://[::1]:")
        with urllib.request.urlopen(address) as response:
            assert response.status == 200
        foreign = urllib.request.Request(address, headers={"Host": "elsewhere.example"})
        with pytest.raises(urllib.error.HTTPError, match="400") as refused:
            urllib.request.urlopen(foreign)
        refused.value.close()


def test_no_address_is_not_every_address(trained):
    process = explore(trained("vae", steps=4), "--host", "")
    assert process.communicate(timeout=300) == (
        "",
        "error: host: '' is not an address; 0.0.0.0 is every one of this machine's\n",
    )
    assert process.returncode == 2


def test_mistakes_are_one_line(trained, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        starts = explore(tmp_path, "--port", 0), explore(trained("vae", steps=4), "--port", port)
        said = [process.communicate(timeout=300) for process in starts]
    assert [process.returncode for process in starts] == [2, 2]
    assert all(out == "" and error.count("\n") == 1 for out, error in said), said
    assert "must be the folder of a run" in said[0][1]
    assert f"port: 127.0.0.1:{port} cannot be served (Address already in use)" in said[1][1]
