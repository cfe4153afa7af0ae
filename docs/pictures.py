"""Take the pictures of the page in README and docs, from the results of the tutorial. Requires Chromium.

python -m docs.pictures

Before the tutorial's own variant is trained, it takes `table.png`, afterwards the others.
"""

import shutil
from pathlib import Path

from playwright.sync_api import FloatRect, sync_playwright

_RESULTS, _FOLDER = Path("results/demo"), Path("docs/pictures")
_WIDTH, _HEIGHT = 1440, 900  # of the window, pixels
_LEFT = 272  # where the content of the page begins
BEFORE = {"table.png": ("table", FloatRect(x=0, y=0, width=_WIDTH, height=568))}  # section of the first study, part
AFTER = {
    "pictures.png": ("predictions", FloatRect(x=_LEFT, y=0, width=_WIDTH - _LEFT, height=645)),
    "pairs.png": ("pairs", FloatRect(x=_LEFT, y=0, width=_WIDTH - _LEFT, height=525)),
}


def main() -> None:
    """Take the pictures for which there are results."""
    own = (_RESULTS / "cityscapes_fcn/unet_flipped").is_dir()
    address = (_RESULTS / "index.html").resolve().as_uri()
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        for name, (section, part) in (AFTER if own else BEFORE).items():
            page = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
            page.goto(f"{address}#study-1-{section}")
            page.screenshot(path=_FOLDER / name, clip=part)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
