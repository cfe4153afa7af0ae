"""The modules that the loader and the confusion matrix import, which are part of every training's code digest."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXEMPT = ("seg.config", "seg.results", "seg.system")  # cannot change a result, so the digest does not follow them


def imported(module: str) -> set[str]:
    """Modules of `seg` that a module imports."""
    path = ROOT / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found = {node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)}
    return {name for name in found if name and name.startswith("seg.") and not name.startswith(EXEMPT)}


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (
            "seg.data.loader",
            {"seg.data.augmentation", "seg.data.loader", "seg.data.pack_format", "seg.data.snow", "seg.datasets"},
        ),
        ("seg.data.class_weights", {"seg.data.class_weights"}),
        ("seg.metrics.confusion", {"seg.datasets", "seg.metrics.confusion"}),
    ],
)
def test_training_imports_no_code_that_reads_datasets_or_writes_packs(module: str, expected: set[str]) -> None:
    found, queue = {module}, [module]
    while queue:
        new = imported(queue.pop()) - found
        found |= new
        queue.extend(new)
    assert found == expected
