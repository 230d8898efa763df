"""The paper says what the tracked files say: every claim, no number of its own, and the same bytes anywhere."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typst
import yaml

from tests.laws.template import texts
from torchstone.report.paper.citations import cited, entries, named
from torchstone.report.paper.typeset import Files, gather, marked, template, typeset
from torchstone.report.plan import load_plan

ROOT = Path(__file__).resolve().parents[2]
RECORDS: list[dict[str, Any]] = json.loads((ROOT / "reports/claims.json").read_text())["claims"]
LEDGER: list[dict[str, Any]] = yaml.safe_load((ROOT / "claims.yaml").read_text())["claims"]
WORKS = entries(template()["references.bib"].decode())
HOUSE = ("ours", "own", "the source text", "negative control")  # who else claims something here
NUMBER_WORDS = re.compile(
    r"\b(two(?!-sided)|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|hundred|thousand|dozen)\b", re.I
)
SET = "from pathlib import Path; from torchstone.report.plan import load_plan; import hashlib, sys; " \
      "from torchstone.report.paper.typeset import gather, typeset; root = Path(sys.argv[1]); " \
      "print(hashlib.sha256(typeset(gather(root, load_plan(root / 'studies.yaml')))).hexdigest())"  # fmt: skip


@cache
def files() -> Files:
    return gather(ROOT, load_plan(ROOT / "studies.yaml"))


def with_records(records: list[dict[str, Any]]) -> Files:
    return files() | {"claims.json": json.dumps({"claims": records}).encode()}


def shown(text: str) -> list[float]:
    """Return the numbers of an effect as the paper shows it."""
    raised = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−", "0123456789--")
    plain = re.sub(r" × 10(\S+?)(?=[\s,\]]|$)", lambda power: f"e{power[1].translate(raised)}", text)
    return [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", plain.translate(raised))]


def test_the_paper_is_the_same_bytes_whatever_the_zone_the_locale_the_clock_and_the_folder(tmp_path: Path) -> None:
    here = hashlib.sha256(typeset(files())).hexdigest()
    away = {**os.environ, "TZ": "Asia/Seoul", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "86400", "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", SET, str(ROOT)], cwd=tmp_path, env=away, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == here


def test_typst_has_nothing_to_warn_of() -> None:
    compiler: Any = typst.compile_with_warnings  # its type hints leave out files in memory
    _, warnings = compiler(files(), font_paths=typst.Fonts(include_system_fonts=False), format="pdf")
    assert [warning.message for warning in warnings] == []


def test_no_number_stands_in_the_words_of_the_template() -> None:
    for name, content in template().items():
        for text in texts(content.decode()) if name.endswith(".typ") else ():
            assert not re.search(r"\d", text), f"{name}: '{text.strip()}' holds a number; read it from a file"
            found = NUMBER_WORDS.search(text)
            assert not found, f"{name}: '{text.strip()}' says '{found and found[0]}'; read it from a file"


@pytest.mark.parametrize(
    "planted",
    ["of 142 claims", "#let x = [about 63 %]", '#let x = f("all 20 replicates", 3pt)', "#f(2)[#g(1)[nine of twenty]]"],
)
def test_a_number_that_is_planted_in_the_words_is_found(planted: str) -> None:
    found = " ".join(texts(f"#set text(size: 9pt)\n{planted}\n$1 / n$ #strong[so] #params.at(3)."))
    assert re.search(r"\d", found) or NUMBER_WORDS.search(found)
    assert not re.search(r"\b[139]\b", found)  # the lengths, the formula and the code beside it are none


def test_every_claim_is_in_the_table_once_with_its_effect_and_verdict() -> None:
    rows = {row["id"]: row for row in marked(files(), "claim")}
    assert Counter(row["id"] for row in marked(files(), "claim")) == Counter(record["id"] for record in RECORDS)
    for record in RECORDS:
        row = rows[record["id"]]
        assert row["verdict"] == record["verdict"]
        scale = 100.0 if record["unit"] in {"pp", "%"} else 1.0
        wanted = [record[name] for name in ("estimate", "low", "high") if record[name] is not None]
        for told, value in zip(shown(row["effect"]), wanted, strict=True):
            tenth = max(0.051 * abs(value) * scale, 0.0051 if scale > 1 else 0.0)
            assert told == pytest.approx(value * scale, abs=tenth), f"{record['id']}: {row['effect']} for {wanted}"


def test_the_tally_counts_the_verdicts_of_each_study_without_controls() -> None:
    order = ("supported", "direction only", "refuted", "inconclusive", "not run")
    told = {row["title"]: row["counts"] for row in marked(files(), "tally")}
    studies: dict[str, Any] = yaml.safe_load((ROOT / "studies.yaml").read_text())["studies"]
    for name, study in studies.items():
        found = Counter(row["verdict"] for row in RECORDS if row["study"] == name and not row["control"])
        assert told[study["title"].replace("'", "’")] == [str(found[verdict]) for verdict in order]


def test_a_value_that_changes_in_claims_json_changes_in_the_paper() -> None:
    chosen = next(record for record in RECORDS if record["verdict"] == "supported" and not record["control"])
    edited = chosen | {"estimate": 0.4321, "unit": "pp", "verdict": "refuted"}
    changed = with_records([edited if record is chosen else record for record in RECORDS])
    (row,) = (row for row in marked(changed, "claim") if row["id"] == chosen["id"])
    assert row["effect"].startswith("43.2 pp")
    before, after = ({row["title"]: row["counts"] for row in marked(of, "tally")} for of in (files(), changed))
    assert int(after["all studies"][2]) == int(before["all studies"][2]) + 1
    assert typeset(changed) != typeset(files())


def test_every_source_of_a_claim_has_its_entry_in_the_bibliography() -> None:
    names = named(WORKS)
    for claim in LEDGER:
        works = cited(claim["source"], names)
        assert works or claim["source"].startswith(HOUSE), (
            f"{claim['id']}: no entry of references.bib has '{claim['source']}' among its keywords"
        )
        years = set(re.findall(r"\b(?:19|20)\d\d(?=[a-z]?\b)", claim["source"]))
        known = {WORKS[key].get("year") or WORKS[key].get("date", "")[:4] for key in works}
        assert years <= known, f"{claim['id']}: '{claim['source']}' names a work of {years - known} without an entry"


def test_every_work_without_keywords_is_cited_by_the_prose_and_every_citation_of_the_prose_has_its_work() -> None:
    said = set(re.findall(r"@([\w-]+)", template()["prose.typ"].decode())) - {"corrections"}
    assert said <= set(WORKS)
    assert {key for key, fields in WORKS.items() if "keywords" not in fields} <= said
    assert all({"author", "title"} <= set(fields) for fields in WORKS.values())


def test_the_stage_depends_on_every_file_of_the_template_and_on_all_params() -> None:
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["paper"]
    place = "src/torchstone/report/paper/"
    assert {path.removeprefix(place) for path in stage["deps"] if path.startswith(place)} == set(template())
    assert stage["params"] == list(yaml.safe_load((ROOT / "params.yaml").read_text()))
