"""The paper set by typst from files in memory alone, with typst's own fonts: the same files, the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typst

from torchstone.core.errors import InputError
from torchstone.core.files import read_bytes, read_json
from torchstone.report.paper.citations import cited, entries, named
from torchstone.report.plan import Plan

HERE = Path(__file__).parent
Files = dict[str, bytes]


def template() -> Files:
    """Return the template and its bibliography."""
    paths = sorted(path for path in HERE.iterdir() if path.suffix in {".typ", ".bib"})
    return {path.name: read_bytes(path, remedy="install torchstone anew") for path in paths}


def gather(root: Path, plan: Plan) -> Files:
    """Return all that the paper is made of: the template, and the tracked files under ``root`` that it reads."""
    reports = root / "reports"
    files = template() | {
        "claims.json": read_bytes(reports / "claims.json"),
        "params.yaml": read_bytes(root / "params.yaml"),
        "studies.yaml": read_bytes(root / "studies.yaml"),
    }
    drawn = [figure.name for study in plan.studies.values() for figure in study.figures]
    there = [name for name in drawn if (reports / "figures" / f"{name}.svg").exists()]
    advised = [name for name, study in plan.studies.items() if study.advice]
    files |= {f"figures/{name}.svg": read_bytes(reports / "figures" / f"{name}.svg") for name in there}
    files |= {f"advice/{name}.json": read_bytes(reports / "advice" / f"{name}.json") for name in advised}
    records = read_json(reports / "claims.json")["claims"]
    made = {"figures": there, "advice": advised, "citations": citations(records, files["references.bib"].decode())}
    return files | {"made.json": json.dumps(made).encode()}


def citations(records: list[dict[str, Any]], bibliography: str) -> dict[str, list[str]]:
    """Return the keys of the works that each claim cites."""
    names = named(entries(bibliography))
    return {record["id"]: cited(record["source"], names) for record in records}


def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True)


def typeset(files: Mapping[str, bytes]) -> bytes:
    """Return the PDF; raises InputError with typst's own message if the template cannot be set."""
    try:
        return _document(dict(files))
    except typst.TypstError as error:
        raise InputError(f"the paper cannot be typeset: {error.message} {error.diagnostic}".strip()) from None


def _document(files: Files) -> bytes:
    pdf = typst.compile(_input(files), font_paths=_fonts(), format="pdf")
    assert isinstance(pdf, bytes)
    return pdf


def _input(files: Files) -> Any:  # noqa: ANN401  typst takes files in memory, its type hints do not say so
    return files


def marked(files: Mapping[str, bytes], label: str) -> list[Any]:
    """Return what the template says of itself under a label: a value for each time that it stands in the paper."""
    found = json.loads(typst.query(_input(dict(files)), f"<{label}>", field="value", font_paths=_fonts()))
    return list(found)
