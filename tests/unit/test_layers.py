"""Laws of the layout: imports run one way, no module is a drawer of odds and ends, and nothing grows too long."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from torchstone.core.fingerprint import imports, source_of

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src/torchstone"
SOURCES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "stages").glob("*.py")])
TREES = {path: ast.parse(path.read_bytes()) for path in SOURCES}
# package: what it may import besides itself
MAY_IMPORT = {
    "core": set[str](),
    "stats": {"core"},
    "data": {"core"},
    "nets": {"core"},
    "learn": {"core", "nets"},
    "studies": {"core", "stats", "data", "nets", "learn"},
    "report": {"core", "stats"},
}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def packages_of(tree: ast.Module) -> set[str]:
    """Return the parts of torchstone that a module imports."""
    return {name.split(".")[1] for name in imports(tree) if name.startswith("torchstone.")}


def reached(module: str, seen: set[str]) -> set[str]:
    """Return every outside package that importing a module of ours would load from our code."""
    path = source_of(module, ROOT)
    if module in seen:
        return set()
    seen.add(module)
    if path is None:
        return {module.split(".")[0]}
    parents = {module.rsplit(".", depth)[0] for depth in range(1, module.count(".") + 1)}
    found: set[str] = set()
    for name in imports(TREES[path]) | parents:
        found |= reached(name, seen)
    return found


@pytest.mark.parametrize("path", [path for path in SOURCES if path.is_relative_to(PACKAGE)], ids=named)
def test_imports_run_one_way(path: Path) -> None:
    place = path.relative_to(PACKAGE).parts
    if len(place) == 1:
        assert not packages_of(TREES[path]), "the package itself imports nothing"
        return
    assert place[0] in MAY_IMPORT, f"{place[0]} has no layer"
    beyond = packages_of(TREES[path]) - MAY_IMPORT[place[0]] - {place[0]}
    assert not beyond, f"{place[0]} must not import {beyond}"
    assert "stages" not in {name.split(".")[0] for name in imports(TREES[path])}


@pytest.mark.parametrize("path", [path for path in SOURCES if "studies" in path.parts], ids=named)
def test_no_study_imports_another(path: Path) -> None:
    own = path.relative_to(PACKAGE / "studies").parts[0]
    others = {name.split(".")[2] for name in imports(TREES[path]) if name.count(".") > 1 and ".studies." in name}
    assert others <= {own}


@pytest.mark.parametrize("path", [path for path in SOURCES if path.parent.name == "stages"], ids=named)
def test_no_stage_imports_another(path: Path) -> None:
    assert not {name for name in imports(TREES[path]) if name.startswith("stages")}


@pytest.mark.parametrize("folder", ["core", "stats", "report"])
def test_what_judges_and_reports_never_reaches_torch_or_a_study(folder: str) -> None:
    for path in (PACKAGE / folder).rglob("*.py"):
        if path.stem == "streams":  # the one module of core for stages with networks
            continue
        module = ".".join(["torchstone", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
        assert not reached(module, set()) & {"torch", "sklearn"}, module


def test_the_judge_starts_without_torch() -> None:
    code = "import sys, stages.judge; sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_the_walk_over_imports_sees_torch_where_it_is() -> None:
    assert "torch" in reached("torchstone.nets.population", set())
    assert "torch" in reached("torchstone.learn.fit", set())


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_no_module_is_a_drawer_of_odds_and_ends(path: Path) -> None:
    forbidden = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc", "tools"}
    assert not forbidden & {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}


# Constructors of generators that are local, and what does not draw.
LOCAL = {"Generator", "PCG64", "SeedSequence", "BitGenerator", "default_rng"}
DRAWS = {
    "rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "poisson", "rand_like", "randn_like",
    "randint_like",
}  # fmt: skip
IN_PLACE = {"normal_", "uniform_", "bernoulli_", "exponential_", "random_", "geometric_", "cauchy_", "log_normal_"}
GLOBAL = {"torch.manual_seed", "torch.seed", "torch.cuda.manual_seed", "torch.cuda.manual_seed_all"}


def global_draws(tree: ast.Module) -> list[str]:
    """Return the calls that would read or move a global generator."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and any(alias.name == "random" for alias in node.names):
            found.append("import random")
        if isinstance(node, ast.ImportFrom) and node.module == "random":
            found.append("from random")
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, attribute = ast.unparse(node.func), node.func.attr
        has_own = any(keyword.arg == "generator" for keyword in node.keywords)
        if (
            (name.startswith(("np.random.", "numpy.random.")) and attribute not in LOCAL)
            or name in GLOBAL
            or (name.startswith("torch.") and attribute in DRAWS and not has_own)
            or (attribute in IN_PLACE and not has_own)
            or (attribute in {"Dropout", "dropout"})
            or (attribute == "default_rng" and not node.args)
            or name.startswith(("nn.init.", "torch.nn.init."))
        ):
            found.append(f"line {node.lineno}: {name}")
        if attribute.endswith(("Classifier", "Regressor", "Split")) and "random_state" not in ast.unparse(node):
            found.append(f"line {node.lineno}: {name} without random_state")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_no_global_generator_is_used(path: Path) -> None:
    assert not global_draws(TREES[path])


@pytest.mark.parametrize(
    "code",
    [
        "np.random.seed(1)",
        "np.random.rand(3)",
        "torch.manual_seed(1)",
        "torch.rand(3)",
        "torch.randperm(3, device=d)",
        "x.normal_(0, 1)",
        "np.random.default_rng()",
        "import random\nrandom.random()",
        "nn.init.xavier_uniform_(w)",
        "functional.dropout(x)",
    ],
)
def test_a_global_generator_would_be_found(code: str) -> None:
    assert global_draws(ast.parse(code))


@pytest.mark.parametrize(
    "code", ["torch.rand(3, generator=g)", "np.random.Generator(np.random.PCG64(1))", "x.normal_(generator=g)"]
)
def test_a_local_generator_is_no_offence(code: str) -> None:
    assert not global_draws(ast.parse(code))


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_files_and_functions_stay_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", [path for path in SOURCES if path.parent.name == "stages"], ids=named)
def test_a_stage_is_a_page_with_one_main(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 70
    if path.stem != "__init__":
        assert any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in TREES[path].body)
        assert ast.get_docstring(TREES[path])
        assert path.stem.isalpha()


def test_every_module_says_what_it_is_for() -> None:
    assert not [named(path) for path in SOURCES if not ast.get_docstring(TREES[path])]
