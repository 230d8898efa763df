"""The rerun table: for each edit exactly the stages that run, held against a smoke run in a fresh project."""

from __future__ import annotations

import pytest

from .conftest import Project

ENSEMBLE = {"ensemble@waveform", "ensemble@breast_cancer"}
PREPARE = {"prepare@waveform", "prepare@breast_cancer", "prepare@mnist1d", "prepare@digits"}
GAN = {"exact", "gan@minimax", "gan@nonsaturating", "gan@pac2", "gan@r1"}
SWEEP = {"sweep@mnist1d-b0008", "sweep@mnist1d-b0032", "sweep@mnist1d-b0064"}
PRUNE = {"prune@r00", "prune@r01", "prune@r02"}
CONTROL = {"control@r00", "control@r02"}
TICKETS = {*PRUNE, *CONTROL, "depth"}
MEASURED = {"cost@mnist1d", "recommend"}  # cost measures anew, so what reads it has new inputs
GUIDED = {"forecast@city", "eta@city", "route@city", "feedback@city"}
VERDICTS = {"judge", "report", "paper"}

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
    "a caption": ([("studies.yaml", "title: Error by horizon", "title: Errors by horizon")], {"report", "paper"}),
    "the words of the paper": (
        [("src/torchstone/report/paper/prose.typ", "A touchstone tells gold", "Touchstones tell gold")],
        {"fingerprint", "paper"},
    ),
    "how the page lays itself out": (
        [("src/torchstone/report/templates/page.css", "{", "{ ")],
        {"fingerprint", "report"},  # the paper has a layout of its own
    ),
    "the draws of the primer": ([("params.yaml", "pairs: 40", "pairs: 41")], {"primer", *VERDICTS}),
    "the sizes that are timed": ([("params.yaml", "  - 10\n  - 1000\n", "  - 10\n  - 100\n")], {"speed", *VERDICTS}),
    "a function of the primer": (
        [("src/torchstone/studies/primer/functions.py", "\nEPS = 1e-5", "\nEPS = 1e-4")],
        {"fingerprint", "primer", *VERDICTS},
    ),
    "the judge's error rate": ([("params.yaml", "alpha: 0.05", "alpha: 0.01")], {"recommend", "depth", *VERDICTS}),
    "the verdict's code": (
        [("src/torchstone/stats/verdict.py", 'return "inconclusive"\n', 'return "refuted"\n')],
        {"fingerprint", *VERDICTS},
    ),
    "a score of the ensemble study": (
        [("src/torchstone/studies/ensembles/scores.py", "\nBINS = 15", "\nBINS = 10")],
        {"fingerprint", *ENSEMBLE, "judge", "report"},  # calibration, which no claim and no figure here shows
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
        {"route@city", *VERDICTS},
    ),
    "when an arrival is bad": (
        [
            (
                "src/torchstone/studies/navigation/arriving.py",
                "\nBAD, BAD_SECONDS = 0.2, 180.0",
                "\nBAD, BAD_SECONDS = 0.0, 0.0",
            )
        ],
        {"fingerprint", "eta@city", "judge", "report"},  # no verdict and no figure of the smoke run moves
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

# Most edits go to a worker of their own, with a project of its own, so that two cores share the work.
EDITS = [
    pytest.param(edit, marks=pytest.mark.xdist_group("edits" if place % 4 else "pipeline"))
    for place, edit in enumerate(RERUNS)
]


# What judge, report and paper do to each other is seen in these edits; all others only ask whether DVC would run judge
# and report, which read every study's data, and save half of the time.
TO_THE_END = {
    "a claim's margin", "a caption", "the words of the paper", "how the page lays itself out", "the judge's error rate",
    "the verdict's code", "a score of the ensemble study", "when an arrival is bad", "the boosting rounds",
    "the draws of the primer", "how modes are counted", "a new round of pruning",
}  # fmt: skip
LAST = ("judge", "report", "paper")
assert set(RERUNS) >= TO_THE_END


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_reruns_exactly_what_depends_on_it(project: Project, edit: str) -> None:
    changes, expected = RERUNS[edit]
    try:
        for file, old, new in changes:
            project.edit(file, old, new)
        if edit in TO_THE_END:
            assert project.reproduce() == expected
        else:
            assert project.reproduce(but=LAST) - {"paper"} == expected - {"paper"}
    finally:
        project.restore()
        project.call("dvc", "checkout", "--quiet", "--force")
