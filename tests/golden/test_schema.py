"""The schema that editors read is that of the code."""

import json
from pathlib import Path

from torchstone.core.schema import Params


def test_the_committed_json_schema_is_that_of_the_params_models() -> None:
    committed = Path(__file__).resolve().parents[2] / "docs/params.schema.json"
    assert json.loads(committed.read_text()) == Params.model_json_schema()
