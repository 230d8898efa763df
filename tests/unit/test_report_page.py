"""The page on records made up here: verdicts, corrections, intervals and pictures, loaded from nowhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure as Canvas

from torchstone.core.errors import InputError
from torchstone.core.files import write_svg
from torchstone.report.advice import Advice, load_advice
from torchstone.report.page import extent, factor, factors, inlined, made_by, page, strip
from torchstone.report.plan import Plan, load_plan
from torchstone.report.readme import effect, verdict_table

ROOT = Path(__file__).resolve().parents[2]
PLAN = load_plan(ROOT / "studies.yaml")


def record(identity: str, **changed: Any) -> dict[str, Any]:
    """Return a row as reports/claims.json holds it."""
    row: dict[str, Any] = {
        "id": identity, "study": "ensembles", "sentence": f"Sentence of {identity}.", "source": "somebody 1999",
        "grade": "secondary", "kind": "direction", "published": "better", "margin": 0.01, "unit": "pp",
        "family": "bagging", "estimator": "mean", "design": "fresh", "trials": "ensemble/waveform", "corrects": None,
        "control": False, "figure": None, "remark": "", "region": [0.01, None], "estimate": 0.03, "low": 0.02,
        "high": 0.04, "n": 20, "p_adjusted": 0.0004, "mde": 0.005, "verdict": "supported", "note": "",
        "gate": None,
    }  # fmt: skip
    return row | changed


RECORDS = [
    record("A"),
    record("B", verdict="refuted", estimate=-0.02, low=-0.03, high=-0.01),
    record("C", corrects="A", verdict="inconclusive", note="more data would settle it"),
    record("D", corrects="C", verdict="direction only"),
    record("E", verdict="not run", estimate=None, low=None, high=None, n=None, p_adjusted=None, mde=None, note="waits"),
    record("F", control=True, verdict="inconclusive"),
    record("G", estimator="every", kind="exact", margin=None, region=[-1e-9, 1e-9], unit="", estimate=3e-16,
           low=-2e-16, high=3e-16, p_adjusted=None, mde=None),
]  # fmt: skip


class _Reader(HTMLParser):
    """Collect the rows of the verdict tables, the ids, what is linked or loaded, and whether tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.text: dict[str, str] = {}
        self.ids: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self._row = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.ids += [str(named["id"])] if "id" in named else []
        self.links += [str(value) for name, value in attrs if name in {"href", "src", "xlink:href", "srcset", "data"}]
        if tag not in {"meta", "link", "br", "img"}:
            self.open.append(tag)
        if tag == "tr":
            self._row = ""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "tr":
            words = self._row.split()
            self.text.setdefault(words[0], " ".join(words))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in {"meta", "link", "br", "img"}:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self._row += f" {data}"


@pytest.fixture(scope="module")
def svg(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("svg") / "f.svg"
    canvas = Canvas(figsize=(4, 3))
    canvas.subplots().plot([0, 1], [0, 1])
    write_svg(path, canvas)
    return path.read_text()


@pytest.fixture(scope="module")
def read(svg: str) -> _Reader:
    reader = _Reader()
    reader.feed(page(PLAN, RECORDS, {"out-of-bag": svg, "likelihood": svg}, {}))
    return reader


def test_every_claim_stands_in_a_table_with_its_verdict_effect_and_number_of_replicates(read: _Reader) -> None:
    for row in RECORDS:
        text = read.text[row["id"]]
        assert row["verdict"] in text
        assert row["sentence"] in text
        assert effect(row) in text
        assert row["n"] is None or f" {row['n']} " in text


def test_the_page_is_whole_its_ids_are_unique_and_it_loads_nothing(read: _Reader) -> None:
    assert read.open == []
    assert len(set(read.ids)) == len(read.ids)
    inside = {link[1:] for link in read.links if link.startswith("#")}
    assert inside <= set(read.ids)
    assert all(link.startswith("#") for link in read.links)


def test_a_correction_of_a_correction_is_not_lost_and_follows_what_it_corrects(read: _Reader) -> None:
    html = page(PLAN, RECORDS, {}, {})
    places = [html.index(f'href="#claim-{name}">{name}</a></td>') for name in ("A", "C", "D", "B")]
    assert places == sorted(places)
    assert "see its correction, C" in " ".join(read.text["A"].split())


def test_a_claim_whose_corrected_claim_is_elsewhere_is_still_shown() -> None:
    assert 'id="claim-H"' in page(PLAN, [record("H", corrects="F"), record("F", control=True)], {}, {})


def test_a_sentence_is_text_and_never_markup() -> None:
    html = page(PLAN, [record("A", sentence="p < 1 & <script>alert(1)</script>")], {}, {})
    assert "p &lt; 1 &amp; &lt;script&gt;" in html


def test_the_gate_of_a_claim_stands_in_its_details_and_is_text() -> None:
    gate = "train accuracy of at least 99.0% in every arm: reached by 10 of 10 replicates, the lowest is <99.3%"
    html = page(PLAN, [record("A", gate=gate), record("B")], {}, {})
    details = html[html.index('<details id="claim-A">') : html.index('<details id="claim-B">')]
    assert gate.replace("<", "&lt;") in details
    assert html.count("counted if") == 1


def test_decades_are_said_as_the_factor_that_they_are() -> None:
    sharper = record("A", unit="decades", estimate=2.2227, low=1.9, high=2.5, margin=0.3, kind="magnitude")
    assert factor(2.2227, "decades") == "a factor of 167"
    assert factor(-1.5, "decades") == "a factor of 0.0316"
    assert factor(4.0, "decades") == "a factor of 10,000"
    assert factor(2.2227, "pp") == factors(record("A")) == ""
    assert factors(sharper) == "a factor of 167 (95 % interval: 79.4 to 316)"
    assert factors(sharper | {"kind": "trend"}).startswith("a factor of 167 per doubling (95 %")
    assert factors(sharper | {"low": None, "high": None}) == "a factor of 167"
    html = page(PLAN, [sharper], {}, {})
    assert "2.2 decades [1.9, 2.5], a factor of 167; 20 replicates" in " ".join(html.split()).replace("</svg> ", "")
    assert "0.3 decades, the smallest effect that matters: a factor of 2<" in html


def test_a_claim_with_two_corrections_names_both_and_they_follow_it() -> None:
    rows = [record("A"), record("B"), record("C", corrects="A"), record("D", corrects="A")]
    html = page(PLAN, rows, {}, {})
    places = [html.index(f'href="#claim-{name}">{name}</a></td>') for name in "ACDB"]
    assert places == sorted(places)
    assert 'see its corrections, <a href="#claim-C">C</a> and <a href="#claim-D">D</a>' in html


ADVISED = Plan.model_validate(
    {
        "headlines": {},
        "studies": {"s": {"title": "t", "question": "q", "method": "m", "advice": "Which?", "figures": []}},
    }
)


def test_advice_ends_its_study_and_is_text() -> None:
    rows = [Advice(title="digits", text="Take 64 & <b>rest</b>.", note="Why."), Advice(title="x", text="Or.", note="")]
    html = page(ADVISED, [record("A", study="s")], {}, {"s": rows, "other": rows})
    section = html[html.index('<section id="s">') : html.index('<section id="controls">')]
    box = section[section.index('id="advice-s"') :]
    assert "<h3>Which?</h3>" in box
    assert "Take 64 &amp; &lt;b&gt;rest&lt;/b&gt;." in box
    assert 'class="source">Why.<' in box
    assert box.count('class="source"') == 1
    assert section.index('id="claim-A"') < section.index('id="advice-s"')
    assert 'href="#advice-s"' in section
    reader = _Reader()
    reader.feed(html)
    assert reader.open == []


def test_a_study_without_advice_or_heading_shows_none() -> None:
    assert "advice-s" not in page(ADVISED, [], {}, {})
    rows = [Advice(title="t", text="x", note="n")]
    assert "advice-ensembles" not in page(PLAN, [], {}, {"ensembles": rows})


def test_advice_is_read_strictly_and_only_if_a_study_asks_for_it(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    silent = Plan.model_validate({"headlines": {}, "studies": {}})
    assert load_advice(tmp_path, silent) == {}
    with pytest.raises(InputError, match=r"s\.json: file is missing; run `dvc repro`"):
        load_advice(tmp_path, ADVISED)
    path.write_text('{"advice": [{"title": "t", "text": "x", "notes": "n"}]}')
    with pytest.raises(InputError, match=r"s\.json: advice\.0\.notes: unknown key"):
        load_advice(tmp_path, ADVISED)
    path.write_text('{"advice": [{"title": "t", "text": "x", "note": "n"}]}')
    assert load_advice(tmp_path, ADVISED) == {"s": [Advice(title="t", text="x", note="n")]}


def test_an_every_claim_has_a_range_and_no_interval(read: _Reader) -> None:
    assert extent(RECORDS[-1]) == "range over replicates"
    assert "range over replicates" in read.text["G"]
    assert "95 % interval" not in str(strip(RECORDS[-1]))


def test_zero_is_marked_where_it_is_in_sight_and_no_bound() -> None:
    assert 'class="zero"' in str(strip(record("A", low=-0.01)))
    assert 'class="zero"' not in str(strip(record("A", region=[0.0, None])))


def test_what_is_nothing_has_no_sign_what_is_little_keeps_its_side_and_one_replicate_has_no_interval() -> None:
    assert effect(record("A", estimate=-1e-19, low=-1e-6, high=0.002)) == "0.00 pp [-0.0001, 0.20]"
    assert effect(record("A", estimate=-0.002, low=None, high=None)) == "-0.20 pp"
    html = page(PLAN, [record("A", low=None, high=None, n=1, mde=None)], {}, {})
    assert "None" not in html


def test_the_stages_of_a_pattern_are_the_whole_group() -> None:
    assert made_by(record("A")) == "ensemble@waveform"
    assert made_by(record("A", trials="ensemble/*")) == "ensemble"


def test_a_figure_keeps_its_references_when_it_moves_into_the_page(svg: str) -> None:
    body = str(inlined(svg, "f", "A <title>"))
    assert 'aria-label="A &lt;title&gt;"' in body
    assert not re.search(r'<svg[^>]* (width|height)="', body)
    wanted = set(re.findall(r'(?:href="#|url\(#)([^")]+)', body))
    assert wanted
    assert wanted <= set(re.findall(r'id="([^"]+)"', body))
    assert all(name.startswith("f-") for name in wanted)


def test_a_bar_in_a_sentence_does_not_end_its_cell() -> None:
    row = verdict_table([record("A", sentence="|x| is small")]).splitlines()[2]
    assert re.sub(r"\\\|", "", row).count("|") == 5
