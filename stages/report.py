"""Draw the figures and make the page, the verdict table and the summary, from trials and verdicts alone."""

from pathlib import Path

from torchstone.core.files import read_json, write_json, write_svg, write_text
from torchstone.core.stage import Stage, run
from torchstone.report.advice import load_advice
from torchstone.report.figures import styles
from torchstone.report.kinds import drawing
from torchstone.report.page import Content, page
from torchstone.report.pipeline import load_pipeline
from torchstone.report.plan import load_plan
from torchstone.report.readme import verdict_table
from torchstone.report.sources import load_sources
from torchstone.report.summary import summary
from torchstone.report.tables import Trials

REPORTS = Path("reports")


def main(stage: Stage) -> None:
    plan = load_plan(Path("studies.yaml"))
    records = read_json(REPORTS / "claims.json")["claims"]
    advice = load_advice(REPORTS / "advice", plan)
    trials = Trials(Path("data"), stage.params)
    pipeline = load_pipeline(Path("dvc.yaml"), Path("params.yaml"))
    sources = load_sources(Path("sources.yaml"))
    drawn, pictures = {}, {}
    for study in plan.studies.values():
        style = styles(study.figures, study.colours)
        for figure in study.figures:
            canvas, table, files = drawing(figure, trials, style)
            if table is None:
                pictures[figure.name] = files
            else:
                text = table.to_csv(index=False, lineterminator="\n")
                write_text(REPORTS / "plots" / f"{figure.name}.csv", text)
            if canvas is not None:
                path = REPORTS / "figures" / f"{figure.name}.svg"
                write_svg(path, canvas)
                drawn[figure.name] = path.read_text(encoding="utf-8")
    write_text(REPORTS / "verdicts.md", verdict_table(records))
    content = Content(plan, records, drawn, advice, pictures, pipeline, sources)
    write_text(REPORTS / "index.html", page(content))
    write_json(Path("metrics/summary.json"), summary(records, plan, trials))


if __name__ == "__main__":
    run(main)
