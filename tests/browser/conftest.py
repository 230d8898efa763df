"""One browser for all tests of the page: the chromium of this machine, which is asked to report all that it does."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "reports/index.html"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Visit(NamedTuple):
    """An open page, with what it wrote to the console and what it asked a network for."""

    page: Page
    said: list[str]
    requests: list[str]


Visits = Callable[..., Visit]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        pytest.skip(f"no browser on this machine: none of {', '.join(NAMES)} is on the path")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=["--disable-gpu"])
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visits]:
    """Open a file in a window of its own, with a theme, a width and a place on the page."""
    contexts = []

    def open_(path: Path = REPORT, place: str = "", *, width: int = 1200, **options: Any) -> Visit:
        options = {"color_scheme": "light", "reduced_motion": "reduce"} | options
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        said: list[str] = []
        requests: list[str] = []

        def pass_on(route: Route) -> None:
            if route.request.url.split("#")[0] == path.as_uri():
                route.continue_()
            else:
                requests.append(route.request.url)
                route.abort()

        context.route("**/*", pass_on)
        page = context.new_page()
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.goto(f"{path.as_uri()}{place}")
        return Visit(page, said, requests)

    yield open_
    for context in contexts:
        context.close()
