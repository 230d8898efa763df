"""Laws of the code fingerprints: what changes no result changes no hash, and what may change one changes just that."""

from __future__ import annotations

import ast
import copy
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from torchstone.core.fingerprint import NUMERIC, WITHOUT_EFFECT, closure, definitions, differences, fingerprint

ROOT = Path(__file__).parents[2]
STAGES = sorted(path.stem for path in (ROOT / "stages").glob("*.py") if path.stem != "__init__")
SOURCES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "stages").glob("*.py")])

TOY = {
    "stages/__init__.py": "",
    "stages/left.py": "from torchstone.core import shared\nfrom torchstone.core.left import only\nimport torch\n",
    "stages/right.py": "def main():\n    from torchstone.core.shared import used\n    import numpy.linalg\n",
    "stages/alone.py": "import json\n",
    "src/torchstone/__init__.py": '"""Package."""\n',
    "src/torchstone/core/__init__.py": "",
    "src/torchstone/core/left.py": "def only():\n    return 1\n",
    "src/torchstone/core/typed.py": "X = 1\n",
    "src/torchstone/core/schema/__init__.py": "from torchstone.core.schema.params import Params\n",
    "src/torchstone/core/schema/params.py": "class Params:\n    seed: int\n",
    "src/torchstone/core/shared.py": '''"""Module text."""
from typing import TYPE_CHECKING

from torchstone.core.schema import Params

if TYPE_CHECKING:
    from torchstone.core.typed import X
    import pandas

LIMIT = 3


def used(x, y=2):
    """Say what it does."""
    # a comment
    return x + y


async def later():
    """Wait."""


class Thing:
    """A thing."""

    def method(self):
        """Do it."""
        return LIMIT
''',
}
SHARED = "src/torchstone/core/shared.py"


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    for name, text in TOY.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def prints(root: Path) -> dict[str, dict[str, Any]]:
    return {stage: fingerprint(stage, root) for stage in ("left", "right", "alone")}


def edited(root: Path, file: str, old: str, new: str) -> dict[str, list[str]]:
    """Edit one file and say for each stage what its fingerprints tell of it."""
    before = prints(root)
    text = (root / file).read_text()
    assert text.count(old) == 1, old
    (root / file).write_text(text.replace(old, new))
    now = prints(root)
    assert all((before[stage] == now[stage]) == (not differences(before[stage], now[stage])) for stage in now)
    return {stage: differences(before[stage], now[stage]) for stage in now}


def test_a_stage_depends_on_the_modules_it_reaches_and_the_libraries_they_import(toy: Path) -> None:
    found = prints(toy)
    shared = {"torchstone", "torchstone.core", "torchstone.core.shared", "stages"}
    assert set(found["left"]["code"]) == shared | {"stages.left", "torchstone.core.left"}
    assert set(found["right"]["code"]) == shared | {"stages.right"}
    assert set(found["alone"]["code"]) == {"stages", "stages.alone"}
    assert set(found["left"]["libraries"]) == {"python", "torch"}
    assert set(found["right"]["libraries"]) == {"python", "numpy"}
    assert found["left"]["libraries"]["torch"] == version("torch").split("+")[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    # a comment\n", ""),
        ("LIMIT = 3", "# a limit\nLIMIT = 3  # three\n\n"),
        ('"""Module text."""', '"""Another text."""'),
        ('"""Module text."""\n', ""),
        ('"""Say what it does."""', '"""Say it better."""'),
        ('    """Say what it does."""\n', ""),
        ('"""A thing."""', '"""The thing."""'),
        ('        """Do it."""\n', ""),
        ("return x + y", "return (x\n            + y)"),
    ],
)
def test_a_comment_a_docstring_or_a_line_break_changes_nothing(toy: Path, old: str, new: str) -> None:
    assert edited(toy, SHARED, old, new) == {"left": [], "right": [], "alone": []}


def test_an_edited_function_changes_its_own_hash_in_the_stages_that_import_it(toy: Path) -> None:
    line = ["torchstone.core.shared: used changed"]
    assert edited(toy, SHARED, "return x + y", "return x - y") == {"left": line, "right": line, "alone": []}
    only = ["torchstone.core.left: only changed"]
    assert edited(toy, "src/torchstone/core/left.py", "return 1", "return 2") == {
        "left": only,
        "right": [],
        "alone": [],
    }


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("y=2", "y=3", "used changed"),
        ("def used(", "@staticmethod\ndef used(", "used changed"),
        ("return LIMIT", "return LIMIT + 1", "Thing changed"),
        ("class Thing:", "class Thing(dict):", "Thing changed"),
        ("LIMIT = 3", "LIMIT = 4", "(module) changed"),
        ("async def later():\n", "async def later(x=1):\n", "later changed"),
        ('async def later():\n    """Wait."""\n', "", "later is gone"),
        ("LIMIT = 3", "LIMIT = 3\n\n\ndef more(): ...", "more is new"),
    ],
)
def test_every_edit_of_code_is_named_by_module_and_definition(toy: Path, old: str, new: str, line: str) -> None:
    lines = [f"torchstone.core.shared: {line}"]
    assert edited(toy, SHARED, old, new) == {"left": lines, "right": lines, "alone": []}


def test_definitions_of_one_name_count_together() -> None:
    one = definitions(ast.parse("def f(): return 1\ndef f(): return 2"))
    two = definitions(ast.parse("def f(): return 3\ndef f(): return 2"))
    assert set(one) == {"f"}
    assert one != two


def test_what_only_a_type_checker_imports_is_no_dependency(toy: Path) -> None:
    trees, outside = closure("stages.left", toy)
    assert "torchstone.core.typed" not in trees
    assert "pandas" not in outside
    nothing: dict[str, list[str]] = {"left": [], "right": [], "alone": []}
    assert edited(toy, "src/torchstone/core/typed.py", "X = 1", "X = 2") == nothing


def test_the_schema_is_left_out(toy: Path) -> None:
    nothing: dict[str, list[str]] = {"left": [], "right": [], "alone": []}
    assert edited(toy, "src/torchstone/core/schema/params.py", "seed: int", "seed: int\n    more: str") == nothing
    assert WITHOUT_EFFECT == "torchstone.core.schema"


def test_a_new_a_lost_module_and_a_library_are_named(toy: Path) -> None:
    now = fingerprint("left", toy)
    before = copy.deepcopy(now)
    del before["code"]["torchstone.core.left"]
    before["code"]["torchstone.core.old"] = {"f": "00"}
    before["libraries"]["torch"] = "1.0"
    torch = now["libraries"]["torch"]
    assert differences(before, now) == [
        "module torchstone.core.left is new",
        "module torchstone.core.old is gone",
        f"library torch: 1.0 -> {torch}",
    ]
    assert differences(now, now) == []


# ---------------------------------------------------------------- the project's own code


@pytest.mark.parametrize("stage", STAGES)
def test_a_fingerprint_depends_on_the_code_alone(stage: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copytree(ROOT / "stages", tmp_path / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    assert fingerprint(stage, tmp_path) == fingerprint(stage, ROOT)


def test_an_edit_of_one_function_of_the_project_reaches_exactly_its_stages(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copytree(ROOT / "stages", tmp_path / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    before = {stage: fingerprint(stage, tmp_path) for stage in STAGES}
    file = tmp_path / "src/torchstone/stats/intervals.py"
    file.write_text(file.read_text().replace("1 - alpha / 2", "1 - alpha", 1))
    changed = {stage: differences(before[stage], fingerprint(stage, tmp_path)) for stage in STAGES}
    assert changed["judge"] == ["torchstone.stats.intervals: interval changed"]
    assert not any(changed[stage] for stage in ("prepare", "resample", "ensemble", "fingerprint"))


def test_only_stages_with_networks_depend_on_torch() -> None:
    assert "torch" in fingerprint("ensemble", ROOT)["libraries"]
    for stage in ("fingerprint", "resample", "judge"):
        assert "torch" not in fingerprint(stage, ROOT)["libraries"]


def test_every_library_of_the_closures_is_numeric_or_known_not_to_matter() -> None:
    # What a stage may import besides: it cannot change a number (typst sets them), or is Python itself.
    harmless = {"markupsafe", "pydantic", "pydantic_core", "yaml", "ruamel", "tqdm", "pooch", "typst"}
    import sys

    for stage in STAGES:
        _, outside = closure(f"stages.{stage}", ROOT)
        unknown = outside - set(NUMERIC) - harmless - set(sys.stdlib_module_names)
        assert not unknown, f"{stage} imports {unknown}: does its version change results?"


FORBIDDEN = {"__import__", "exec", "eval", "import_module", "compile", "find_spec", "spec_from_file_location"}


def calls(tree: ast.AST) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name: Callable[..., Any] | str = ""
            if isinstance(node.func, ast.Name):
                name = node.func.id
            elif isinstance(node.func, ast.Attribute) and ast.unparse(node.func).split(".")[0] in {
                "importlib",
                "builtins",
                "util",
            }:
                name = node.func.attr
            if name in FORBIDDEN:
                found.append((str(name), node.lineno))
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_import_escapes_the_closure(path: Path) -> None:
    tree = ast.parse(path.read_bytes())
    assert not calls(tree), "a dynamic import or code from text"
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            assert all(alias.name != "*" for alias in node.names), f"line {node.lineno}: import *"
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            assert not any(name.split(".")[0] in {"importlib", "imp", "runpy"} for name in names) or set(names) <= {
                "importlib.metadata",
                "importlib.resources",
                "version",
                "files",
            }, f"line {node.lineno}"


def test_a_dynamic_import_would_be_found() -> None:
    text = "import importlib\nimportlib.import_module(0)\n__import__(0)\nexec(0)\nx.eval()\nimportlib.util.find_spec(0)"
    assert [name for name, _ in calls(ast.parse(text))] == ["import_module", "__import__", "exec", "find_spec"]
