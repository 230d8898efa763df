"""Laws of the primer's params: a typo, a range and a section that contradicts itself are named before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.params_text import complaint


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("pairs: 30", "pears: 30", "primer.pears: unknown key; did you mean 'pairs'?"),
        ("sides: [3, 5]", "sizes: [3, 5]", "speed.sizes: unknown key; did you mean 'sides'?"),
        ("rows: 16, features: 2", "rows: 5, features: 2", "primer.rows = 5: take at least twice the 3 coefficients"),
        ("sides: [3, 5]", "sides: [5, 3]", "speed.sides: they must rise"),
        ("lengths: [6, 9]", "lengths: [6, 6]", "speed.lengths: they must rise"),
    ],
)
def test_a_mistake_in_the_primer_is_named(path: Path, old: str, new: str, expected: str) -> None:
    assert expected in complaint(path, old, new).splitlines()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("pairs: 30", "pairs: 3", "primer.pairs = 3: "),
        ("width: 0.0001", "width: 0.0", "primer.width = 0.0: "),
        ("hidden: [7]", "hidden: []", "primer.hidden = []: "),
        ("sides: [3, 5]", "sides: [3]", "speed.sides = [3]: "),
        ("lengths: [6, 9]", "lengths: [0, 9]", "speed.lengths.0 = 0: "),
        ("repeats: 2", "repeats: 1", "speed.repeats = 1: "),
    ],
)
def test_a_range_of_the_primer_is_checked(path: Path, old: str, new: str, expected: str) -> None:
    assert expected in complaint(path, old, new)
