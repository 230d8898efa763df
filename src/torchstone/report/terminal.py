"""The verdicts on the terminal, at the end of a run."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from torchstone.core.files import read_json
from torchstone.report.readme import effect


def verdict_lines(records: list[dict[str, Any]], width: int) -> list[str]:
    """Return one line a claim, cut to the terminal's width: id, verdict, effect with interval, sentence."""
    lines = []
    for record in records:
        lines.append(f"{record['id']:<18} {record['verdict']:<14} {effect(record):<34} {record['sentence']}"[:width])
    return lines


def main() -> None:
    """Print the table of reports/claims.json, the counts, and where page and paper are."""
    records = read_json(Path("reports/claims.json"))["claims"]
    for line in verdict_lines(records, shutil.get_terminal_size((120, 24)).columns):
        print(line)
    counts = Counter(record["verdict"] for record in records if not record["control"])
    print("\n" + ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()) + "; controls aside")
    print(f"page: {Path('reports/index.html').resolve()}")
    print(f"paper: {Path('reports/paper.pdf').resolve()}")


if __name__ == "__main__":
    main()
