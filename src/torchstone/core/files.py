"""The only writer of the house: atomic, and the same bytes for the same content.

A file is written beside its place, flushed to disk and moved over it, so a reader sees the old file or the new one
and a full disk or a kill leaves no half of either. Arrays go to npz without pickle; JSON has sorted keys and no NaN;
SVG has its ids and date pinned.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from torchstone.core.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Arrays = dict[str, npt.NDArray[Any]]


def write_bytes(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` in one step; raises OSError and leaves the old file if that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with \\n line ends."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: object) -> None:
    """Write JSON with sorted keys; raises ValueError on NaN or infinity, which strict readers refuse."""
    write_text(path, json.dumps(content, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def write_arrays(path: Path, arrays: Mapping[str, npt.ArrayLike]) -> None:
    """Write named arrays as an npz whose bytes depend on the content alone (numpy pins the zip dates)."""
    ready = {name: np.asarray(arrays[name]) for name in sorted(arrays)}
    for name, array in ready.items():
        if array.dtype.hasobject:
            raise TypeError(f"array '{name}' holds Python objects, which npz would pickle")
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **ready)
    write_bytes(path, buffer.getvalue())


def write_svg(path: Path, figure: Figure) -> None:
    """Write a matplotlib figure as SVG without date and with fixed element ids."""
    import matplotlib as mpl  # here, so that training stages do not import it

    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "torchstone", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    write_bytes(path, buffer.getvalue())


def read_bytes(path: Path, remedy: str = "run `dvc repro`") -> bytes:
    """Read a file; raises InputError that names it and the remedy if it is missing or unreadable."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: file is missing; {remedy}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None


def read_arrays(path: Path) -> Arrays:
    """Read an npz without pickle; raises InputError if it is missing or damaged."""
    content = read_bytes(path)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, KeyError, TypeError, RuntimeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: damaged array file ({error}); delete it and run `dvc repro`, or `dvc checkout` to restore it"
        ) from None


def read_json(path: Path) -> Any:  # noqa: ANN401  the caller validates
    """Read JSON; raises InputError if it is missing or damaged."""
    try:
        return json.loads(read_bytes(path))
    except ValueError as error:
        raise InputError(f"{path}: damaged JSON ({error}); run `dvc repro`") from None


def digest(content: bytes) -> str:
    """Return the sha256 of some bytes as hex."""
    return hashlib.sha256(content).hexdigest()


def rounded(value: float, digits: int = 12) -> float:
    """Round to significant digits, to keep the last bits of a sum out of a table that people compare."""
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))
