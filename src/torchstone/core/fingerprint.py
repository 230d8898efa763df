"""Which code a stage's result depends on: its import closure, hashed so that comments do not count.

Each module in the closure of ``stages/NAME.py`` is hashed definition by definition on its syntax tree without
docstrings. A stage depends on the small JSON made here and not on source files, so a comment reruns nothing, an
edited helper reruns the stages that import it, and a diff of the JSON names the function that changed. The closure is
static: a dynamic import would escape it, so a test forbids them.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = {"torchstone": Path("src/torchstone"), "stages": Path("stages")}
# Only libraries whose version can change a result: a new linter must not retrain.
NUMERIC = {
    "jinja2": "jinja2",
    "matplotlib": "matplotlib",
    "mnist1d": "mnist1d",
    "numpy": "numpy",
    "pandas": "pandas",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "torch": "torch",
    "uxsim": "uxsim",
}
# The params schema has no defaults and changes no value (a test holds it to that), so it cannot change a result.
WITHOUT_EFFECT = "torchstone.core.schema"


def source_of(module: str, root: Path) -> Path | None:
    """Return the file of one of our modules, or None for others and for names inside a module."""
    first, *rest = module.split(".")
    if first not in PACKAGES:
        return None
    place = root.joinpath(PACKAGES[first], *rest)
    return next((path for path in (place / "__init__.py", place.with_suffix(".py")) if path.is_file()), None)


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree, leaving out what only a type checker runs."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            continue
        yield node
        yield from _statements(node)


def imports(tree: ast.Module) -> set[str]:
    """Return every dotted name that the module may import, at top level or inside functions."""
    names: set[str] = set()
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def closure(module: str, root: Path) -> tuple[dict[str, ast.Module], set[str]]:
    """Return the syntax trees of our modules that ``module`` reaches, and the outside packages they import."""
    trees: dict[str, ast.Module] = {}
    outside: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = source_of(name, root)
        if name in trees or f"{name}.".startswith(f"{WITHOUT_EFFECT}."):
            continue
        if path is None:
            outside.add(name.split(".")[0])
            continue
        trees[name] = ast.parse(path.read_bytes(), filename=str(path))
        parents = [name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1)]
        waiting += [*imports(trees[name]), *parents]
    return trees, outside - set(PACKAGES)


def _without_docstring(node: ast.AST) -> ast.AST:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = inner.body[0] if inner.body else None
            is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            if is_text and isinstance(first.value.value, str):  # type: ignore[union-attr]
                inner.body = inner.body[1:] or [ast.Pass()]
    return node


def definitions(tree: ast.Module) -> dict[str, str]:
    """Hash each top-level function and class by name, and all other statements together as "(module)"."""
    tree = _without_docstring(tree)  # type: ignore[assignment]
    texts: dict[str, list[str]] = {}
    for node in tree.body:
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        texts.setdefault(node.name if named else "(module)", []).append(ast.dump(node))  # type: ignore[attr-defined]
    return {name: hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12] for name, parts in sorted(texts.items())}


def fingerprint(stage: str, root: Path = Path()) -> dict[str, Any]:
    """Return what the code of a stage is: ``{"code": {module: {definition: hash}}, "libraries": {name: version}}``."""
    trees, outside = closure(f"stages.{stage}", root)
    libraries = {NUMERIC[name]: version(NUMERIC[name]).split("+")[0] for name in sorted(outside & set(NUMERIC))}
    libraries["python"] = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"code": {name: definitions(trees[name]) for name in sorted(trees)}, "libraries": libraries}


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Say in words what changed between two fingerprints, one line a definition or library."""
    lines = []
    for module in sorted({*before["code"], *now["code"]}):
        old, new = before["code"].get(module), now["code"].get(module)
        if old is None or new is None:
            lines.append(f"module {module} is {'new' if old is None else 'gone'}")
            continue
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                change = "is new" if name not in old else "is gone" if name not in new else "changed"
                lines.append(f"{module}: {name} {change}")
    for name in sorted({*before["libraries"], *now["libraries"]}):
        old, new = before["libraries"].get(name), now["libraries"].get(name)
        if old != new:
            lines.append(f"library {name}: {old} -> {new}")
    return lines
