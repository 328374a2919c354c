"""A pytest plugin: the site, built once per run by a process without torch, served on a free port, in one browser.

Workers of one run share the build. A whole run makes it before they start, so that what it takes is measured while
nothing else runs; otherwise the first one to need it builds, and the others wait.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[1]
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    # A microphone that hums, and nobody who has to allow it.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
# Read by every Python process of the build as it starts: refuses torch, and notes at the end what it took.
WATCHED = """
import atexit, os, sys, time
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers", "peft", "numpy"):
            raise ImportError(f"the site must build without {name}")
def note():
    with open(os.environ["CPU_SECONDS"], "a") as file:
        print(time.process_time(), file=file)
sys.meta_path.insert(0, Refuse())
atexit.register(note)
"""
BUILT, BUILD_SECONDS = "built-site", 240


@dataclass(frozen=True)
class Site:
    """The built site: its folder, its address, what building it took and what the build said.

    cpu  seconds of each process, of which there is one per language
    """

    folder: Path
    address: str
    wall: float
    cpu: list[float]
    log: str

    def pages(self) -> list[str]:
        """Paths of every page of both languages, from the sitemaps."""
        return [path for language in ("", "en/") for path in self._listed(language)]

    def _listed(self, language: str) -> list[str]:
        tree = ElementTree.parse(self.folder / language / "sitemap.xml")
        found = [node.text or "" for node in tree.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
        return [url.split("/", 3)[3] for url in found]


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    if config.getoption("dist", "no") != "no" and config.args == config.getini("testpaths"):
        built(config._tmp_path_factory.getbasetemp() / BUILT)  # type: ignore[attr-defined]  # as xdist itself finds it


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    base = tmp_path_factory.getbasetemp()
    # Each worker's folder lies in the run's own.
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / BUILT
    report = built(folder)
    # Not strict here, so that one warning fails one test (test_build) and not every other as well.
    assert report["code"] == 0, f"the build failed:\n{report['log'][-6000:]}"
    server = serve(folder)
    address = f"http://127.0.0.1:{server.server_port}/"
    yield Site(folder, address, report["wall"], report["cpu"], report["log"])
    server.shutdown()
    server.server_close()


def built(folder: Path) -> dict[str, Any]:
    """The report of the one build into `folder`; it appears when the build has ended."""
    report = Path(f"{folder}.json")
    try:
        Path(f"{folder}.lock").touch(exist_ok=False)
    except FileExistsError:
        end = time.monotonic() + BUILD_SECONDS + 30
        while not report.exists():
            assert time.monotonic() < end, "the worker that builds the site never finished"
            time.sleep(0.2)
    else:
        begun = Path(f"{folder}.begun")
        begun.write_text(json.dumps(build(folder)), encoding="utf-8")
        begun.rename(report)
    return json.loads(report.read_text(encoding="utf-8"))


def build(folder: Path) -> dict[str, Any]:
    """Build both languages; how it ended, what it took and what it said."""
    watched, cpu = Path(f"{folder}.python"), Path(f"{folder}.cpu")
    watched.mkdir()
    (watched / "sitecustomize.py").write_text(WATCHED, encoding="utf-8")
    own = {"NO_MKDOCS_2_WARNING": "1", "SITE_URL": "http://127.0.0.1:8000/", "CPU_SECONDS": str(cpu)}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--no-strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(watched), str(ROOT)]), **own},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
    )
    wall = time.perf_counter() - began
    spent = [float(line) for line in cpu.read_text(encoding="utf-8").split()]
    return {"code": done.returncode, "wall": wall, "cpu": spent, "log": done.stderr}


def serve(folder: Path) -> http.server.ThreadingHTTPServer:
    """The folder on a free port of this machine, as a static host serves it: unknown addresses get 404.html."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Quiet(http.server.SimpleHTTPRequestHandler):
    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Send a file; a page that is left while it loads hangs up."""
        with contextlib.suppress(ConnectionError):
            super().copyfile(source, outputfile)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        body = (Path(self.directory) / "404.html").read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def chromium() -> str:
    """The browser of this machine, or `CHROMIUM`. In CI its absence is an error, elsewhere a reason to skip."""
    found = next(filter(None, map(shutil.which, (os.environ.get("CHROMIUM", ""), *CHROMIUMS))), None)
    if found is None:
        reason = "no Chromium found: install it (Debian: apt-get install chromium) or set CHROMIUM to its path"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    # Here, because this plugin is loaded by runs that need no browser too.
    from playwright.sync_api import sync_playwright

    path = chromium()
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A fresh page whose addresses are relative to the site."""
    context = browser.new_context(base_url=site.address)
    yield context.new_page()
    context.close()
