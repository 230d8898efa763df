"""The committed page in a real browser: offline, readable in both themes, on a phone, in print, by keyboard."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from . import checks
from .conftest import REPORT, Visits

pytestmark = pytest.mark.xdist_group("browser")
MOST_BYTES = 2_500_000


def test_it_says_nothing_to_the_console_and_asks_no_network(visit: Visits) -> None:
    opened = visit()
    opened.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    opened.page.wait_for_timeout(200)
    assert opened.said == []
    assert opened.requests == []


def test_it_is_light_enough_to_send(visit: Visits) -> None:
    assert REPORT.stat().st_size < MOST_BYTES


def test_every_link_inside_the_page_has_a_target_and_every_picture_a_name(visit: Visits) -> None:
    page = visit().page
    assert checks.dangling(page) == []
    assert checks.unnamed(page) == []


def test_every_link_to_a_file_of_the_project_leads_to_one(visit: Visits) -> None:
    links = visit().page.eval_on_selector_all("a.file", "all => all.map((one) => one.getAttribute('href'))")
    assert len(links) > 100
    assert [link for link in set(links) if not (REPORT.parent / link).exists()] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_has_contrast(visit: Visits, theme: str) -> None:
    measured, faults = checks.low_contrast(visit(color_scheme=theme).page)
    assert measured > 3000
    assert faults == []


def test_a_phone_never_scrolls_sideways(visit: Visits) -> None:
    page = visit(width=360).page
    assert checks.overflow(page) == 0
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert checks.overflow(page) == 0


def test_the_tab_key_reaches_everything_and_shows_where_it_is(visit: Visits) -> None:
    assert checks.unreachable(visit(place="#verdicts&study=gan&verdict=refuted").page) == []


def test_print_shows_all_claims_and_details_in_light_colours_and_no_filter(visit: Visits) -> None:
    page = visit(color_scheme="dark").page
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator(".filter").is_visible()
    closed = "[...document.querySelectorAll('details')].filter((one) => one.lastElementChild.offsetHeight === 0).length"
    assert page.evaluate(closed) == 0
    _, faults = checks.low_contrast(page)
    assert faults == []


def test_a_screen_reader_finds_headings_landmarks_and_names(visit: Visits) -> None:
    page = visit().page
    levels = page.eval_on_selector_all("h1, h2, h3, h4", "all => all.map((one) => Number(one.tagName[1]))")
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    page.evaluate(
        "document.querySelectorAll('figure .card > svg, .claim ~ .claim ~ .claim').forEach((one) => one.remove())"
    )
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:120]) for one in found] == []


def test_without_scripts_all_claims_are_there(visit: Visits) -> None:
    page = visit(java_script_enabled=False).page
    rows = json.loads((REPORT.parent / "claims.json").read_text())["claims"]
    assert page.locator(".claim:visible").count() == len(rows)
    assert not page.locator(".filter").is_visible()


FAULT = (
    '<p style="color: #aaa; background: #fff">pale</p><a href="#nowhere">link</a><div style="width: 3000px">wide</div>'
)
HIDDEN = '<button style="outline: none">unseen</button><a href="#top" tabindex="-1">unreached</a>'


def test_the_checks_can_fail(visit: Visits, tmp_path: Path) -> None:
    html = REPORT.read_text(encoding="utf-8")
    start = html.index('<section id="verdicts"')
    end = html.index("</main>")
    small = (
        html[:start]
        + FAULT
        + HIDDEN
        + '<img src="https://example.org/x.png" alt="">'
        + html[end : html.index("<script>")]
    )
    guarded, bare = tmp_path / "guarded.html", tmp_path / "bare.html"
    guarded.write_text(small, encoding="utf-8")
    bare.write_text(small.replace("Content-Security-Policy", "x-nothing"), encoding="utf-8")
    refused = visit(guarded)
    assert any("Content Security Policy" in line for line in refused.said)
    assert refused.requests == []
    opened = visit(bare)
    assert opened.requests == ["https://example.org/x.png"]
    assert [fault.split(": ")[1] for fault in checks.low_contrast(opened.page)[1]] == ["pale"]
    assert "#nowhere" in checks.dangling(opened.page)
    assert checks.overflow(opened.page) > 1000
    assert [fault.split(":")[0] for fault in checks.unreachable(opened.page)] == ["focus unseen", "not reached"]
