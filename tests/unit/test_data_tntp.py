"""Laws of published road networks: the format, and that only the pinned file is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchstone.core.errors import InputError
from torchstone.data import tntp

TEXT = """<NUMBER OF NODES> 3
<END OF METADATA>

~ \tinit\tterm\tcapacity\tlength\tfree\tb\tpower\tspeed\ttoll\ttype\t;
\t1\t2\t25900.2\t6\t6\t0.15\t4\t0\t0\t1\t;
\t2\t3\t4958.18\t5\t5\t0.15\t4\t0\t0\t1\t;
"""


def test_a_network_is_read_link_by_link() -> None:
    found = tntp.parse(TEXT)
    assert found["init"].tolist() == [1, 2]
    assert found["term"].tolist() == [2, 3]
    assert found["free"].tolist() == [6, 5]
    assert found["capacity"][1] == pytest.approx(4958.18)


@pytest.mark.parametrize(
    ("text", "said"),
    [("1 2 3", "no <END OF METADATA>"), (TEXT.replace("\t0\t0\t1\t;", "\t;", 1), "has 10 columns")],
)
def test_another_format_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        tntp.parse(text)


def test_a_file_that_is_not_the_pinned_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHSTONE_DATA", str(tmp_path))
    (tmp_path / "tntp").mkdir()
    (tmp_path / "tntp/SiouxFalls_net.tntp").write_text(TEXT)
    with pytest.raises(InputError, match="damaged, it has not the sha256 ace99b24"):
        tntp.links("sioux-falls")
    with pytest.raises(InputError, match="did you mean 'anaheim'"):
        tntp.links("anaheimm")
