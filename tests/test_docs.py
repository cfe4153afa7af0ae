"""The documentation: link targets and the files that it names exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]
FILES = re.compile(r"`((?:seg|workflow|docs|tests|benchmarks|profiles)/[\w./-]*)`")
LINKS = re.compile(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"")
HEADINGS = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in HEADINGS.findall(text)}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_resolve(page: Path) -> None:
    links = [one or other for one, other in LINKS.findall(page.read_text(encoding="utf-8"))]
    broken = []
    for link in links:
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not link.startswith("https://") and (not target.exists() or (anchor and anchor not in anchors(target))):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_files_exist(page: Path) -> None:
    names = FILES.findall(page.read_text(encoding="utf-8"))
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_files_of_the_source_tree_exist() -> None:
    tree = (ROOT / "docs/contributing.md").read_text(encoding="utf-8").partition("## Source tree")[2].split("```")[1]
    names = [line.split()[0] for line in tree.splitlines() if line.strip()]
    assert [name for name in names if not (ROOT / name).exists()] == []
    packages = {f"seg/{path.parent.name}/" for path in (ROOT / "seg").glob("*/__init__.py")}
    modules = {f"seg/{path.name}" for path in (ROOT / "seg").glob("*.py")} - {"seg/__init__.py"}
    assert packages | modules <= set(names)


def test_every_page_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if name.startswith("docs/") and f"({name})" not in readme] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
