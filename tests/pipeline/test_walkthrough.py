"""docs/adding-a-study.md, followed to the letter in a copy of the smoke project."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT, Project

pytestmark = pytest.mark.xdist_group("pipeline")
PAGE = (ROOT / "docs/adding-a-study.md").read_text()
STEP = re.compile(
    r"^- `(?P<new>[^`]+)` is new:\n\n```\w+\n(?P<content>.*?)^```$"
    r"|^- `(?P<place>[^`]+)`, before `(?P<anchor>[^`]+)`:\n\n```\w+\n(?P<piece>.*?)^```$"
    r"|^- `(?P<longer>[^`]+)`, at the end:\n\n```\w+\n(?P<end>.*?)^```$"
    r"|^- `(?P<edited>[^`]+)`: `(?P<old>[^`]+)` becomes `(?P<text>[^`]+)`$",
    re.MULTILINE | re.DOTALL,
)


def follow(root: Path) -> list[str]:
    """Do every step of the page in a project, and return the new files."""
    made = []
    for step in STEP.finditer(PAGE):
        part = step.groupdict()
        path = root / next(part[name] for name in ("new", "place", "longer", "edited") if part[name])
        if part["new"]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(part["content"])
            made.append(part["new"])
        elif part["place"]:
            before, found, after = f"\n{path.read_text()}".partition(f"\n{part['anchor']}")
            assert found, f"{path} has no line that begins with {part['anchor']!r}"
            path.write_text(f"{before}\n{part['piece']}{part['anchor']}{after}".removeprefix("\n"))
        elif part["longer"]:
            path.write_text(path.read_text() + part["end"])
        else:
            old, new = (part[name].replace("\\n", "\n") for name in ("old", "text"))
            text = path.read_text()
            assert text.count(old) == 1, f"{path} has {old!r} {text.count(old)} times"
            path.write_text(text.replace(old, new))
    return made


def test_every_piece_of_code_on_the_page_belongs_to_a_step() -> None:
    steps = list(STEP.finditer(PAGE))
    pieces = sum(step["edited"] is None for step in steps)
    assert pieces == len(re.findall(r"^```(?:python|yaml)$", PAGE, re.MULTILINE))
    assert len(steps) - pieces == len(re.findall(r"` becomes `", PAGE))


def test_whoever_follows_the_page_gets_a_study_with_its_verdict(project: Project, tmp_path: Path) -> None:
    root = tmp_path / "followed"
    shutil.copytree(project.root, root, symlinks=True)
    for name in ("params.yaml", "dvc.yaml", "studies.yaml"):  # as people write them; the project's were written anew
        shutil.copy(ROOT / name, root / name)
    copy = Project(root)
    made = follow(root)
    ruff = Path(sys.executable).parent / "ruff"
    for command in (["check", "."], ["format", "--check", *made]):
        done = subprocess.run([ruff, *command], cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    schema, tests = re.findall(r"^python (.*(?:schema docs|pytest).*)$", PAGE, re.MULTILINE)
    copy.call(sys.executable, *schema.split())
    files = [file for word in tests.split() for file in sorted(map(str, root.glob(word))) or [word]]
    copy.call(sys.executable, *files, "-p", "no:cacheprovider")
    copy.call(sys.executable, "-m", "pytest", "-q", "tests/laws/test_paper.py", "-k", "all_params")
    copy.call(sys.executable, "-m", "torchstone.core.params", "preset", "presets/smoke.yaml")
    assert copy.reproduce() == {"fingerprint", "means", "judge", "report", "paper"}
    records = json.loads((root / "reports/claims.json").read_text())["claims"]
    (record,) = [one for one in records if one["id"] == "M1"]
    assert record["estimate"] == pytest.approx(0.5, abs=0.1)
    assert "| M1 |" in (root / "reports/verdicts.md").read_text()
    assert (root / "reports/figures/means.svg").is_file()
    assert copy.reproduce() == set()
