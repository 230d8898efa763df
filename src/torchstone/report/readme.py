"""The verdict table in Markdown, and what the README tells of it.

``python -m torchstone.report.readme`` puts counts by study and the claims that did not hold between the marks in
README.md; ``--check`` says whether they differ from reports/claims.json.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torchstone.core.errors import InputError
from torchstone.core.files import read_bytes, read_json, write_text
from torchstone.report.plan import load_plan
from torchstone.stats.records import shown

BEGIN, END = "<!-- verdicts:begin -->", "<!-- verdicts:end -->"
VERDICTS = ("supported", "direction only", "inconclusive", "refuted", "not run")
NOTHING = 1e-12  # what sums of shares leave over by rounding


def effect(record: dict[str, Any]) -> str:
    """Return the estimate with its interval in the claim's unit, or a dash; one replicate has no interval.

    A claim about "every" replicate has no interval either: its brackets hold the least and the largest value.
    """
    if record["estimate"] is None:
        return "-"
    unit = record["unit"]
    middle = f"{_plain(record['estimate'], unit)} {unit}".strip()
    if record["low"] is None or record["high"] is None:
        return middle
    return f"{middle} [{_plain(record['low'], unit)}, {_plain(record['high'], unit)}]"


def _plain(value: float, unit: str) -> str:
    """Show a value without its unit; where it would round to nothing, one digit says on which side of 0 it lies."""
    text = shown(value, unit).removesuffix(unit).strip()
    if float(text) != 0:
        return text
    return text.removeprefix("-") if abs(value) < NOTHING else f"{value * 100:.1g}"


def verdict_table(records: list[dict[str, Any]]) -> str:
    """Return the Markdown table of all claims, controls last."""
    lines = ["| | claim | verdict | effect, 95 % interval |", "|---|---|---|---|"]
    for record in sorted(records, key=lambda record: bool(record["control"])):
        sentence = record["sentence"].replace("|", "\\|")
        lines.append(f"| {record['id']} | {sentence} | {record['verdict']} | {effect(record)} |")
    return "\n".join(lines) + "\n"


def overview(records: list[dict[str, Any]], titles: Mapping[str, str]) -> str:
    """Return the Markdown of the README: how many claims of each study came out how, and which are refuted."""
    judged = [record for record in records if not record["control"]]
    lines = [f"| study | {' | '.join(VERDICTS)} |", f"|---|{'---|' * len(VERDICTS)}"]
    for study, title in titles.items():
        counts = Counter(record["verdict"] for record in judged if record["study"] == study)
        lines.append(f"| {title} | {' | '.join(str(counts[verdict] or '') for verdict in VERDICTS)} |")
    totals = Counter(record["verdict"] for record in judged)
    lines.append(f"| **all** | {' | '.join(f'**{totals[verdict]}**' for verdict in VERDICTS)} |")
    refuted = [record for record in judged if record["verdict"] == "refuted"]
    if refuted:
        lines += [
            "",
            "Refuted, at this scale:",
            "",
            "| | claim | published | effect, 95 % interval |",
            "|---|---|---|---|",
        ]
    for record in refuted:
        sentence, published = (str(record[name]).replace("|", "\\|") for name in ("sentence", "published"))
        lines.append(f"| {record['id']} | {sentence} | {published} | {effect(record)} |")
    return "\n".join(lines) + "\n"


def embedded(readme: str, table: str) -> str:
    """Return the README with the table between its marks; raises InputError if they are not there."""
    before, found, rest = readme.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not found or not closed:
        raise InputError(f"README.md: the lines '{BEGIN}' and '{END}' are missing; the verdict table goes between them")
    return f"{before}{BEGIN}\n{table}{END}{after}"


def main(arguments: list[str]) -> int:
    """Write the table into README.md, or with --check compare; returns the exit status."""
    try:
        readme = read_bytes(Path("README.md"), remedy="restore it with `git checkout`").decode()
        records = read_json(Path("reports/claims.json"))["claims"]
        studies = load_plan(Path("studies.yaml")).studies
        wanted = embedded(readme, overview(records, {name: study.title for name, study in studies.items()}))
        if "--check" not in arguments:
            write_text(Path("README.md"), wanted)
        elif readme != wanted:
            raise InputError("README.md: its verdicts are not those of reports/claims.json; run `make report`")
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
