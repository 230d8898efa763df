"""Laws of what the README tells: counts add up without controls, what is refuted is named, and it stays in step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from torchstone.report import readme
from torchstone.report.readme import BEGIN, END, VERDICTS, overview

PLAN = """\
headlines: {}
studies:
  bags: {title: "Do bags help?", question: Q, method: M, figures: []}
  nets: {title: "Do nets?", question: Q, method: M, figures: []}
"""
TITLES = {"bags": "Do bags help?", "nets": "Do nets?"}


def record(identity: str, study: str, verdict: str, **changed: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": identity, "study": study, "sentence": f"|{identity}| is so.", "published": "so", "verdict": verdict,
        "control": False, "estimate": 0.02, "low": 0.01, "high": 0.03, "unit": "pp",
    }  # fmt: skip
    return row | changed


RECORDS = [
    record("A", "bags", "supported"),
    record("B", "bags", "refuted"),
    record("C", "nets", "supported"),
    record("D", "nets", "not run", estimate=None),
    record("E", "nets", "refuted", control=True),
]


def test_counts_are_those_of_the_records_and_leave_controls_out() -> None:
    rows = {line.split(" | ")[0].strip("| *"): line for line in overview(RECORDS, TITLES).splitlines()}
    place = {verdict: 1 + VERDICTS.index(verdict) for verdict in VERDICTS}

    def count(row: str, verdict: str) -> str:
        return rows[row].strip("| ").split("|")[place[verdict]].strip(" *")

    assert count("Do bags help?", "supported") == count("Do bags help?", "refuted") == "1"
    assert count("Do nets?", "refuted") == ""
    assert [count("all", verdict) for verdict in VERDICTS] == ["2", "0", "0", "1", "1"]


def test_what_is_refuted_is_named_with_its_interval_and_nothing_else_is() -> None:
    lines = overview(RECORDS, TITLES).splitlines()
    named = [line for line in lines if line.startswith("| B |")]
    assert named == ["| B | \\|B\\| is so. | so | 2.00 pp [1.00, 3.00] |"]
    assert not [line for line in lines if line.startswith(("| A |", "| E |"))]
    assert "Refuted" not in overview(RECORDS[:1], TITLES)


def test_the_readme_check_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/claims.json").write_text(json.dumps({"claims": RECORDS}))
    (tmp_path / "studies.yaml").write_text(PLAN)
    assert readme.main([]) == 1
    assert "README.md: file is missing" in capsys.readouterr().err
    (tmp_path / "README.md").write_text(f"# x\n{BEGIN}\n{END}\nrest\n")
    assert readme.main(["--check"]) == 1
    assert "run `make report`" in capsys.readouterr().err
    assert readme.main([]) == 0
    assert readme.main(["--check"]) == 0
    assert readme.main([]) == 0
    assert (tmp_path / "README.md").read_text().count("| B |") == 1
    assert capsys.readouterr().err == ""
