"""The table of data sets: adding one is a module, a line here and a field of `core.schema.Prepare`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torchstone.core.errors import InputError, near_miss
from torchstone.core.schema import Finite, Fixed, Generated
from torchstone.data.bundled import breast_cancer, diabetes, digits
from torchstone.data.generated import friedman1, waveform
from torchstone.data.idx import fashion_mnist, mnist
from torchstone.data.mnist1d import mnist1d
from torchstone.data.prepared import Prepared

# Each source takes its own kind of row; which kind belongs to which name is checked by core.schema.Prepare.
SOURCES: dict[str, Callable[[Any, int], Prepared]] = {
    "waveform": waveform,
    "friedman1": friedman1,
    "mnist1d": mnist1d,
    "breast_cancer": breast_cancer,
    "digits": digits,
    "diabetes": diabetes,
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
}


def prepare(name: str, row: Generated | Finite | Fixed, seed: int) -> Prepared:
    """Prepare a data set by name; raises InputError with a hint for an unknown one."""
    if name not in SOURCES:
        raise InputError(f"prepare.{name}: unknown data set; {near_miss(name, SOURCES)}")
    return SOURCES[name](row, seed)
