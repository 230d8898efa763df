"""A small params.yaml of one's own, for the tests of params."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.params_text import TEXT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "params.yaml"
    file.write_text(TEXT)
    return file
