"""A fresh project with the smoke preset, run once for all pipeline tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FIGURES = 2  # of each study, and a picture if it has one


class Project:
    """A git and DVC repository in a temporary folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", "PYTHONPATH": str(root / "src")}

    def call(self, *command: str, fails: bool = False) -> str:
        """Run a command in the project and return what it printed; it must succeed unless ``fails``."""
        done = subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False, timeout=400
        )
        assert (done.returncode != 0) == fails, f"{command}: {done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def reproduce(self, *, but: tuple[str, ...] = ()) -> set[str]:
        """Run ``dvc repro`` and return the stages that really ran (the run cache is left out of it).

        Stages in ``but``, on which no others may depend, are not run; those of them that DVC says it would run, as
        their inputs or params have changed, are returned like the others.
        """
        script = (
            "from dvc.repo import Repo\n"
            "with Repo('.') as repo:\n"
            f"    but = {list(but)!r}\n"
            "    names = [stage.addressing for stage in repo.index.stages if stage.addressing not in but]\n"
            "    ran = repo.reproduce(targets=names if but else None, run_cache=False)\n"
            "    print('RAN', *[stage.addressing for stage in ran], *(repo.status(targets=but) if but else {}))\n"
        )
        lines = self.call(sys.executable, "-c", script).splitlines()
        return set(next(line for line in lines if line.startswith("RAN")).split()[1:])

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace one piece of text in a file; it must be there."""
        path = self.root / file
        text = path.read_text()
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new, 1))

    def restore(self) -> None:
        """Put every tracked file back to the first commit."""
        self.call("git", "checkout", "--quiet", "start", "--", ".")


def _stages(figures: list[dict[str, Any]]) -> set[str]:
    """Return the stages whose trials or pictures these figures read."""
    panels = [panel for figure in figures for panel in figure["panels"]]
    named = [panel["trials"] for panel in panels] + [panel.get("right", {}).get("trials") or "" for panel in panels]
    return {part.split("/")[0] for trials in named for part in trials.split(" + ") if part}


def _thin_out(root: Path) -> None:
    """Leave the first figures of each study: drawing all of them anew is most of what an edit costs here.

    Every figure is drawn from real trials by the smoke run of .ci/run, and from made-up ones by tests/unit.
    """
    plan, pipeline = (yaml.safe_load((root / name).read_text()) for name in ("studies.yaml", "dvc.yaml"))
    for study in plan["studies"].values():
        kept: list[dict[str, Any]] = []
        for figure in study["figures"]:  # and whatever alone reads a stage, which report would else declare in vain
            if len(kept) < FIGURES or _stages([figure]) - _stages(kept):
                kept.append(figure)
        study["figures"] = kept
        study.pop("colours", None)  # some belong to figures that are gone
    left = {figure["name"] for study in plan["studies"].values() for figure in study["figures"]}
    pipeline["plots"] = [plot for plot in pipeline["plots"] if set(plot) <= left]
    for name, content in (("studies.yaml", plan), ("dvc.yaml", pipeline)):
        (root / name).write_text(yaml.safe_dump(content, sort_keys=False, width=1000))


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    root = tmp_path_factory.mktemp("clone") / "project"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    for name in listed:
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    made = Project(root)
    made.call("git", "init", "--quiet")
    made.call("git", "config", "user.email", "test@example.org")
    made.call("git", "config", "user.name", "test")
    made.call(sys.executable, "-m", "torchstone.core.params", "preset", "presets/smoke.yaml")
    _thin_out(root)
    made.call(sys.executable, "-m", "torchstone.report.offline")
    (root / "dvc.lock").unlink()
    made.first = made.call("dvc", "repro")  # type: ignore[attr-defined]
    made.call("git", "add", "--all")
    made.call("git", "commit", "--quiet", "-m", "smoke run")
    made.call("git", "tag", "start")
    yield made
    shutil.rmtree(root, ignore_errors=True)
