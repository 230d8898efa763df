"""The paper on made-up rows: whatever is missing, it is still set, and no piece of text is lost on the way."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typst
import yaml

from torchstone.core.errors import InputError
from torchstone.report.paper.citations import cited, entries, named
from torchstone.report.paper.typeset import Files, gather, marked, template, typeset
from torchstone.report.plan import load_plan

ROOT = Path(__file__).resolve().parents[2]
PLAN = yaml.safe_load((ROOT / "studies.yaml").read_text())
PARAMS = (ROOT / "params.yaml").read_text()
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="90pt" height="30pt"><rect width="90" height="30"/></svg>'


def record(identity: str, **changed: Any) -> dict[str, Any]:
    """Return a row as reports/claims.json holds it."""
    row: dict[str, Any] = {
        "id": identity, "study": "ensembles", "sentence": f"Sentence of {identity}.", "source": "somebody 1999",
        "grade": "secondary", "kind": "direction", "published": "better", "margin": 0.01, "unit": "pp",
        "family": "bagging", "estimator": "mean", "design": "fresh", "trials": "ensemble/waveform", "corrects": None,
        "control": False, "figure": None, "remark": "", "region": [0.01, None], "estimate": 0.03, "low": 0.02,
        "high": 0.04, "n": 20, "p_adjusted": 0.0004, "mde": 0.005, "verdict": "supported", "note": "", "gate": None,
    }  # fmt: skip
    return row | changed


NOTHING: dict[str, Any] = dict.fromkeys(("estimate", "low", "high", "n", "p_adjusted", "mde"))
RECORDS = [
    record("A"),
    record("B", verdict="refuted", estimate=-0.02, low=-0.03, high=-0.01, note="far off"),
    record("C", corrects="A", verdict="inconclusive", note="more data would settle it"),
    record("D", corrects="C", verdict="direction only", kind="magnitude", unit="decades"),
    record("E", verdict="not run", note="waits", **NOTHING),
    record("F", control=True, verdict="inconclusive", mde=None),
    record("G", estimator="every", kind="exact", margin=None, region=[-1e-9, 1e-9], unit="", estimate=3e-16,
           low=-2e-16, high=3e-16, p_adjusted=None, mde=None),
    record("H", low=None, high=None, n=1, verdict="inconclusive", mde=None),
]  # fmt: skip


def made(folder: Path, records: list[dict[str, Any]], figures: tuple[str, ...] = (), **studies: Any) -> Files:
    """Lay out a project with these claims and studies and gather what its paper is made of."""
    for name in ("advice", "figures"):
        (folder / "reports" / name).mkdir(parents=True)
    (folder / "params.yaml").write_text(PARAMS)
    (folder / "studies.yaml").write_text(yaml.safe_dump({"headlines": {}, "studies": studies}))
    (folder / "reports/claims.json").write_text(json.dumps({"claims": records}))
    for name in figures:
        (folder / f"reports/figures/{name}.svg").write_text(SVG)
    for name, study in studies.items():
        if study.get("advice"):
            row = {"title": "digits", "text": "Take 32.", "note": ""}
            (folder / f"reports/advice/{name}.json").write_text(json.dumps({"advice": [row]}))
    return gather(folder, load_plan(folder / "studies.yaml"))


def study(**changed: Any) -> dict[str, Any]:
    return {"title": "A study", "question": "Is it so?", "method": "We look.", "figures": []} | changed


def test_a_paper_of_one_study_is_set_with_missing_values_corrections_and_controls(tmp_path: Path) -> None:
    files = made(tmp_path, RECORDS, ensembles=study())
    assert typeset(files).startswith(b"%PDF")
    rows = {row["id"]: row for row in marked(files, "claim")}
    assert list(rows) == ["A", "C", "D", "B", "E", "F", "G", "H"]  # each correction after what it corrects
    assert rows["A"]["effect"] == "3.00 pp [2.00, 4.00]"
    assert rows["E"] == {"id": "E", "effect": "–", "p": "–", "verdict": "not run"}
    assert rows["G"]["effect"] == "3.0 × 10⁻¹⁶ [−2.0 × 10⁻¹⁶, 3.0 × 10⁻¹⁶]"


def test_a_paper_is_set_without_any_verdict_correction_control_or_figure(tmp_path: Path) -> None:
    alone = record("E", verdict="not run", note="waits", **NOTHING)
    assert typeset(made(tmp_path / "one", [alone], ensembles=study())).startswith(b"%PDF")
    assert typeset(made(tmp_path / "none", [], ensembles=study())).startswith(b"%PDF")


def test_a_new_study_gets_its_section_and_a_claim_of_none_stays_in_the_table(tmp_path: Path) -> None:
    rows = [record("A"), record("N", study="new", trials="new/all"), record("X", study="elsewhere")]
    files = made(tmp_path, rows, ensembles=study(), new=study(title="What is new?", advice="So what?"))
    assert [section["study"] for section in marked(files, "section")] == ["ensembles", "new"]
    assert {row["id"] for row in marked(files, "claim")} == {"A", "N", "X"}


def test_the_figures_of_a_section_are_those_to_which_most_claims_point(tmp_path: Path) -> None:
    of = {
        "kind": "images",
        "title": "T",
        "caption": "C",
        "panels": [{"title": "p", "trials": "gan/r1", "picture": "x"}],
    }
    names = ("one", "two", "three", "four", "five")
    figures = [{"name": name, **of} for name in names]
    rows = [record(f"A{place}", figure=name) for place, name in enumerate(("two", "five", "five", "four", "one"))]
    files = made(tmp_path, rows, ("one", "two", "four", "five"), ensembles=study(figures=figures))
    assert [drawn["name"] for drawn in marked(files, "drawn")] == ["one", "two", "five"]  # in the order of the page
    assert files["figures/two.svg"].decode() == SVG


def test_a_template_that_cannot_be_set_is_one_short_message(tmp_path: Path) -> None:
    files = made(tmp_path, RECORDS, ensembles=study()) | {"prose.typ": b"#let title = nothing"}
    with pytest.raises(InputError, match="the paper cannot be typeset: unknown variable: nothing"):
        typeset(files)


def test_a_source_is_cited_by_whole_names_in_the_order_in_which_it_names_them() -> None:
    text = "@article{b, keywords = {Doe 1996b; Doe's report},\n author = {Doe, {\\'E}va}, year = {1996}}\n" \
           "@misc{a, keywords = {Doe 1996},\n title = {On {B}}}\n@misc{c,\n title = {None}}\n"  # fmt: skip
    works = entries(text)
    assert works["b"]["author"] == "Doe, {\\'E}va"
    assert cited("ours; Doe's report; Doe 1996, Table 2", named(works)) == ["b", "a"]
    assert cited("Doe 1996b", named(works)) == ["b"]
    assert cited("Fredoe 1996", named(works)) == []


def pieces(tree: Any) -> list[str]:
    """Return all texts of a YAML tree."""
    if isinstance(tree, dict):
        return [text for value in tree.values() for text in pieces(value)]
    if isinstance(tree, list):
        return [text for value in tree for text in pieces(value)]
    return [tree] if isinstance(tree, str) else []


def test_every_text_of_studies_and_claims_is_plain_and_keeps_its_words_in_the_paper() -> None:
    texts = pieces(PLAN["studies"]) + pieces(yaml.safe_load((ROOT / "claims.yaml").read_text()))
    markup = re.compile(r"</?[a-z]+[^>]*>|&\w+;|`|\*\*|\]\(|^#+ ", re.MULTILINE)
    assert [text for text in texts if markup.search(text)] == []  # the paper sets these texts as they stand
    source = b'#import "facts.typ": plain\n#for text in json("texts.json") [#metadata(plain(text)) <text>]'
    files = gather(ROOT, load_plan(ROOT / "studies.yaml")) | {
        "main.typ": source,
        "texts.json": json.dumps(texts).encode(),
    }
    for before, after in zip(texts, marked(files, "text"), strict=True):
        assert re.findall(r"[^\W_]+", after.replace("ⁿ", "n")) == re.findall(r"[^\W_]+", before)


def test_the_fonts_are_those_that_typst_brings() -> None:
    said = " ".join(content.decode() for name, content in template().items() if name.endswith(".typ"))
    brought = typst.Fonts(include_system_fonts=False).families()
    assert set(re.findall(r'font: "([^"]+)"', said)) <= set(brought)
