"""The documentation: links and file names, generated pages, descriptions of all keys, YAML blocks, the built site."""

import copy
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import sync_playwright
from pydantic import BaseModel
from requirements import not_met

from docs.generate import PAGES as GENERATED
from docs.generate import TITLES
from seg.config.params import Params, load_params, read_content
from seg.config.schema import Settings
from seg.report.pairs import PairDifference
from seg.results import EvaluationRun, HistoryRow, Metrics, Statistics, TrainingRun
from seg.system.strict import Strict, field_descriptions, parse_docstring

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
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
def test_an_empty_line_is_above_every_list(page: Path) -> None:
    """GitHub does not need it, but the site shows a list without one as running text."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"^(?![-#|\s]|\d+\. ).+\n(?:- |1\. ).*", text, re.MULTILINE) == []


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


def test_every_page_is_linked_from_the_start_of_the_documentation() -> None:
    start = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    pages = [name.removeprefix("docs/") for name in NAMES if name.startswith("docs/") and name != "docs/README.md"]
    assert [name for name in pages if f"({name})" not in start] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("name", GENERATED)
def test_generated_pages_are_up_to_date(name: str) -> None:
    page = (ROOT / "docs/reference" / name).read_text(encoding="utf-8")
    assert page == GENERATED[name](), "run python -m docs.generate"


@pytest.mark.parametrize("name", GENERATED)
def test_readers_are_not_sent_to_modules(name: str) -> None:
    page = (ROOT / "docs/reference" / name).read_text(encoding="utf-8")
    assert re.findall(r"(?:see|:) `seg\.[\w.]+`", page) == []


def properties(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Class, name and JSON schema of every key."""
    for owner, content in {**schema.get("$defs", {}), schema["title"]: schema}.items():
        for name, field in content.get("properties", {}).items():
            yield owner, name, field


@pytest.mark.parametrize("model", [Params, TrainingRun, EvaluationRun, Metrics, Statistics], ids=lambda m: m.__name__)
def test_every_key_is_described(model: type[BaseModel]) -> None:
    schema = model.model_json_schema()
    assert [f"{owner}.{name}" for owner, name, field in properties(schema) if not field.get("description")] == []


def test_every_column_of_a_history_and_of_pairs_is_described() -> None:
    for row in (HistoryRow, PairDifference):
        assert tuple(field_descriptions(row)) == row._fields


def test_every_class_of_params_yaml_is_on_a_page() -> None:
    owners = {owner for owner, _, _ in properties(Params.model_json_schema())}
    named = {owner for owner in owners if not owner.startswith("Architecture_") and not owner.endswith("Options")}
    assert named == set(TITLES)


def test_descriptions_name_fields_that_exist() -> None:
    classes = Strict.__subclasses__()
    for each in classes:  # grows
        classes += each.__subclasses__()
        if each is not Settings:  # has the docstring of Recipe, without its two fields that are no settings
            described = set(parse_docstring(vars(each).get("__doc__") or "")[1])
            assert described <= set(each.model_fields), each


def test_parse_docstring() -> None:
    text = """A thing.

    More on it.

    Attributes:
        low, high: ends of a range,
            in metres.
        name: its name: text.
    """
    summary, fields = parse_docstring(text)
    assert summary == "A thing.\n\nMore on it."
    assert fields == {
        "low": "ends of a range, in metres.",
        "high": "ends of a range, in metres.",
        "name": "its name: text.",
    }
    with pytest.raises(ValueError, match="got '    no entry' in a section `Attributes`"):
        parse_docstring("A thing.\n\n    Attributes:\n        no entry\n")


YAML = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [
    (name, block) for name, page in zip(NAMES, PAGES, strict=True) for block in YAML.findall(page.read_text("utf-8"))
]


def merged(content: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Nested mappings with the values of `part`."""
    for key, value in part.items():
        both = isinstance(value, dict) and isinstance(content.get(key), dict)
        content[key] = merged(content[key], value) if both else value
    return content


@pytest.mark.parametrize(("name", "block"), BLOCKS, ids=[name for name, _ in BLOCKS])
def test_yaml_fits_the_schema(name: str, block: str) -> None:
    part = yaml.safe_load(block)
    content = copy.deepcopy(read_content(ROOT / "params.yaml"))
    if set(part) <= set(Params.model_fields):
        load_params(merged(content, part))
    elif all("eval_split" in row for row in part.values()):
        load_params(merged(content, {"datasets": part}))
    else:
        study = {"defaults": {"batch": 8, "epochs": 20, "lr": 0.001}, "variants": part}
        load_params(merged(content, {"studies": {"cityscapes_fcn": study}}))


class Resources(HTMLParser):
    """Addresses that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.found.append(values.get("src") or "")
        if tag == "link" and values.get("rel") != "canonical":
            self.found.append(values.get("href") or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built without a warning."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_is_built_without_a_warning_and_without_the_network(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(PAGES)
    for page in pages:
        resources = Resources()
        resources.feed(page.read_text(encoding="utf-8"))
        assert [each for each in resources.found if each.startswith(("http:", "https:", "//"))] == []
    assert (site / "repository/params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()
    assert 'href="../repository/params.yaml"' in (site / "how-to/change-values.html").read_text(encoding="utf-8")


def test_the_site_is_read_and_searched_from_disk_in_chromium(site: Path) -> None:
    program = shutil.which("chromium")
    if not program:
        not_met("Chromium is not installed: apt install chromium")
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.on("request", lambda request: None if request.url.startswith("file:") else faults.append(request.url))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        for file in sorted(site.rglob("*.html")):
            if file.name != "404.html" and "repository" not in file.parts:
                page.goto(file.as_uri())
                if page.evaluate("document.documentElement.scrollWidth") > 390:
                    faults.append(f"{file.name} is wider than a phone")
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto((site / "how-to/run.html").as_uri())
        page.locator(".md-search__input").click()  # loads the index
        page.locator(".md-search-result__meta", has_text="Type to start searching").wait_for(state="attached")
        page.keyboard.type("Slurm")
        found = page.locator(".md-search-result__item", has_text="Slurm clusters").first
        found.wait_for(state="attached")
        browser.close()
    assert faults == []


def test_extras_that_users_are_told_to_install_exist() -> None:
    """In docs and messages, from the checkout: `seg[...]` would be looked up in the package index."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    files = [*PAGES, *(ROOT / "seg").rglob("*.py")]
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    commands = re.findall(r"pip install[^`\"\n]*\[(\w+)\]", text)
    assert set(commands) == {"export", "polygons", "s3", "slurm", "zoo"} <= set(extras)
    assert len(commands) == len(re.findall(r"pip install -e '\.\[\w+\]'", text))


def test_pictures_are_small_and_used() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for picture in (ROOT / "docs/pictures").iterdir():
        assert picture.stat().st_size < 200_000
        assert f"pictures/{picture.name}" in text
