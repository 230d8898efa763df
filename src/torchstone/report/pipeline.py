"""The pipeline as dvc.yaml declares it: its stages, their runs, what each reads and makes, and by which params."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from torchstone.core.params import read_yaml

BLANK = re.compile(r"\$\{([^}]+)\}")
CODE = "metrics/fingerprint/"  # every stage depends on its own; an arrow for each would hide the others
WHOLE = "all"  # stands for the key of a stage that has none, as in data/STAGE/all
Content = Any


@dataclass(frozen=True)
class Run:
    """A stage with one key: the files that it reads and makes."""

    stage: str
    key: str
    reads: tuple[str, ...]
    makes: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """A stage of dvc.yaml, with all its keys if it has some."""

    name: str
    question: str
    command: str
    rows: Mapping[str, Content] | None  # key to row; a key stands for itself where dvc.yaml has a list
    params: tuple[str, ...]  # as dvc.yaml writes them, with ${key}
    makes: tuple[str, ...]
    runs: tuple[Run, ...]


class Pipeline:
    """All stages but the one that writes the fingerprints, in the order of dvc.yaml."""

    def __init__(self, declared: Mapping[str, Content], params: Mapping[str, Content]) -> None:
        self._params = params
        self.steps = {
            name: self._step(name, stage) for name, stage in declared.items() if not _makes_fingerprints(stage)
        }

    def _step(self, name: str, stage: Mapping[str, Content]) -> Step:
        each = self.value(stage["foreach"][2:-1]) if "foreach" in stage else None
        rows = {str(row): row for row in each} if isinstance(each, list) else each
        body = stage.get("do", stage)
        runs = []
        for key, item in (rows or {WHOLE: None}).items():
            reads, makes = (
                tuple(self._filled(path, key, item) for path in _paths(body.get(part, []))) for part in ("deps", "outs")
            )
            runs.append(Run(name, key, reads, makes))
        return Step(
            name, " ".join(body.get("desc", "").split()), body["cmd"], rows, tuple(body.get("params", [])),
            tuple(_paths(body.get("outs", []))), tuple(runs),
        )  # fmt: skip

    def value(self, path: str) -> Content:
        """Return the subtree of the params at a dotted path."""
        found: Content = self._params
        for part in path.split("."):
            found = found[part]
        return found

    def _filled(self, text: str, key: str, item: Content) -> str:
        """Put key, the row's values and params into the blanks of a text, as dvc does."""

        def value(blank: re.Match[str]) -> str:
            first, *rest = blank[1].split(".")
            if first == "key":
                return key
            return str(self.value(blank[1]) if first != "item" else item[rest[0]] if rest else item)

        return BLANK.sub(value, text)

    @cached_property
    def before(self) -> dict[str, set[str]]:
        """Which stages each stage reads from, itself left out."""
        made = [(path, run.stage) for step in self.steps.values() for run in step.runs for path in run.makes]
        return {
            name: {maker for run in step.runs for read in run.reads for path, maker in made if _meet(read, path)}
            - {name}
            for name, step in self.steps.items()
        }

    @cached_property
    def loops(self) -> set[str]:
        """The stages of which one run reads what another has made, as rounds do."""
        return {
            name for name, step in self.steps.items()
            if any(_meet(read, path) for run in step.runs for read in run.reads
                   for other in step.runs if other is not run for path in other.makes)
        }  # fmt: skip

    def ancestors(self, names: Sequence[str]) -> list[str]:
        """Return these stages and all that they depend on, the first of the pipeline first."""
        found, waiting = set(names), list(names)
        while waiting:
            new = self.before[waiting.pop()] - found
            found |= new
            waiting += new
        return [name for name in self.steps if name in found]

    def settings(self, trials: str) -> list[str]:
        """Return the params that STAGE/KEY (+ STAGE/KEY; * for several) depends on directly, a line each."""
        lines: list[str] = []
        for part in trials.split(" + "):
            stage, pattern = part.split("/")
            step = self.steps.get(stage)
            if step is not None:
                runs = step.rows or {WHOLE: None}
                keys = [key for key in runs if step.rows is None or fnmatchcase(key, pattern)]
                lines += [
                    f"{name} = {_flow(self.value(name))}"
                    for template in step.params
                    for name in dict.fromkeys(self._filled(template, key, runs[key]) for key in keys)
                ]
        return list(dict.fromkeys(lines))


def _makes_fingerprints(stage: Mapping[str, Content]) -> bool:
    return any(path.startswith(CODE) for path in _paths(stage.get("outs", [])))


def _paths(entries: Sequence[Content]) -> list[str]:
    """Return the paths of deps or outs, which may be mappings of a path to its flags."""
    return [str(next(iter(entry)) if isinstance(entry, Mapping) else entry) for entry in entries]


def _meet(read: str, made: str) -> bool:
    return f"{read}/".startswith(f"{made}/") or f"{made}/".startswith(f"{read}/")


def _flow(value: Content) -> str:
    """Write a value of the params on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def load_pipeline(path: Path, params: Path) -> Pipeline:
    """Read dvc.yaml, and the params that its rows come from."""
    return Pipeline(read_yaml(path)["stages"], read_yaml(params))
