"""What the pipeline promises, held against a smoke run in a fresh project."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from .conftest import Project

pytestmark = pytest.mark.xdist_group("pipeline")


def _hashes(root: Path) -> dict[str, str]:
    files = [path for top in ("data", "metrics", "reports") for path in (root / top).rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_second_run_does_nothing(project: Project) -> None:
    assert project.reproduce() == set()


def test_every_stage_declares_the_files_it_uses(project: Project) -> None:
    lock = yaml.safe_load((project.root / "dvc.lock").read_text())["stages"]
    runs = [json.loads(line) for line in (project.root / ".scratch/runs.jsonl").read_text().splitlines()]
    first = {run["stage"]: run for run in reversed(runs)}
    assert set(lock) <= set(first)  # other tests may have added stages and taken them away again
    for name, entry in lock.items():
        declared = [dependency["path"] for dependency in entry.get("deps", [])] + ["params.yaml"]
        outputs = [out["path"] for out in entry["outs"]]
        for path in first[name]["reads"]:
            inside = any(path == known or path.startswith(f"{known}/") for known in [*declared, *outputs])
            assert inside, f"{name} reads {path}, which dvc.yaml does not declare"
        for path in declared:
            used = any(read == path or read.startswith(f"{path}/") for read in first[name]["reads"])
            # code is read as code, and params before the watch begins
            code = path.startswith(("metrics/fingerprint/", "src/", "stages", "params.yaml"))
            assert used or code, f"{name} declares {path} and never reads it"


def test_a_training_stage_never_declares_a_validation_or_test_set_it_does_not_need(project: Project) -> None:
    lock = yaml.safe_load((project.root / "dvc.lock").read_text())["stages"]
    for name, entry in lock.items():
        paths = [dependency["path"] for dependency in entry.get("deps", [])]
        if name.startswith("resample@"):
            assert not [path for path in paths if path.endswith(("test.npz", "valid.npz"))]


def test_a_clean_run_gives_the_same_bytes_but_for_what_is_measured_in_seconds(project: Project, tmp_path: Path) -> None:
    before = _hashes(project.root)
    other = Project(tmp_path / "again")
    project.call("git", "clone", "--quiet", str(project.root), str(other.root))
    shutil.copytree(project.root / ".dvc/plots", other.root / ".dvc/plots", dirs_exist_ok=True)
    other.call("dvc", "repro", "--force")
    after = _hashes(other.root)
    measured = ("data/speed/", "data/cost/", "data/recommend/", "reports/", "metrics/summary.json")
    assert set(after) == set(before)
    assert [name for name in before if after[name] != before[name] and not name.startswith(measured)] == []
    # Given the same seconds and bytes, all that follows from them is the same too.
    for stage in ("speed", "cost"):
        shutil.copytree(project.root / "data" / stage, other.root / "data" / stage, dirs_exist_ok=True)
    for stage in ("recommend", "judge", "report", "paper"):
        other.call(sys.executable, "-m", f"stages.{stage}")
    assert _hashes(other.root) == before
    assert other.call("git", "status", "--porcelain").split() == ["M", "dvc.lock"]


def test_metrics_plots_params_and_the_graph_can_be_shown(project: Project) -> None:
    metrics = json.loads(project.call("dvc", "metrics", "show", "--json").split("\nWARN")[0])
    shown = next(iter(metrics.values()))["data"]["metrics/summary.json"]["data"]
    assert 0 < len(shown) <= 12
    assert "error" not in project.call("dvc", "metrics", "show").lower().replace("_error", "")
    plots = json.loads(project.call("dvc", "plots", "show", "--json"))
    assert plots.get("errors", []) == []
    assert "ensemble@waveform" in project.call("dvc", "dag", "--dot")
    html = project.call("dvc", "plots", "show")
    page = (project.root / "dvc_plots/index.html").read_text()
    assert "cdn.jsdelivr.net" not in page, html
    shutil.rmtree(project.root / "dvc_plots")


def test_an_experiment_can_be_run_and_compared(project: Project) -> None:
    try:
        project.call("dvc", "exp", "run", "--quiet", "-n", "six", "-S", "ensemble.members=6")
        table = project.call("dvc", "exp", "show", "--only-changed", "--no-pager", "--csv")
        assert "six" in table
        assert "ensemble.members" in project.call("dvc", "exp", "diff", "HEAD", "six")
    finally:
        project.restore()
        project.call("dvc", "checkout", "--quiet", "--force")


def test_a_mistyped_param_stops_before_any_work(project: Project) -> None:
    try:
        project.edit("params.yaml", "  members: 4", "  membres: 4")
        said = project.call(sys.executable, "-m", "stages.judge", fails=True)
        assert "params.yaml: ensemble.membres: unknown key; did you mean 'members'?" in said
        assert "Traceback" not in said
    finally:
        project.restore()


def test_why_names_the_param_and_the_function_that_changed(project: Project) -> None:
    try:
        project.edit("params.yaml", "rounds: 5 ", "rounds: 7 ")
        project.edit("src/torchstone/studies/ensembles/boosting.py", "2 * np.sqrt", "2.0 * np.sqrt")
        said = project.call(sys.executable, "-m", "torchstone.core.why", "ensemble@waveform")
        assert "param ensemble.rounds: 5 -> 7" in said
        assert "torchstone.studies.ensembles.boosting: error_bound changed" in said
        project.call(sys.executable, "-m", "torchstone.core.why", "--all", fails=True)
    finally:
        project.restore()
    assert "nothing changed" in project.call(sys.executable, "-m", "torchstone.core.why", "--all")


def test_a_damaged_input_is_named(project: Project) -> None:
    path = project.root / "data/resample/waveform/rows.npz"
    content = path.read_bytes()
    try:
        path.write_bytes(content[: len(content) // 2])
        said = project.call(sys.executable, "-m", "stages.ensemble", "waveform", fails=True)
        assert "rows.npz: damaged array file" in said
        assert "Traceback" not in said
    finally:
        path.write_bytes(content)


def test_the_run_ends_with_the_verdicts_the_page_and_the_paper(project: Project) -> None:
    said = project.call(sys.executable, "-m", "torchstone.report.terminal")
    assert "E3" in said
    assert "reports/index.html" in said
    assert "reports/paper.pdf" in said
    assert (project.root / "reports/paper.pdf").read_bytes().startswith(b"%PDF")
