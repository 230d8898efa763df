"""Draw the figures and make the page, the verdict table and the summary, from trials and verdicts alone."""

from pathlib import Path

from torchstone.core.files import read_json, write_json, write_svg, write_text
from torchstone.core.stage import Stage, run
from torchstone.report.advice import load_advice
from torchstone.report.figures import draw, styles
from torchstone.report.page import page
from torchstone.report.plan import load_plan
from torchstone.report.readme import verdict_table
from torchstone.report.summary import summary
from torchstone.report.tables import Trials, figure_table

REPORTS = Path("reports")


def main(stage: Stage) -> None:
    plan = load_plan(Path("studies.yaml"))
    records = read_json(REPORTS / "claims.json")["claims"]
    advice = load_advice(REPORTS / "advice.json", plan)
    trials = Trials(Path("data"), stage.params)
    drawn = {}
    for study in plan.studies.values():
        style = styles(study.figures, study.colours)
        for figure in study.figures:
            table = figure_table(figure, trials)
            write_text(REPORTS / "plots" / f"{figure.name}.csv", table.to_csv(index=False, lineterminator="\n"))
            if not table.empty:
                path = REPORTS / "figures" / f"{figure.name}.svg"
                write_svg(path, draw(figure, table, style))
                drawn[figure.name] = path.read_text(encoding="utf-8")
    write_text(REPORTS / "verdicts.md", verdict_table(records))
    write_text(REPORTS / "index.html", page(plan, records, drawn, advice))
    write_json(Path("metrics/summary.json"), summary(records, plan, trials))


if __name__ == "__main__":
    run(main)
