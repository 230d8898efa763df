"""Checkpoints outside DVC: a killed stage goes on where it was, and a stale checkpoint cannot be found.

DVC deletes a stage's outputs before it runs, and ``persist: true`` would accept the outputs of old params. So work in
progress lies in ``.scratch/<identity>/``, where the identity hashes stage, key, params, inputs and code: any change
of these looks in another folder. It is deleted when the stage succeeds.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from torchstone.core.errors import InputError
from torchstone.core.files import Arrays, read_arrays, write_arrays
from torchstone.core.processes import in_order

SCRATCH = Path(".scratch")


def identity(parts: Mapping[str, Any]) -> str:
    """Hash everything that a result depends on to a folder name."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]


class Resume:
    """The finished pieces and the latest states of one run of one stage."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, name: str) -> Path:
        return self.folder / f"{name.replace('/', '-')}.npz"

    def load(self, name: str) -> Arrays | None:
        """Return what was saved under this name, or None if there is nothing whole."""
        path = self._path(name)
        if not path.exists():
            return None
        try:
            return read_arrays(path)
        except InputError:  # damaged by something outside: the piece is computed again
            path.unlink()
            return None

    def save(self, name: str, arrays: Mapping[str, npt.ArrayLike]) -> None:
        """Keep arrays under this name, replacing what was there in one step."""
        write_arrays(self._path(name), arrays)

    def pieces(
        self,
        function: Callable[..., Arrays],
        jobs: Mapping[str, tuple[Any, ...]],
        *,
        label: str,
        workers: int | None = None,
    ) -> Iterator[Arrays]:
        """Yield ``function(*job)`` for each named job, in order; those finished before a kill are not run again."""
        waiting = {name: job for name, job in jobs.items() if self.load(name) is None}
        results = in_order(function, list(waiting.values()), label=label, workers=workers)
        for name, arrays in zip(waiting, results, strict=True):
            self.save(name, arrays)
        for name in jobs:
            found = self.load(name)
            assert found is not None
            yield found

    def clear(self) -> None:
        """Delete all of it; the stage has succeeded."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder)
