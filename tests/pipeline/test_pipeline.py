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

ENSEMBLE = {"ensemble@waveform", "ensemble@breast_cancer"}
PREPARE = {"prepare@waveform", "prepare@breast_cancer", "prepare@mnist1d", "prepare@digits"}
GAN = {"exact", "gan@minimax", "gan@nonsaturating", "gan@pac2", "gan@r1"}
SWEEP = {"sweep@mnist1d-b0008", "sweep@mnist1d-b0032", "sweep@mnist1d-b0064"}
PRUNE = {"prune@r00", "prune@r01", "prune@r02"}
CONTROL = {"control@r00", "control@r02"}
TICKETS = {*PRUNE, *CONTROL, "depth"}
MEASURED = {"cost@mnist1d", "recommend"}  # cost measures anew, so what reads it has new inputs
GUIDED = {"forecast@city", "eta@city", "route@city", "feedback@city"}
VERDICTS = {"judge", "report"}

# (what is edited: file, old text, new text) -> exactly these stages run
RERUNS: dict[str, tuple[list[tuple[str, str, str]], set[str]]] = {
    "a comment in code": (
        [("src/torchstone/studies/ensembles/scores.py", "\nBINS = 15", "\n# a remark\nBINS = 15")],
        {"fingerprint"},
    ),
    "a docstring": (
        [("src/torchstone/stats/verdict.py", '"""Return Holm', '"""Give Holm')],
        {"fingerprint"},
    ),
    "a comment in params.yaml": ([("params.yaml", "# root of every", "# the root of every")], set()),
    "a key that no stage in the chain reads": (
        [("presets/paper.yaml", "members: 100", "members: 101")],
        set(),
    ),
    "a claim's margin": ([("claims.yaml", "margin: 0.015", "margin: 0.02")], VERDICTS),
    "a caption": ([("studies.yaml", "title:", "title: New")], {"report"}),
    "the judge's error rate": ([("params.yaml", "alpha: 0.05", "alpha: 0.01")], {"recommend", "depth", *VERDICTS}),
    "the verdict's code": (
        [("src/torchstone/stats/verdict.py", 'return "inconclusive"\n', 'return "refuted"\n')],
        {"fingerprint", *VERDICTS},
    ),
    "a score of the ensemble study": (
        [("src/torchstone/studies/ensembles/scores.py", "\nBINS = 15", "\nBINS = 10")],
        {"fingerprint", *ENSEMBLE, *VERDICTS},
    ),
    "one data set's epochs": (
        [("params.yaml", "      epochs: 2\n", "      epochs: 3\n")],
        {"ensemble@waveform", *VERDICTS},
    ),
    "a data source's code, with the same rows": (
        [("src/torchstone/data/generated.py", "def waveform(", "UNUSED = 1\n\n\ndef waveform(")],
        {"fingerprint", *PREPARE},
    ),
    "a new batch size": (
        [("params.yaml", "    mnist1d-b0064:", "    mnist1d-b0048: {dataset: mnist1d, batch: 48}\n    mnist1d-b0064:")],
        {"sweep@mnist1d-b0048", "minima@mnist1d", "recommend", *VERDICTS},
    ),
    "a task's learning rate": (
        [("params.yaml", "      learning_rate: 0.05", "      learning_rate: 0.06")],
        {*SWEEP, "minima@mnist1d", *MEASURED, *VERDICTS},
    ),
    "how sharpness is measured": (
        [("src/torchstone/learn/sharpness.py", "\nITERATIONS = 10", "\nITERATIONS = 9")],
        {"fingerprint", "minima@mnist1d", *VERDICTS},
    ),
    "the box of sharpness": ([("params.yaml", "dimensions: 5", "dimensions: 6")], {"minima@mnist1d", *VERDICTS}),
    "a margin of the advice": (
        [("params.yaml", "margins: {mnist1d: 0.01", "margins: {mnist1d: 0.5")],
        {"recommend", *VERDICTS},
    ),
    "a new game": (
        [
            (
                "params.yaml",
                "    minimax: {loss",
                "    pac3: {loss: nonsaturating, pack: 3, critic_steps: 1, penalty: none, strength: 0.0, "
                "betas: [0.5, 0.9]}\n    minimax: {loss",
            )
        ],
        {"gan@pac3", "forge@digits", *VERDICTS},
    ),
    "how modes are counted": (
        [("src/torchstone/studies/gan/modes.py", "\nSIGMAS = 3.0", "\nSIGMAS = 2.5")],
        {"fingerprint", *GAN, "forge@digits", *VERDICTS},
    ),
    "the length of the games on digits": (
        [("params.yaml", "    judge_epochs: 2", "    judge_epochs: 3")],
        {"forge@digits", *VERDICTS},
    ),
    "the cars of the simulated weeks": (
        [("params.yaml", "  cars: 2500", "  cars: 2600")],
        {"traffic@city", "probes@city", "match@city", *GUIDED, *VERDICTS},
    ),
    "the share of probe cars": (
        [("params.yaml", "  main: 0.2 ", "  main: 0.05 ")],
        {"probes@city", "match@city", *GUIDED, *VERDICTS},
    ),
    "the landmarks of the search": (
        [("params.yaml", "  landmarks: 2", "  landmarks: 3")],
        {"route@city", "feedback@city", *VERDICTS},
    ),
    "when an arrival is bad": (
        [
            (
                "src/torchstone/studies/navigation/arriving.py",
                "\nBAD, BAD_SECONDS = 0.2, 180.0",
                "\nBAD, BAD_SECONDS = 0.0, 0.0",
            )
        ],
        {"fingerprint", "eta@city", *VERDICTS},
    ),
    "the boosting of the real week, whose trials are recorded": (
        [("params.yaml", "rounds: 150, rows: 60000", "rounds: 151, rows: 60000")],
        {"week@metr-la", *VERDICTS},
    ),
    "the boosting rounds": ([("params.yaml", "rounds: 5 ", "rounds: 6 ")], {*ENSEMBLE, *VERDICTS}),
    "a new data set": (
        [
            ("params.yaml", "  mnist1d:", "  diabetes: {replicates: 2, valid: 0.1, test: 0.25}\n  mnist1d:"),
            (
                "params.yaml",
                "    breast_cancer:\n",
                "    diabetes: {epochs: 1, arms: {tree: [bagging]}}\n    breast_cancer:\n",
            ),
        ],
        {"prepare@diabetes", "resample@diabetes", "ensemble@diabetes", "recommend", "depth", *VERDICTS},
    ),
    "more test rows": (
        [("params.yaml", "train: 64, valid: 20, test: 50", "train: 64, valid: 20, test: 60")],
        {"prepare@mnist1d", *SWEEP, "minima@mnist1d", "recommend", *TICKETS, *VERDICTS},  # training rows stay
    ),
    "a new round of pruning": (
        [("params.yaml", "    r02: {after: r01}\n", "    r02: {after: r01}\n    r03: {after: r02}\n")],
        {"prune@r03", "depth", *VERDICTS},
    ),
    "the pruning rate": ([("params.yaml", "  rate: 0.2 ", "  rate: 0.3 ")], {*TICKETS, *VERDICTS}),
    "the lottery data set's learning rate": (
        [("params.yaml", "momentum: 0.0, learning_rate: 0.0", "momentum: 0.0, learning_rate: 0.01")],
        {"start", *TICKETS, *VERDICTS},  # the task is one param; the first weights come out the same
    ),
    "fewer control arms": (
        [
            (
                "params.yaml",
                "[control, twin, reinit, shuffled, random, oneshot, signs, finetuned]",
                "[control, twin, reinit, shuffled]",
            )
        ],
        {*CONTROL, "depth", *VERDICTS},
    ),
    "a new round of controls": (
        [("params.yaml", "  - r00\n  - r02\n", "  - r00\n  - r01\n  - r02\n")],
        {"control@r01", "depth", *VERDICTS},
    ),
    "the depth margin": (
        [("params.yaml", "margins: {mnist1d: 0.01, digits: 0.005}", "margins: {mnist1d: 0.3, digits: 0.005}")],
        {"depth", *VERDICTS},
    ),
    "the code of the control arms": (
        [("src/torchstone/studies/lottery/controls.py", 'DENSE = ("control", "twin")', 'DENSE = ("twin", "control")')],
        {"fingerprint", *CONTROL},
    ),
}


def _hashes(root: Path) -> dict[str, str]:
    files = [path for top in ("data", "metrics", "reports") for path in (root / top).rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_second_run_does_nothing(project: Project) -> None:
    assert project.reproduce() == set()


# Most edits go to a worker of their own, with a project of its own, so that two cores share the work.
EDITS = [
    pytest.param(edit, marks=pytest.mark.xdist_group("edits" if place % 4 else "pipeline"))
    for place, edit in enumerate(RERUNS)
]


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_reruns_exactly_what_depends_on_it(project: Project, edit: str) -> None:
    changes, expected = RERUNS[edit]
    try:
        for file, old, new in changes:
            project.edit(file, old, new)
        assert project.reproduce() == expected
    finally:
        project.restore()
        project.call("dvc", "checkout", "--quiet", "--force")


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
    measured = ("data/cost/", "data/recommend/", "reports/", "metrics/summary.json")
    assert set(after) == set(before)
    assert [name for name in before if after[name] != before[name] and not name.startswith(measured)] == []
    # Given the same seconds and bytes, all that follows from them is the same too.
    shutil.copytree(project.root / "data/cost", other.root / "data/cost", dirs_exist_ok=True)
    for stage in ("recommend", "judge", "report"):
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


def test_the_run_ends_with_the_verdicts_and_the_page(project: Project) -> None:
    said = project.call(sys.executable, "-m", "torchstone.report.terminal")
    assert "E3" in said
    assert "reports/index.html" in said
