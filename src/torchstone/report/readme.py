"""The verdict table in Markdown, and the README's copy of it.

``python -m torchstone.report.readme`` puts reports/verdicts.md between the marks in README.md; ``--check`` says
whether they differ.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from torchstone.core.errors import InputError
from torchstone.core.files import read_bytes, write_text
from torchstone.stats.records import shown

BEGIN, END = "<!-- verdicts:begin -->", "<!-- verdicts:end -->"


def effect(record: dict[str, Any]) -> str:
    """Return the estimate with its interval in the claim's unit, or a dash."""
    if record["estimate"] is None:
        return "-"
    unit = record["unit"]
    low, high = (shown(record[name], unit).removesuffix(unit).strip() for name in ("low", "high"))
    return f"{shown(record['estimate'], unit)} [{low}, {high}]"


def verdict_table(records: list[dict[str, Any]]) -> str:
    """Return the Markdown table of all claims, controls last."""
    lines = ["| | claim | verdict | effect, 95 % interval |", "|---|---|---|---|"]
    for record in sorted(records, key=lambda record: bool(record["control"])):
        lines.append(f"| {record['id']} | {record['sentence']} | {record['verdict']} | {effect(record)} |")
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
        wanted = embedded(readme, read_bytes(Path("reports/verdicts.md")).decode())
        if "--check" not in arguments:
            write_text(Path("README.md"), wanted)
        elif readme != wanted:
            raise InputError("README.md: its verdicts are not those of reports/verdicts.md; run `make report`")
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
