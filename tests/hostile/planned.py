"""Trials that plan the workflow with Snakemake, and the files that trials write."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from clones import ROOT
from trials import Trial

PLANNED = r"This was a dry-run .*"


def written(content: bytes | str, name: str = "params.yaml") -> Callable[[Path], None]:
    """Write a file."""

    def arrange(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return arrange


def snakemake(
    name: str,
    arrange: Callable[[Path], None],
    line: str,
    *arguments: str,
    code: int = 2,
    errors: int | None = None,
    command: Sequence[str] = ("snakemake", "-n"),
) -> Trial:
    """A trial that plans the workflow, in a directory with its files and the input that `arrange` writes."""

    def arrange_all(root: Path) -> None:
        for file in ("Snakefile", "params.yaml"):
            shutil.copy2(ROOT / file, root)
        shutil.copytree(ROOT / "workflow", root / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
        for folder in ("seg", "profiles"):
            (root / folder).symlink_to(ROOT / folder)
        arrange(root)

    return Trial(
        name,
        (*command, *arguments),
        arrange_all,
        line,
        code=code,
        errors=int(code == 2) if errors is None else errors,
        writes=(".snakemake*", "workflow/__pycache__*"),
        process=True,
    )
