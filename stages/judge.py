"""Pass a verdict on every claim of claims.yaml from the trials tables alone."""

from pathlib import Path

from torchstone.core.files import write_json
from torchstone.core.stage import Stage, run
from torchstone.stats.evidence import gather
from torchstone.stats.ledger import load_claims
from torchstone.stats.records import as_records
from torchstone.stats.verdict import judge


def main(stage: Stage) -> None:
    params = stage.params
    claims = load_claims(Path("claims.yaml"))
    evidence, waiting = gather(claims, params, Path("data"))
    findings = judge(evidence, params.judge, params.shared.seed)
    write_json(Path("reports/claims.json"), {"claims": as_records(claims, findings, waiting, params.judge)})


if __name__ == "__main__":
    run(main)
