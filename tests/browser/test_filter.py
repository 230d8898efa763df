"""The filter of the verdicts shows exactly the claims that reports/claims.json predicts, and an address restores it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page

from .conftest import REPORT, Visits

pytestmark = pytest.mark.xdist_group("browser")
RECORDS: list[dict[str, Any]] = [
    record for record in json.loads((REPORT.parent / "claims.json").read_text())["claims"] if not record["control"]
]
CORRECTS = {record["id"]: record["corrects"] for record in RECORDS}
SHOWN = "all => all.filter((one) => !one.hidden).map((one) => [one.id.slice(6), one.classList.contains('beside')])"
FILTERS = [
    ("", "", ""),
    ("gan", "", ""),
    ("", "refuted", ""),
    ("batch-size", "direction only", ""),
    ("", "", "Waveform breiman"),
    ("lottery", "inconclusive", "ticket"),
    ("", "not run", ""),
    ("ensembles", "refuted", "nothing has this"),
]


def root(name: str) -> str:
    """Return the original that a correction goes back to."""
    above = CORRECTS[name]
    return root(above) if above in CORRECTS else name


def predicted(study: str, verdict: str, text: str) -> tuple[set[str], set[str]]:
    """Return the claims that match, and those that stand beside them since one corrects the other."""
    found = set()
    for record in RECORDS:
        words = " ".join(record[key] for key in ("id", "sentence", "source", "published")).lower()
        fits = record["study"] == (study or record["study"]) and record["verdict"] == (verdict or record["verdict"])
        if fits and all(word in words for word in text.lower().split()):
            found.add(record["id"])
    roots = {root(name) for name in found}
    return found, {name for name in CORRECTS if root(name) in roots} - found


def shown(page: Page) -> tuple[set[str], set[str]]:
    rows = page.eval_on_selector_all("#verdicts .claim", SHOWN)
    return {name for name, beside in rows if not beside}, {name for name, beside in rows if beside}


def test_the_filter_shows_what_the_verdicts_predict_and_its_address_restores_it(visit: Visits) -> None:
    page = visit().page
    for study, verdict, text in FILTERS:
        page.select_option("#by-study", study)
        page.select_option("#by-verdict", label=verdict or "all")
        page.fill("#by-text", text)
        expected = predicted(study, verdict, text)
        assert shown(page) == expected
        assert page.inner_text("#count").startswith(f"{len(expected[0])} of {len(RECORDS)} claims")
        place = page.evaluate("location.hash")
        page.click("#show-all")
        assert shown(page) == predicted("", "", "")
        page.evaluate("place => { location.hash = place; }", place)
        page.wait_for_timeout(50)
        assert shown(page) == expected


def test_a_filtered_view_can_be_linked(visit: Visits) -> None:
    page = visit(place="#verdicts&study=gan&verdict=supported&q=mode").page
    assert shown(page) == predicted("gan", "supported", "mode")
    assert page.input_value("#by-study") == "gan"


def test_the_counts_are_those_of_the_verdicts_and_lead_to_their_claims(visit: Visits) -> None:
    page = visit().page
    for link in page.locator(".overview td a").all():
        parts = dict(part.split("=") for part in str(link.get_attribute("href")).split("&")[1:])
        found, _ = predicted(parts.get("study", ""), parts.get("verdict", "").replace("-", " "), "")
        assert int(link.inner_text()) == len(found)
    page.click(".overview a[href='#verdicts&study=batch-size&verdict=refuted']")
    assert shown(page) == predicted("batch-size", "refuted", "")


def test_a_link_to_a_hidden_claim_shows_and_opens_it(visit: Visits) -> None:
    page = visit(place="#verdicts&study=gan").page
    page.evaluate("location.hash = '#claim-E3'")
    page.wait_for_timeout(50)
    assert page.locator("#claim-E3 .facts").is_visible()
    assert page.locator("#claim-E3 .facts").bounding_box() is not None


def test_any_order_keeps_corrections_below_what_they_correct(visit: Visits) -> None:
    page = visit().page
    for order in ("verdict", "n", ""):
        page.select_option("#by-order", order)
        names = page.eval_on_selector_all("#verdicts .claim", "all => all.map((one) => one.id.slice(6))")
        assert sorted(names) == sorted(CORRECTS)
        roots = [root(name) for name in names]
        assert len(set(roots)) == sum(a != b for a, b in zip(["", *roots], roots, strict=False))
        assert all(names.index(above) < names.index(name) for name, above in CORRECTS.items() if above in CORRECTS)
