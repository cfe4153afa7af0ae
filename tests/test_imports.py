"""Structure of the package: import order and unique names."""

import ast
import subprocess
import sys
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Each part imports only from those after it; docs/contributing.md explains the order.
ORDER = (
    "cli",
    "plan",
    "preconditions",
    "recognition",
    "doctor",
    "report",
    "evaluation",
    "training",
    "models",
    "metrics",
    "data",
    "synthetic",
    "datasets",
    "config",
    "results",
    "system",
    "digest",
)
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "seg").rglob("*.py"))
}


def part_of(module: str) -> str:
    """`seg.data.loader` -> `data`."""
    return module.split(".")[1]


def names_imported(path: Path) -> set[str]:
    """Every name that a file imports, in functions too; for `from a import b` both `a` and `a.b`.

    Imports for annotations alone (`if TYPE_CHECKING`) are left out.
    """
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [
        node for node in tree.body if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


IMPORTS = {module: names_imported(path) for module, path in FILES.items()}
MODULES = [module for module in FILES if module != "seg"]


def test_the_order_names_every_part() -> None:
    assert {part_of(module) for module in MODULES} == set(ORDER)


def test_imports_lead_downwards() -> None:
    upward = {
        f"{module} -> {name}"
        for module in MODULES
        for name in IMPORTS[module] & set(MODULES)
        if ORDER.index(part_of(name)) < ORDER.index(part_of(module))
    }
    assert upward == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    """`TopologicalSorter` raises CycleError and names the modules. A package's own `__init__` is left out."""
    graph = {
        module: {name for name in IMPORTS[module] & set(MODULES) if not module.startswith(f"{name}.")}
        for module in MODULES
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


def test_the_package_knows_neither_snakemake_nor_dvc() -> None:
    workflow = {"snakemake", "dvc"}
    assert {module for module in FILES if {name.split(".")[0] for name in IMPORTS[module]} & workflow} == set()


def test_every_start_of_snakemake_imports_no_torch() -> None:
    modules = "seg.plan, seg.config.params, seg.results, seg.digest, seg.datasets.catalogue"
    probe = f"import sys, {modules}; print(*{{'torch', 'pandas', 'matplotlib', 'cv2', 'scipy'}} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


# Every stage has a `main`, every network a `build`, every layout `CLASSES` and `find`, some `group` and `ORDERED`.
UNCHECKED = ("seg.synthetic.", "seg.cli")  # a command has the name of its module
SHARED = {"main", "build", "find", "CLASSES", "group", "ORDERED"}


def test_one_name_for_one_thing() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for module, path in FILES.items():
        if module.startswith(UNCHECKED):
            continue
        places[module.rpartition(".")[2]].add(module)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            targets: list[ast.expr] = []
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not module.endswith(f".{node.name}"):
                places[node.name].add(f"{module}.{node.name}")
            elif isinstance(node, ast.Assign):
                targets = node.targets
            elif isinstance(node, ast.AnnAssign):
                targets = [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    places[target.id].add(f"{module}.{target.id}")
    twice = {
        name: sorted(where)
        for name, where in places.items()
        if len(where) > 1 and not name.startswith("_") and name not in SHARED
    }
    assert twice == {}, twice
