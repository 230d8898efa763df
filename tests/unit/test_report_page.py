"""The page on records made up here: verdicts, corrections, intervals and pictures, loaded from nowhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure as Canvas

from torchstone.core.files import write_svg
from torchstone.report import readme
from torchstone.report.page import extent, inlined, made_by, page, strip
from torchstone.report.plan import load_plan
from torchstone.report.readme import BEGIN, END, effect, verdict_table

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
    reader.feed(page(PLAN, RECORDS, {"out-of-bag": svg, "likelihood": svg}))
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
    html = page(PLAN, RECORDS, {})
    places = [html.index(f'href="#claim-{name}">{name}</a></td>') for name in ("A", "C", "D", "B")]
    assert places == sorted(places)
    assert "see its correction, C" in " ".join(read.text["A"].split())


def test_a_claim_whose_corrected_claim_is_elsewhere_is_still_shown() -> None:
    assert 'id="claim-H"' in page(PLAN, [record("H", corrects="F"), record("F", control=True)], {})


def test_a_sentence_is_text_and_never_markup() -> None:
    html = page(PLAN, [record("A", sentence="p < 1 & <script>alert(1)</script>")], {})
    assert "p &lt; 1 &amp; &lt;script&gt;" in html


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
    html = page(PLAN, [record("A", low=None, high=None, n=1, mde=None)], {})
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


def test_the_readme_check_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/verdicts.md").write_text(verdict_table(RECORDS))
    assert readme.main([]) == 1
    assert "README.md: file is missing" in capsys.readouterr().err
    (tmp_path / "README.md").write_text(f"# x\n{BEGIN}\n{END}\nrest\n")
    assert readme.main(["--check"]) == 1
    assert "run `make report`" in capsys.readouterr().err
    assert readme.main([]) == 0
    assert readme.main(["--check"]) == 0
    assert readme.main([]) == 0
    assert (tmp_path / "README.md").read_text().count("| A |") == 1
    assert capsys.readouterr().err == ""


def test_a_bar_in_a_sentence_does_not_end_its_cell() -> None:
    row = verdict_table([record("A", sentence="|x| is small")]).splitlines()[2]
    assert re.sub(r"\\\|", "", row).count("|") == 5
