"""Why would a stage run again? Which param, input or function changed since its last run.

``python -m torchstone.core.why ensemble@digits`` explains one stage and those before it; ``--all`` explains every
stage and exits with 1 if there is anything to explain, which is how CI knows that dvc.lock, metrics and reports are
those of the committed code and params. Nothing is run, and data that only DVC's cache holds is not needed.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import yaml
from dvc.repo import Repo
from ruamel.yaml import YAML

from torchstone.core.errors import InputError, near_miss
from torchstone.core.fingerprint import differences, fingerprint

Entry = dict[str, Any]


def locked_stages(root: Path) -> dict[str, Entry]:
    """Return the entries of dvc.lock by stage name; none if nothing was ever run."""
    path = root / "dvc.lock"
    if not path.exists():
        return {}
    # As DVC wrote it: its 1e-05 is a number to YAML 1.2, and text to the older rules of the other reader.
    content: dict[str, Any] = YAML(typ="safe").load(path.read_text())
    stages: dict[str, Entry] = content.get("stages") or {}
    return stages


def _value(tree: Any, dotted: str) -> Any:  # noqa: ANN401  a YAML tree
    for step in dotted.split("."):
        if not isinstance(tree, dict) or step not in tree:
            return None
        tree = tree[step]
    return tree


def changed_params(entry: Entry, params: Entry, wanted: list[str]) -> list[str]:
    """Say which params of a stage differ from those of its last run."""
    old = entry.get("params", {}).get("params.yaml", {})
    lines = []
    for name in wanted:
        before, now = old.get(name), _value(params, name)
        if name not in old:
            lines.append(f"param {name} is newly declared")
        elif before != now:
            lines.append(f"param {name}: {json.dumps(before)} -> {json.dumps(now)}")
    return lines


def _changed_files(entry: Entry, root: Path, produced: dict[str, str]) -> list[str]:
    """Say which input files of a stage differ; an output of another stage is compared through dvc.lock."""
    lines = []
    for dependency in entry.get("deps", []):
        path = root / dependency["path"]
        if dependency["path"].startswith("metrics/fingerprint/"):
            continue
        made = produced.get(dependency["path"])
        if made is not None and made != dependency["md5"]:
            lines.append(f"input {dependency['path']} was made anew by another stage")
        elif made is None and path.is_file() and _md5(path) != dependency["md5"]:
            lines.append(f"input {dependency['path']} was edited")
        elif made is None and not path.exists() and not dependency["path"].startswith("data/"):
            lines.append(f"input {dependency['path']} is missing")
    for output in entry.get("outs", []):
        path = root / output["path"]
        if path.is_file() and _md5(path) != output["md5"]:
            lines.append(f"output {output['path']} was edited by hand")
        elif not path.exists() and not output["path"].startswith("data/"):
            lines.append(f"output {output['path']} is missing")
    return lines


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()  # DVC's own digest


def reasons(root: Path) -> dict[str, list[str]]:
    """Return for every stage, in the order they run, what changed since its last run."""
    lock = locked_stages(root)
    params = yaml.safe_load((root / "params.yaml").read_text())
    produced = {out["path"]: out["md5"] for entry in lock.values() for out in entry.get("outs", [])}
    found: dict[str, list[str]] = {}
    with Repo(str(root)) as repo:
        for stage in repo.index.stages:
            name = stage.addressing
            entry = lock.get(name)
            if entry is None:
                found[name] = ["it never ran"]
                continue
            wanted = [key for dependency in stage.params for key in dependency.params]
            lines = ["its command changed"] if entry["cmd"] != stage.cmd else []
            lines += changed_params(entry, params, wanted)
            lines += _changed_code(name, entry, root)
            lines += _changed_files(entry, root, produced)
            found[name] = lines
        gone = set(lock) - set(found)
    for name in sorted(gone):
        found[name] = ["dvc.lock has it, dvc.yaml and params.yaml do not"]
    return found


def _changed_code(name: str, entry: Entry, root: Path) -> list[str]:
    short = name.split("@")[0]
    recorded = root / "metrics/fingerprint" / f"{short}.json"
    if short == "fingerprint" or not recorded.exists():
        return []
    lines = [f"code: {line}" for line in differences(json.loads(recorded.read_text()), fingerprint(short, root))]
    seen = next((d["md5"] for d in entry["deps"] if d["path"].endswith(f"/{short}.json")), None)
    if not lines and seen is not None and seen != _md5(recorded):
        lines.append("code: changed since its last run; `git log -p` of its fingerprint says where")
    return lines


def main(arguments: list[str]) -> int:
    """Print the reasons of one stage (all rows of it, if no key is given) or, with --all, of every stage."""
    try:
        found = reasons(Path())
        if arguments == ["--all"]:
            names = [name for name in found if name != "fingerprint"]
        elif len(arguments) == 1:
            names = [name for name in found if arguments[0] in {name, name.split("@")[0]}]
            if not names:
                raise InputError(f"no stage '{arguments[0]}'; {near_miss(arguments[0], found)}")
        else:
            raise InputError("usage: make why STAGE=ensemble@digits")
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    for name in names:
        for line in found[name]:
            print(f"{name}: {line}")
    changed = any(found[name] for name in names)
    if not changed:
        print("nothing changed since the last run")
    return 1 if changed and arguments == ["--all"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
