"""The page in Chromium: what a reader sees, clicks, types and prints, and what the page must not do."""

import base64
import csv
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright
from requirements import not_met
from results_tree import CLASSES, HOSTILE, NOTES, PALETTE, write_results
from test_page import make_page
from test_table import make_table

from seg.report import class_figures, page
from seg.report.pairs import PairDifference, pairs_text
from seg.report.rows import read_rows
from seg.report.runs import read_statistics

FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
RIGHT_TO_LEFT = "שלום, “quotes”\nand \u202ea new line"
Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; without it, the tests fail in CI and are skipped elsewhere."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        not_met("Chromium is not installed: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def results_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with the page of a study, whose notes contain markup, quotes, line breaks and other scripts."""
    root = write_results(tmp_path_factory.mktemp("results"))
    notes = NOTES | {"unet": [*NOTES["unet"], RIGHT_TO_LEFT, HOSTILE]}
    with pytest.MonkeyPatch.context() as patch:
        make_table(root, patch, notes=json.dumps(notes))
        class_figures.draw_classes(read_statistics(root / "statistics.json"), root / "classes.svg")
        patch.setattr(page, "pictures_of", lambda *_: {"streets": pictures()})
        make_page(root, patch)
    return root


def picture_uri(colour: tuple[int, int, int], wrong: int = 0) -> str:
    """A PNG of 8x6 pixels, of which the first have the colour of the second class."""
    pixels = Image.new("RGB", (8, 6), colour)
    for x in range(wrong):
        pixels.putpixel((x, 0), PALETTE[1])
    content = io.BytesIO()
    pixels.save(content, "PNG")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


def pictures() -> dict[str, Any]:
    """Pictures of two images, one of them a sample. The truth is road everywhere; `unet` has 4 wrong pixels of 48."""
    names = [f"{HOSTILE}, {RIGHT_TO_LEFT}", "12"]  # JavaScript puts keys that are numbers first
    image = {"image": picture_uri((9, 9, 9)), "truth": picture_uri(PALETTE[0]), "size": [8, 6]}
    wrong = {"baseline": 0, "unet": 4, "dice": 8}
    return {
        "classes": list(CLASSES),
        "palette": ["#{:02x}{:02x}{:02x}".format(*colour) for colour in PALETTE],
        "seed": 0,
        "images": dict.fromkeys(names, image),
        "predictions": {v: {name: picture_uri(PALETTE[0], count) for name in names} for v, count in wrong.items()},
        "scores": {v: dict.fromkeys(names, 1 - count / 48) for v, count in wrong.items()},
        "sets": {"samples": names[:1], "differ": names[1:], "worst": dict.fromkeys(wrong, names[::-1])},
        "omitted": {"samples": 0, "differ": 0, "worst": 0, "predictions": 3},
    }


@pytest.fixture
def visit(browser: Browser, results_root: Path) -> Iterator[Visit]:
    """Open the page in a new window. Whatever the test does, nothing may be requested, refused or fail."""
    contexts = []
    problems: list[str] = []

    def open_page(place: str = "", file: Path = results_root / "index.html", **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}} | options)
        context.set_default_timeout(8000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text))
        page.on("dialog", lambda dialog: problems.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{file.as_uri()}{place}")
        return page

    requests: list[str] = []
    yield open_page
    for context in contexts:
        context.close()
    assert not problems
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


def variants(page: Page) -> list[str]:
    """Variants in the comparison as it is shown, from the top."""
    heads = page.locator("table.comparison tbody tr:visible th").all_text_contents()
    return [re.sub(r"[\s\d–,]+$", "", head).strip() for head in heads]


def head(page: Page, text: str) -> Locator:
    return page.locator("table.comparison thead th:visible", has_text=text)


def scroll_through(page: Page) -> None:
    """Bring every part into the window, because plots are drawn when they come near it."""
    for place in page.locator("[data-tools], #costs").all():
        place.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelectorAll('svg.plot').length >= 5")


def test_everything_is_drawn(visit: Visit) -> None:
    page = visit()
    scroll_through(page)
    assert page.locator("#costs svg.plot .point").count() == 3
    assert page.locator("[data-tools=pairs] svg.plot").count() == 1
    assert page.locator("[data-tools=curves] svg.plot").count() == 3
    assert page.locator("table.confusion-matrix tbody tr").count() == 5
    assert page.locator("table.comparison svg.dots").count() == 3


def test_a_column_sorts_down_up_and_back(visit: Visit) -> None:
    page = visit()
    assert variants(page) == ["baseline", "unet", "dice"]
    button = head(page, "Mean accuracy").get_by_role("button")
    for state, expected in (
        ("descending", ["unet", "baseline", "dice"]),
        ("ascending", ["dice", "baseline", "unet"]),
        (None, ["baseline", "unet", "dice"]),
    ):
        button.click()
        assert variants(page) == expected
        assert head(page, "Mean accuracy").get_attribute("aria-sort") == state
    head(page, "Variant").get_by_role("button").click()
    assert variants(page) == ["baseline", "dice", "unet"]


def test_rows_are_filtered_and_columns_chosen_and_a_reload_shows_the_same(visit: Visit) -> None:
    page = visit()
    page.get_by_label("Filter").first.fill("1")  # the number of a note
    assert variants(page) == []
    page.get_by_label("Filter").first.fill("N")
    assert variants(page) == ["baseline", "unet"]
    assert head(page, "Loss").count() == 0
    page.locator("summary", has_text="Columns").first.click()
    page.locator(".menu").get_by_label("Loss").check()
    page.locator(".menu").get_by_label("Pixel accuracy").uncheck()
    page.keyboard.press("Escape")
    assert not page.locator(".menu").get_by_label("Loss").is_visible()
    head(page, "Mean accuracy").get_by_role("button").click()
    assert "streets.filter=N" in page.url
    for _ in range(2):
        assert variants(page) == ["unet", "baseline"]
        assert head(page, "Loss").count() == 1
        assert head(page, "Pixel accuracy").count() == 0
        page.reload()
    page.locator("nav").get_by_role("link", name="Classes").click()
    page.wait_for_url(re.compile(r"\?"))  # the script adds the chosen view after the browser has followed the link
    assert page.url.endswith(page.url[page.url.index("?") :])
    assert "#study-1-classes?" in page.url


def test_the_table_is_copied_as_it_is_shown(visit: Visit, results_root: Path) -> None:
    page = visit(
        "#?streets.filter=n&streets.sort=-miou&streets.columns=miou+verdict",
        permissions=["clipboard-read", "clipboard-write"],
    )
    page.get_by_role("button", name="Copy table").click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = csv.DictReader(io.StringIO(page.evaluate("navigator.clipboard.readText()")), delimiter="\t")
    with (results_root / "comparison.csv").open(newline="") as file:
        rows = {row["variant"]: row for row in csv.DictReader(file)}
    found = list(copied)
    assert [row["variant"] for row in found] == ["unet", "baseline"]
    assert list(found[0])[:3] == ["variant", "miou", "miou_published"]
    for row in found:
        for key in ("miou", "miou_published", "against_best"):
            assert row[key] == rows[row["variant"]][key]


def test_every_number_equals_comparison_csv(visit: Visit, results_root: Path) -> None:
    page = visit()
    with (results_root / "comparison.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    cells = page.evaluate(
        """() => [...document.querySelectorAll('table.comparison tbody tr')].map((row) => {
          const keys = leafHeads(row.closest('table')).map((head) => head.dataset.key);
          return keys.map((key, i) => [key, row.cells[i].dataset.value ?? '', row.cells[i].textContent]).slice(1);
        })"""
    )
    compared = 0
    for row, shown in zip(rows, cells, strict=True):
        for key, value, text in shown:
            number = re.search(r"[−+]?[\d,]*\.?\d+", text)
            if key in ("miou_plot", "against_best"):
                assert key == "miou_plot" or text == row[key]
            elif key.endswith("_difference"):
                metric = key.removesuffix("_difference")
                published = row[f"{metric}_published"]
                expected = float(row[metric]) - float(published) if published else None
                assert (number is None) == (expected is None)
                if number and expected is not None:
                    assert float(number[0].replace("−", "-")) == pytest.approx(expected, abs=5e-5)
            elif key == "budget_epochs":
                assert text == f"{row['budget_epochs']} of {row['full_epochs']}"
            else:
                assert value == row[key]
                if key == "latency_seconds":
                    assert number
                    assert float(number[0]) / 1000 == pytest.approx(float(row[key]), rel=5e-3)
                elif key in ("training_seconds", "training_peak_memory_bytes"):
                    assert number
                elif row[key]:
                    assert number
                    assert float(number[0].replace(",", "")) == pytest.approx(float(row[key]), abs=5e-5)
            compared += bool(number)
    assert compared >= 3 * 18


def test_a_score_shows_how_it_came_about(visit: Visit) -> None:
    page = visit()
    page.locator("table.comparison tr", has_text="dice").locator("a.score").first.click()
    dialog = page.get_by_role("dialog")
    text = dialog.inner_text()
    assert dialog.get_by_role("heading", level=2).inner_text() == "dice"
    assert "0.2000" in text
    assert (
        "git checkout 0123456789abcdef\nsnakemake --cores 4 --resources gpu=1 --config preset=demo --force -- " in text
    )
    assert "streets/dice/seed0/model.safetensors" in text
    for fact in ("89abcdef01234567", "AMD EPYC 9R14, 2 cores", "torch 2.14.1", "2031-02-03 04:05:06 UTC", "1 min 10 s"):
        assert fact in text
    recipe = dialog.get_by_role("region", name="Recipe").locator("tbody tr")
    assert recipe.all_inner_texts() == ["loss\tdice\tcross_entropy"]  # beside the best variant
    dialog.get_by_label("all values").check()
    assert recipe.count() == 5
    dialog.get_by_label("Seed").select_option("1")
    assert "streets/dice/seed1/metrics.json" in dialog.inner_text()
    page.reload()
    assert page.get_by_role("dialog").get_by_role("heading", level=2).inner_text() == "dice"
    page.get_by_role("button", name="Close").click()
    assert page.get_by_role("dialog").count() == 0
    assert "score=" not in page.url


def test_scores_of_classes_show_how_they_came_about(visit: Visit) -> None:
    page = visit("#study-1-classes")
    dialog = page.get_by_role("dialog")
    cells = page.locator("table.heat tbody tr", has_text="unet").first.locator("td")
    cells.nth(4).click()
    page.reload()
    assert f"IoU of {HOSTILE}" in dialog.locator(".eyebrow").inner_text()
    assert dialog.locator(".figure b").inner_text() == cells.nth(4).inner_text() + "0"
    assert dialog.get_by_role("region", name="Runs").locator("tbody td:nth-child(2)").all_inner_texts() == [
        "0.5200",
        "0.5000",
    ]
    page.keyboard.press("Escape")
    page.locator("[data-tools=classes]").get_by_label("Score").select_option("boundary_iou")
    cells.first.focus()
    for key in ("ArrowRight", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    assert dialog.get_by_role("heading", level=2).inner_text() == "baseline"
    assert "Boundary IoU of building" in dialog.locator(".eyebrow").inner_text()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.cellIndex") == 2
    page.locator("table.own a.score").first.click()
    assert "95% interval" in dialog.locator(".figure").inner_text()
    page.keyboard.press("Escape")
    page.locator("#overview a.score").click()
    assert dialog.get_by_role("heading", level=2).inner_text() == "unet"
    assert dialog.locator(".figure b").inner_text() == "0.5100"
    assert "seg predict" in dialog.inner_text()
    assert "streets/unet/seed0/model.safetensors photo.jpg" in dialog.inner_text()


def test_every_control_survives_a_reload_and_opens_in_another_window(visit: Visit) -> None:
    page = visit()
    state = """() => [...document.querySelectorAll(
      'main input, main select, main details[id], main [aria-pressed], main [aria-sort]'
    )].map((node) => [node.tagName, node.type === 'checkbox' ? node.checked : node.value, node.open,
                      node.ariaPressed, node.ariaSort].join())"""
    scroll_through(page)
    first = page.evaluate(state)
    for fold in page.locator("details[id] > summary").all():
        fold.click()
    for select in page.locator("main select").all():
        select.select_option(index=int(select.evaluate("(select) => (select.selectedIndex + 1) % select.length")))
    for box in page.locator("main input[type=checkbox]:visible").all():
        box.click()
    for field in page.get_by_role("searchbox").all():
        field.fill("un")
    for table in ("comparison", "heat"):
        page.locator(f"table.{table} .sort:visible").nth(1).click()
    for choices in ("[data-tools=curves] .chosen", "[data-tools=pictures] .chosen", ".class-key"):
        page.locator(choices).nth(1).click()
    page.get_by_role("slider").press("ArrowRight")
    changed = page.evaluate(state)
    assert sum(a != b for a, b in zip(first, changed, strict=False)) >= 20
    address = page.url
    page.reload()
    for opened in (page, visit(address[address.index("#") :])):
        for drawn in ("[data-tools=curves] .chosen", ".picture-grid canvas", ".compare canvas"):
            opened.locator(drawn.split()[0]).scroll_into_view_if_needed()
            opened.locator(drawn).first.wait_for()
        assert opened.evaluate(state) == changed
        assert opened.url == address


@pytest.mark.parametrize("place", ["#%zz", "#?score=streets/dice/constructor", "#?streets.sort=nothing"])
def test_an_address_typed_by_hand_disables_nothing(visit: Visit, place: str) -> None:
    page = visit(place)
    scroll_through(page)
    assert page.get_by_role("dialog").count() == 0
    head(page, "Mean accuracy").get_by_role("button").click()
    assert variants(page) == ["unet", "baseline", "dice"]


def test_the_keyboard_suffices(visit: Visit) -> None:
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the results"
    head(page, "Mean accuracy").get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert variants(page) == ["unet", "baseline", "dice"]
    page.locator("a.score").first.focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("dialog").count() == 1
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0
    assert page.evaluate("document.activeElement.className") == "score"
    scroll_through(page)
    for selector, first in (("#costs", "baseline"), ("[data-tools=curves]", "Epoch 1"), ("[data-tools=pairs]", "unet")):
        page.locator(f"{selector} svg.plot").first.focus()
        page.keyboard.press("ArrowRight")
        assert page.locator("#tooltip strong").inner_text() == first
    page.locator("#costs svg.plot").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.get_by_role("dialog").get_by_role("heading", level=2).inner_text() == "baseline"


def test_the_pointer_reads_values_of_curves(visit: Visit) -> None:
    page = visit("#study-1-curves")
    plot = page.locator("[data-tools=curves] svg.plot").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] - 12, box["y"] + 60)
    lines = page.locator("#tooltip > *").all_inner_texts()
    assert lines[0] == "Epoch 4"
    assert lines[1:3] == ["training, seed 0: 1", "validation, seed 0: 1.4 (scored)"]
    assert lines[3:] == ["training, seed 1: 1", "validation, seed 1: 1.4 (scored)"]
    curves = page.locator("[data-tools=curves]")
    curves.get_by_label("as", exact=True).select_option("overlay")
    assert curves.locator("svg.plot").count() == 1
    curves.get_by_role("button", name="baseline").click()
    assert page.evaluate("document.activeElement.textContent") == "baseline"  # the buttons are made again
    curves.get_by_label("Show").select_option("lr")
    page.reload()
    curves.scroll_into_view_if_needed()
    assert curves.get_by_role("button", name="baseline").get_attribute("aria-pressed") == "false"
    assert curves.locator("svg.plot .line").count() == 4  # two variants, two seeds
    assert "learning rate of" in (curves.locator("svg.plot").get_attribute("aria-label") or "")


def test_the_confusion_matrix_of_a_variant(visit: Visit) -> None:
    page = visit("#study-1-classes")
    tools = page.locator("[data-tools=confusion]")
    tools.scroll_into_view_if_needed()
    tools.get_by_label("Variant").select_option(label="baseline")
    # 24 images and two seeds: 1000 mIoU + 500 - 500 mIoU pixels of each class, of which (500 - 500 mIoU) are wrong.
    right, wrong = 24 * (300 + 340), 24 * (350 + 330)
    row = tools.locator("tbody tr").first.locator("td").all_inner_texts()
    assert row[:2] == [f"{100 * right / (right + wrong):.0f}", f"{100 * wrong / (right + wrong):.0f}"]
    largest = tools.locator("li").first.inner_text()
    assert largest.startswith("road predicted as building")
    assert f"{100 * wrong / (right + wrong):.1f}% of road" in largest
    tools.locator("tbody tr").first.locator("td").nth(1).hover()
    share = f"{100 * wrong / (right + wrong):.2f}%"
    told = page.locator("#tooltip").inner_text()
    assert told.startswith("\u2068road\u2069 predicted as \u2068building\u2069: ")
    assert told.endswith(share)
    tools.get_by_label("Shares of the").select_option("prediction")
    assert "% of building" in tools.locator("li").first.inner_text()


def colours_of(canvas: Locator) -> dict[str, int]:
    """Number of pixels of each colour (r,g,b,alpha)."""
    found: dict[str, int] = canvas.evaluate(
        """async (canvas) => {
          await new Promise((done) => setTimeout(done, 200));
          const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
          copy.drawImage(canvas, 0, 0);
          const pixels = copy.getImageData(0, 0, canvas.width, canvas.height).data;
          const counts = {};
          for (let i = 0; i < pixels.length; i += 4) {
            const colour = pixels.slice(i, i + 4).join();
            counts[colour] = (counts[colour] ?? 0) + 1;
          }
          return counts;
        }"""
    )
    return found


def test_pictures_errors_highlighted_classes_and_the_slider(visit: Visit) -> None:
    page = visit("#study-1-predictions")
    tools = page.locator("[data-tools=pictures]")
    tools.scroll_into_view_if_needed()
    assert not page.locator(".gallery").is_visible()
    grid = tools.locator(".picture-grid")
    assert grid.locator("b").all_inner_texts() == ["Image", "Truth", "unet", "baseline", "dice"]  # best first
    assert HOSTILE in grid.locator(".picture-name").inner_text()
    assert grid.locator("canvas").count() == 5  # none is left out
    assert "3 pictures are left out" in tools.inner_text()
    tools.get_by_label("Images").select_option("differ")
    tools.get_by_role("button", name="dice").click()
    assert grid.locator("b").all_inner_texts() == ["Image", "Truth", "unet", "baseline"]
    assert grid.locator("canvas").count() == 4
    assert grid.locator("small").all_inner_texts() == ["12", "0.917", "1.000"]
    tools.get_by_label("errors instead of predictions").check()
    assert colours_of(grid.locator("canvas").nth(2)) == {"213,94,0,255": 4, "222,226,230,255": 44}
    tools.get_by_role("button", name="building").click()
    # 44 of the pixels of the prediction are not of the class and fade
    assert sorted(colours_of(grid.locator("canvas").nth(2)).values()) == [4, 44]
    assert "213,94,0,255" in colours_of(grid.locator("canvas").nth(2))
    compare = tools.locator(".compare")
    compare.scroll_into_view_if_needed()
    compare.get_by_label("left").select_option(label="prediction of dice")
    slider = compare.get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    for _ in range(2):
        assert compare.locator(".top").evaluate("(top) => top.style.clipPath") == "inset(0px 0px 0px 3%)"
        assert (
            compare.locator("canvas").first.get_attribute("aria-label")
            == f"Prediction of dice, {HOSTILE}, {RIGHT_TO_LEFT}"
        )
        page.reload()
        compare.scroll_into_view_if_needed()
        compare.locator(".top").wait_for()


def test_boundary_iou_of_the_classes(visit: Visit) -> None:
    page = visit("#study-1-classes")
    row = page.locator("table.heat tbody tr", has_text="unet").first
    assert row.locator("td").all_inner_texts() == ["0.610", "0.510", "0.410", "absent", "0.510"]
    page.locator("[data-tools=classes]").get_by_label("Score").select_option("boundary_iou")
    shown = row.locator("td").all_inner_texts()
    assert shown[3] == "absent"
    assert shown == page.evaluate(
        "DATA.studies[0].boundary_iou[1].map((value) => value === null ? 'absent' : value.toFixed(3))"
    )
    assert shown[0] != "0.610"


def test_light_and_dark(visit: Visit) -> None:
    page = visit(color_scheme="dark")
    ground = "Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])"
    assert page.evaluate(ground) < 60
    theme = page.get_by_role("button", name="Theme")
    theme.click()
    assert (theme.inner_text(), page.evaluate(ground)) == ("Theme: light", 255)
    page.reload()
    assert (theme.inner_text(), page.evaluate(ground)) == ("Theme: light", 255)
    theme.click()
    assert page.evaluate(ground) < 60


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault_and_nothing_is_cut_off(visit: Visit, scheme: str, width: int) -> None:
    page = visit(color_scheme=scheme, viewport={"width": width, "height": 900})
    scroll_through(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    page.locator("a.score").first.click()
    found += Axe().run(page, context="dialog", options={"resultTypes": ["violations"]}).response["violations"]
    serious = [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")]
    assert serious == []


def cut_off(page: Page) -> list[str]:
    """Texts that are beyond the edge of their plot or of their heading."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('svg.plot text, table.heat th > *')].filter((text) => {
          const [inner, outer] = [text, text.closest('svg.plot, th')].map((each) => each.getBoundingClientRect());
          return inner.left < outer.left - 1 || inner.right > outer.right + 1
            || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1;
        }).map((text) => text.textContent)"""
    )
    return found


@pytest.mark.parametrize("width", [390, 1440])
def test_long_names_are_not_cut_off_by_the_edge_of_a_plot(
    visit: Visit, results_root: Path, tmp_path: Path, width: int
) -> None:
    text = (results_root / "index.html").read_text()
    names = [f"{name}_of_a_variant{'_with_a_long_name' * 4}" for name in ("baseline", "unet", "dice")]
    found = '"variants":["baseline","unet","dice"]'
    assert found in text
    (tmp_path / "long.html").write_text(text.replace(found, f'"variants":{json.dumps(names)}'))
    page = visit(file=tmp_path / "long.html", viewport={"width": width, "height": 900})
    scroll_through(page)
    assert page.locator("[data-tools=pairs] text", has_text="…").count() > 0
    assert cut_off(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_names_from_right_to_left_leave_numbers_in_place(visit: Visit) -> None:
    """A right-to-left name in the middle of a text would otherwise turn the numbers after it around."""
    page = visit()
    page.evaluate("DATA.studies[0].classes[1] = 'שלום'")
    tools = page.locator("[data-tools=confusion]")
    tools.scroll_into_view_if_needed()
    places = tools.locator("li small", has_text="שלום").evaluate(
        """(small) => [...small.childNodes].map((node) => {
          const range = document.createRange();
          range.selectNode(node);
          return range.getBoundingClientRect().left;
        })"""
    )
    assert len(places) == 3
    assert places == sorted(places)


def test_the_page_prints_everything(visit: Visit) -> None:
    page = visit()
    page.emulate_media(media="print")
    assert page.pdf().startswith(b"%PDF")
    assert not page.locator("nav").is_visible()
    assert not page.get_by_label("Filter").first.is_visible()
    assert page.locator("[data-tools=curves] svg.plot").count() == 3  # although they were never in the window
    assert not page.locator("main details:not(.menu)[open]").filter(has_text="Values that all recipes share").count()


def test_paper_is_light_and_wide_tables_are_divided_by_their_columns(visit: Visit) -> None:
    paper = 718  # pixels of A4 upright without the margins
    page = visit(color_scheme="dark", viewport={"width": paper, "height": 1000})
    page.locator(".menu summary").click()
    for box in page.locator(".menu input").all():
        box.check()
    heads = """(tables) => tables.flatMap((table) =>
      [...table.querySelectorAll('th[data-key]:not([hidden])')].map((head) => head.dataset.key)).sort()"""
    table, copies = page.locator("table.comparison:not(.only-paper)"), page.locator("table.comparison.only-paper")
    shown = table.evaluate_all(heads)
    page.locator("[data-tools=pictures]").scroll_into_view_if_needed()
    page.locator("[data-tools=pictures] .chosen").first.click()
    page.get_by_role("button", name="Theme").click(click_count=2)
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".chart").first.evaluate("(chart) => getComputedStyle(chart).filter") == "none"
    assert page.locator(".chosen:visible").count() == page.locator(".chosen[aria-pressed=true]").count() > 0
    assert not table.is_visible()
    assert copies.count() >= 2
    assert copies.evaluate_all(heads) == shown
    for copy in copies.all():
        assert copy.locator("tbody th").all_inner_texts() == copies.first.locator("tbody th").all_inner_texts()
        columns = set(copy.evaluate("(table) => [...table.rows].map((row) => row.offsetWidth)"))
        assert max(columns) <= paper * 1.05
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert table.is_visible()
    assert page.locator(".only-paper, .only-screen").count() == 0


def test_tables_and_figures_are_there_without_a_script(visit: Visit) -> None:
    page = visit(java_script_enabled=False)
    assert page.locator("table.comparison tbody th").count() == 3
    assert page.locator(
        "table.comparison td", has_text="1.5000"
    ).first.is_visible()  # the loss, which is hidden at first
    assert page.locator("svg.dots").first.is_visible()
    assert page.get_by_alt_text("Training and validation loss over epochs").is_visible()
    assert page.locator(".gallery img").count() == 5
    for name in ("table.heat", "table.runs", "table.recipes"):
        assert page.locator(name).is_visible()
    assert not page.locator(".needs-script").first.is_visible()
    assert page.locator("button, select, input").count() == 0


def test_texts_of_users_are_shown_as_text(visit: Visit) -> None:
    page = visit()
    scroll_through(page)
    assert page.locator("script").count() == 2
    assert page.locator("i, b:has-text('bold')").count() == 0
    notes = page.locator("ol.notes li").all_inner_texts()
    assert any(HOSTILE in note for note in notes)
    assert any(" ".join(RIGHT_TO_LEFT.split()) in " ".join(note.split()) for note in notes)
    for table in ("table.heat thead", "table.confusion-matrix tbody", "table.own thead"):
        assert HOSTILE in (page.locator(table).first.text_content() or "")
    assert HOSTILE in page.evaluate("DATA.studies[0].classes[4]")


def test_three_hundred_variants_open_and_sort_fast(
    visit: Visit, results_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"variant_{i:03}" for i in range(300)]
    row = read_rows(results_root / "streets/table.csv")[0]
    shutil.copytree(results_root, tmp_path, dirs_exist_ok=True)
    study = tmp_path / "streets"
    scores = [0.2 + (7919 * i % 300) / 500 for i in range(300)]
    lines = [{**row, "variant": name, "miou": str(score)} for name, score in zip(names, scores, strict=True)]
    with (study / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*row, "schema_version"], restval="1")
        writer.writeheader()
        writer.writerows(lines)
    pairs = [
        PairDifference(
            "streets", a, b, (d := x - y), d - 0.1, d + 0.1, d - 0.1, d + 0.1, d, d, "undecided", "4", "4", True
        )
        for i, (a, x) in enumerate(zip(names, scores, strict=True))
        for b, y in zip(names[i + 1 :], scores[i + 1 :], strict=True)
    ]
    (study / "pairs.csv").write_text(pairs_text(pairs))
    for name in names:
        (study / name).symlink_to(study / "baseline")
    make_page(tmp_path, monkeypatch)
    page = visit(file=tmp_path / "index.html")
    openings = []
    for _ in range(3):  # the fastest: other processes of the machine lengthen it
        openings.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
        page.reload()
    opened = min(openings)
    sort = """() => {
      document.querySelector('table.comparison [data-key=miou] .sort').click();
      document.querySelector('table.comparison').getBoundingClientRect(); // lays the table out
    }"""
    # Time of the page's thread, which other processes of the machine do not lengthen much
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def seconds() -> float:
        metrics = devtools.send("Performance.getMetrics")["metrics"]
        return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))

    took = inf
    for _ in range(15):  # until other processes of the machine leave the thread its core
        for _ in range(3):  # falling, rising, not sorted
            start = seconds()
            page.evaluate(sort)
            took = min(took, 1000 * (seconds() - start))
        if took < 200:
            break
    size = (tmp_path / "index.html").stat().st_size
    print(f"300 variants: {size / 1e6:.1f} MB, opened in {opened:.0f} ms, sorted in {took:.0f} ms")
    assert variants(page)[:1] != []
    assert opened < 3000
    assert took < 200
    assert size < 8e6
    page.locator("[data-key=miou] .sort").click()
    ranked = [names[i] for i in sorted(range(300), key=lambda i: -scores[i])]
    assert (
        page.evaluate("[...document.querySelectorAll('table.comparison tbody th')].map((x) => x.textContent)")[:3]
        == ranked[:3]
    )
    page.locator("[data-tools=pairs]").scroll_into_view_if_needed()
    page.locator("[data-tools=pairs] svg.plot").wait_for()
    page.locator("[data-tools=curves]").scroll_into_view_if_needed()
    page.get_by_role("button", name="Show 276 more").click()
    assert page.locator("[data-tools=curves] svg.plot").count() == 300
