"""Hook of mkdocs: links to files of the repository outside of `docs/`, which GitHub follows, work on the site too."""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"(?<=\]\()(\.\./[^)#\s]+)")


def _outside(link: str, page: str) -> str | None:
    """Path in the repository of a link that leaves `docs/`."""
    target = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), link))
    return None if target.startswith(("docs/", "..")) else target


def on_files(files: Files, config: MkDocsConfig, **_: Any) -> Files:
    """Add the files that pages link to as `repository/...`."""
    for page in list(files.documentation_pages()):
        for link in _LINK.findall(page.content_string):
            name = _outside(link, page.src_uri)
            uri = f"repository/{name}"
            if name and (ROOT / name).is_file() and uri not in files.src_uris:
                files.append(File.generated(config, uri, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Lead the links to these files."""
    uri = page.file.src_uri

    def moved(match: re.Match[str]) -> str:
        name = _outside(match[0], uri)
        return posixpath.relpath(f"repository/{name}", posixpath.dirname(uri) or ".") if name else match[0]

    return _LINK.sub(moved, markdown)
