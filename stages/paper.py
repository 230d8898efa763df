"""Set the paper: its template reads claims, params, advice and figures itself, so that no number in it can go stale."""

from pathlib import Path

from torchstone.core.files import write_bytes
from torchstone.core.stage import Stage, run
from torchstone.report.paper.typeset import gather, typeset
from torchstone.report.plan import load_plan


def main(stage: Stage) -> None:
    plan = load_plan(Path("studies.yaml"))
    write_bytes(Path("reports/paper.pdf"), typeset(gather(Path(), plan)))


if __name__ == "__main__":
    run(main)
