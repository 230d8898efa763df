"""The contract of a stage: ``run(main)`` checks everything, then calls ``main(stage)``, then leaves nothing behind.

Before any work: the whole of params.yaml is validated, the key is known, and a lock says that no other process runs
the same stage. Paths follow from stage and key alone. Errors become one short message (TORCHSTONE_TRACEBACK=1 shows
the rest). What a run read, wrote and took goes to .scratch/runs.jsonl, not into metrics, which must not vary.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from torchstone.core.errors import InputError, near_miss
from torchstone.core.files import digest, read_bytes, write_json
from torchstone.core.fingerprint import fingerprint
from torchstone.core.params import load_params
from torchstone.core.processes import KIB, MOST_HEAP, allocate, die_with_parent
from torchstone.core.resume import SCRATCH, Resume, identity
from torchstone.core.schema import Params

WHOLE = "all"  # stands for the key of a stage that has none
WATCHED = ("data/", "metrics/", "reports/", "records/", "params.yaml", "claims.yaml", "studies.yaml")


class Stage:
    """What a stage is given: its key, the checked params, and its paths."""

    def __init__(self, name: str, key: str | None, params: Params) -> None:
        self.name = name
        self.key = key or WHOLE
        self.params = params
        self._inputs: list[Path] = []
        self._resume: Resume | None = None

    def input(self, stage: str, file: str, key: str | None = None) -> Path:
        """Return the path of another stage's output for this stage's key (or another one)."""
        path = Path("data", stage, key or self.key, file)
        self._inputs.append(path)
        return path

    def output(self, file: str) -> Path:
        """Return the path of one of this stage's outputs."""
        return Path("data", self.name, self.key, file)

    def weights(self, group: str, key: str | None = None) -> Path:
        """Return the path of networks that one stage made for another, in a folder for each group that is read.

        Without ``key`` it is this stage's own, under its key or, if it has none, its name.
        """
        own = self.name if self.key == WHOLE else self.key
        path = Path("data", "weights", group, f"{key or own}.npz")
        if key is not None:
            self._inputs.append(path)
        return path

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Write ``metrics/<stage>/<key>.json``: nested scalars, an undefined one left out."""
        write_json(Path("metrics", self.name, f"{self.key}.json"), metrics)

    def resume(self) -> Resume:
        """Return the checkpoints of this very run: same stage, key, params, inputs so far and code."""
        if self._resume is None:
            parts = {
                "stage": self.name,
                "key": self.key,
                "params": self.params.model_dump(mode="json"),
                "inputs": {str(path): digest(read_bytes(path)) for path in self._inputs},
                "code": fingerprint(self.name),
            }
            self._resume = Resume(SCRATCH / identity(parts))
        return self._resume

    def finish(self) -> None:
        """Delete the checkpoints, if the stage used any."""
        if self._resume is not None:
            self._resume.clear()


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    """Hold the lock of a stage; raises InputError naming the process that has it."""
    path = SCRATCH / "locks" / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise InputError(
                f"{name} is already running in process {holder}; wait for it, or stop it with `kill {holder}`"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _watch_files() -> tuple[set[str], set[str]]:
    """Record which project files this process opens, by Python's own audit events."""
    reads: set[str] = set()
    writes: set[str] = set()
    root = os.getcwd() + os.sep  # noqa: PTH109  plain strings: this runs at every open

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or not isinstance(arguments[0], str | os.PathLike):
            return
        path = os.fspath(arguments[0])
        path = path.removeprefix(root) if isinstance(path, str) else ""
        if path.startswith(WATCHED):
            writing = isinstance(arguments[1], str) and any(mode in arguments[1] for mode in "wax+")
            (writes if writing or path.endswith(".tmp") else reads).add(path)

    sys.addaudithook(hook)
    return reads, writes


def _known_key(name: str, key: str | None, keys: Iterable[str] | None) -> str | None:
    if keys is None:
        if key is not None:
            raise InputError(f"stage {name} takes no key, '{key}' was given")
        return None
    known = list(keys)
    if key is None:
        raise InputError(f"stage {name} needs a key; known: {', '.join(known)}")
    if key not in known:
        raise InputError(f"params.yaml: stage {name} has no row '{key}'; {near_miss(key, known)}")
    return key


def _work(
    name: str, key: str | None, main: Callable[[Stage], None], keys: Callable[[Params], Iterable[str]] | None
) -> None:
    params = load_params(Path("params.yaml"))
    stage = Stage(name, _known_key(name, key, keys(params) if keys else None), params)
    label = name if key is None else f"{name}@{key}"
    with _locked(label):
        start = time.monotonic()
        reads, _ = _watch_files()
        main(stage)
        stage.finish()
        record = {
            "stage": label,
            "seconds": round(time.monotonic() - start, 2),
            "finished": time.strftime("%Y-%m-%dT%H:%M:%S"),
            "host": platform.machine(),
            "python": platform.python_version(),
            "reads": sorted(reads),
        }
        with (SCRATCH / "runs.jsonl").open("a") as log:
            log.write(json.dumps(record) + "\n")


def _message(error: BaseException) -> str:
    """Say shortly what went wrong and what to do."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "disk full: nothing was half-written; free some space and run `dvc repro` again"
    if isinstance(error, MemoryError | BrokenProcessPool):
        return "out of memory: close other programs or lower TORCHSTONE_WORKERS, then run `dvc repro` again"
    if isinstance(error, KeyboardInterrupt):
        return "stopped; what was finished is kept, `dvc repro` goes on from there"
    where = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"unexpected {type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno}); "
        "set TORCHSTONE_TRACEBACK=1 and run again to see the traceback"
    )


def run(main: Callable[[Stage], None], keys: Callable[[Params], Iterable[str]] | None = None) -> None:
    """Run ``main`` as the stage of the module that was started with ``python -m stages.NAME [KEY]``.

    ``keys`` gives the rows that the stage may be asked for. Exits with 1 and a short message on any error.
    """
    specification = sys.modules["__main__"].__spec__
    name = specification.name.rsplit(".", 1)[-1] if specification else Path(sys.argv[0]).stem
    die_with_parent()
    # Left to itself, glibc gives a large freed block back, and a training step takes it again page by page.
    allocate(mapped_from=MOST_HEAP, kept=KIB**3)
    try:
        _work(name, sys.argv[1] if len(sys.argv) > 1 else None, main, keys)
    except (Exception, KeyboardInterrupt) as error:
        if os.environ.get("TORCHSTONE_TRACEBACK"):
            raise
        print(f"{' '.join(['stage', name, *sys.argv[1:2]])}: {_message(error)}", file=sys.stderr)
        sys.exit(1)
