"""The page: self-contained, escaped, complete, and the same bytes for the same input."""

import base64
import csv
import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from results_tree import HOSTILE, SOURCE, write
from test_table import make_table, near

from seg.data.pack_format import PACK_VERSION
from seg.report import class_figures, page
from seg.report.runs import read_statistics

# Elements that HTML never closes
VOID = {"meta", "link", "img", "br", "wbr"}


class Outline(HTMLParser):
    """Tags with their attributes; each element must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] or "" for _, attributes in self.tags if attribute in attributes]


def make_page(results: Path, monkeypatch: pytest.MonkeyPatch, preset: str = "demo", more: Sequence[str] = ()) -> str:
    """Run the stage as a rule does, on one study and one dataset. Returns the text of the page."""
    arguments = ["--preset", preset, "--title", "Five studies & more", "--study", f"streets={results / 'streets'}"]
    arguments += ["--statistics", f"streets={results / 'statistics.json'}"]
    arguments += ["--comparison", str(results / "comparison.csv"), "--page", str(results / "index.html")]
    arguments += ["--metrics", str(results / "metrics.json"), "--history", str(results / "history.csv")]
    arguments += ["--classes", str(results / "classes.csv"), "--confusion", str(results / "confusion.csv")]
    arguments += ["--figures", str(results / "figures"), "--latex", str(results / "comparison.tex")]
    monkeypatch.setattr(sys, "argv", ["page", *arguments, *more])
    page.main()
    return (results / "index.html").read_text()


def test_warnings_on_the_data_are_escaped(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = json.loads((ready / "statistics.json").read_text())
    content |= {"schema_version": PACK_VERSION, "names": [], "label_values": [], "form": {}}
    content["id_pixels"] = [0] * len(content["ids"])
    (ready / "val.json").write_text(json.dumps(content))
    text = make_page(ready, monkeypatch, more=[f"--evaluation=streets={ready / 'val.json'}"])
    assert '<p class="notice">Classes that the training split lacks: train. They cannot be learned.</p>' in text
    lacking = "Classes of the training split that the evaluation split lacks: road, building, person, &lt;script&gt;"
    assert lacking in text


@pytest.fixture
def ready(results: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results with the study's table and the class figure made."""
    make_table(results, monkeypatch)
    arguments = ["--statistics", str(results / "statistics.json"), "--svg", str(results / "classes.svg")]
    arguments += ["--png", str(results / "classes.png")]
    monkeypatch.setattr(sys, "argv", ["class_figures", *arguments])
    class_figures.main()
    return results


def plain(text: str) -> str:
    """Text between the tags with single spaces."""
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def without_intervals(text: str) -> str:
    return re.sub(r"0\.\d{4}–0\.\d{4} ", "", plain(text))


def row_of(text: str, section: str, head: str) -> str:
    """The row of the first table below `section` that starts with `head`."""
    return row_in(text[text.index(f'id="{section}"') :], head)


def row_in(text: str, head: str) -> str:
    """The first row that starts with `head`."""
    return next(row for row in re.findall(r"<tr.*?</tr>", text, re.S) if plain(row).startswith(head))


def test_the_page_is_self_contained(ready, monkeypatch):
    text = make_page(ready, monkeypatch)
    outline = Outline(text)
    assert not outline.open
    assert not re.search(r"@import|url\(", text)
    assert set(re.findall(r"https?://[^\"]*", text)) == {"http://www.w3.org/2000/svg"}  # a name, which nothing fetches
    assert [attributes for tag, attributes in outline.tags if tag == "script"] == [
        {"type": "application/json", "id": "data"},
        {},
    ]
    kinds = Counter(source.partition(";")[0] for source in outline.values("src"))
    assert kinds == {"data:image/svg+xml": 5}  # costs, class statistics, and three figures of the study
    policy = next(attributes["content"] for _, attributes in outline.tags if "http-equiv" in attributes)
    assert policy
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy
    assert not outline.values("style")
    for tag in ("script", "style"):
        inline = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        assert len(inline) == 1
        digest = base64.b64encode(hashlib.sha256(inline[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in policy
    curves = (ready / "streets/figures/curves.svg").read_bytes()
    assert base64.b64encode(curves).decode() in text


def lab(colour: str, seen: Sequence[Sequence[float]]) -> np.ndarray:
    """CIE L*a*b* of `#rrggbb` as it is seen with a colour vision, a matrix for linear RGB."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.clip(seen @ np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4), 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = to_xyz @ linear / [0.9505, 1, 1.0888]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision deficiency" (2009)
VISIONS = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


@pytest.mark.parametrize("vision", VISIONS)
def test_colours_of_lines_can_be_told_apart(vision):
    pairs = re.findall(r"--c\d: light-dark\((#\w+), (#\w+)\);", (page.TEMPLATES / "charts.css").read_text())
    assert len(pairs) == 8
    for colours in zip(*pairs, strict=True):
        seen = [lab(colour, np.array(VISIONS[vision])) for colour in colours]
        distances = {pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in combinations(range(8), 2)}
        assert min(distances.values()) > 14, min(distances, key=lambda pair: distances[pair])


def test_every_link_of_the_page_has_its_target_and_ids_are_unique(ready, monkeypatch):
    outline = Outline(make_page(ready, monkeypatch))
    ids = outline.values("id")
    assert len(ids) == len(set(ids))
    links = [link for link in outline.values("href") if link != "data:,"]
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert {"#overview", "#study-1-table", "#study-1-classes", "#statistics", "#environment"} <= set(links)


def test_all_values_are_escaped(ready, monkeypatch):
    text = make_page(ready, monkeypatch)
    assert HOSTILE not in text
    assert text.count("&lt;script&gt;alert(&#34;1, 2&#34;)&lt;/script&gt;") >= 3  # own classes, every class, statistics
    assert "lr 0.005 is assumed &amp; &lt;b&gt;bold&lt;/b&gt;" in text
    assert "all variants</span> Its &lt;i&gt;stride&lt;/i&gt; is assumed.</li>" in text
    assert "<title>Five studies &amp; more</title>" in text


def test_the_same_input_gives_the_same_bytes(ready, monkeypatch):
    first = make_page(ready, monkeypatch), (ready / "comparison.csv").read_bytes()
    assert (make_page(ready, monkeypatch), (ready / "comparison.csv").read_bytes()) == first


def test_measured_and_published_scores_with_marks_and_the_best_in_bold(ready, monkeypatch):
    text = make_page(ready, monkeypatch)
    baseline = row_of(text, "study-1-table", "baseline")
    assert "0.3200 ± 0.0283 0.0653–0.5747 0.2210" in plain(baseline)
    assert without_intervals(baseline).startswith(
        "baseline ≈ 0.3200 ± 0.0283 0.2210 ▲ +0.0990 undecided "
        "0.7200 ± 0.0283 0.7527 ▼ −0.0327 0.3700 ± 0.0283 0.5200 ± 0.0283"
    )
    assert "best" not in baseline
    unet = row_of(text, "study-1-table", "unet")
    assert without_intervals(unet).startswith("unet 2 0.5100 ± 0.0141 0.5100 = 0.0000 best 0.9100 ± 0.0141 – –")
    assert unet.count('<td class="n best"') + unet.count('<td class="n left best"') == 4
    assert "0.7100 ± 0.0141 1.5000 ± 0.3536 0.9000 " in without_intervals(unet)  # with the loss
    assert plain(row_of(text, "study-1-table", "all pixels “road”")) == "all pixels “road” 0.0825 0.4100"


def test_scores_near_the_best_are_marked(results, monkeypatch):
    """One seed: 0.50 of the U-Net is equivalent to 0.51 of `dice` within 0.05."""
    near(results)
    make_table(results, monkeypatch, seeds="1")
    class_figures.draw_classes(read_statistics(results / "statistics.json"), results / "classes.svg")
    text = make_page(results, monkeypatch)
    assert " ≈ 0.5000 " in plain(row_of(text, "study-1-table", "unet"))
    assert "≈" not in row_of(text, "study-1-table", "baseline") + row_of(text, "study-1-table", "dice")
    for variant, verdict in {"baseline": "worse", "unet": "equivalent", "dice": "best"}.items():
        assert f">{verdict}</td>" in row_of(text, "study-1-table", variant)
    assert "Streets 3 dice ≈ unet 0.5100" in plain(row_of(text, "overview", "Streets"))
    assert "Numbers of all pairs 2 better or worse, 1 equivalent, 0 undecided" in plain(text)
    pairs = plain(text[text.index("Numbers of all pairs") :])
    # From the best down: the U-Net before baseline in the columns, and no row for the last.
    assert re.search(
        r"mIoU difference from unet baseline dice ≈ 0\.0100 ± 0\.0000 equivalent 0\.1700 ± 0\.0000 unet 0\.1600 ±",
        pairs,
    )
    assert "undecided, which does not mean equal" in pairs
    assert "jackknife intervals over 24 single images. Dependence between images, for" in plain(text)


def test_pairs_of_other_variants_are_refused(ready, monkeypatch):
    path = ready / "streets/pairs.csv"
    whole = path.read_text()
    for damaged, message in (
        ("".join(whole.splitlines(keepends=True)[:-1]), "its pairs are not those of baseline, unet, dice"),
        (whole.replace("True", "perhaps"), "Input should be a valid boolean"),
        ("study,variant,schema_version\nstreets,unet,1\n", "lacks the columns other, difference, low, high"),
        (whole.replace(",1\n", ",2\n"), "schema version 2, expected 1"),
    ):
        write(path, damaged)
        with pytest.raises(ValueError, match=rf"pairs\.csv: {message}.*; make the study's table again$"):
            make_page(ready, monkeypatch)


def test_an_impossible_figure_is_marked_and_not_compared(ready, monkeypatch):
    text = make_page(ready, monkeypatch)
    own = text[text.index("The study's own classes") :]
    person = re.findall(r"<td.*?</td>", row_in(own, "unet"), re.S)[1]
    assert '1.3824<sup><a href="#study-1-note-1" aria-label="Note 1">1</a></sup>' in person.replace("\n", "")
    assert "▼" not in person
    note = re.search(r'<li id="study-1-note-1">(.*?)</li>', text, re.S)
    assert note
    assert plain(note[1]) == "published impossible: an IoU cannot exceed 1 (as printed)"
    note = re.search(r'<li id="study-1-note-2">(.*?)</li>', text, re.S)
    assert note
    assert plain(note[1]) == "variant lr 1e-4 is assumed"


def test_an_absent_class_is_called_absent(ready, monkeypatch):
    text = make_page(ready, monkeypatch)
    # road, building, person, train, the one with HTML
    assert plain(row_of(text, "study-1-classes", "baseline")) == "baseline 0.420 0.320 0.220 absent 0.320"
    assert plain(row_of(text, "study-1-classes", "unet")) == "unet 0.610 0.510 0.410 absent 0.510"
    assert plain(row_of(text, "study-1-classes", "dice")) == "dice 0.300 0.200 0.100 absent 0.200"
    own = text[text.index("The study's own classes") :]
    for variant in ("baseline", "unet", "dice"):
        cells = re.findall(r"<td.*?</td>", row_in(own, variant), re.S)
        assert plain(cells[2]).split()[0] == "absent"
        assert plain(cells[3]) == "–"  # bicycle
    assert not re.search(r"\b(nan|NaN|None)\b", plain(text))


def test_runs_recipes_and_machines_are_shown(ready, monkeypatch):
    text = plain(make_page(ready, monkeypatch))
    assert "AMD EPYC 9R14, 2 cores" in text
    assert "python 3.12.3, seg 0.1.0, torch 2.14.1" in text
    assert "Commit 0123456789abcdef Versions" in text
    assert (
        "unet 1 4 (4) cpu, bf16 1 min 10 s 40.0 1.20 GB 55.5 640 MB 2031-02-03 04:05 0123456789 89abcdef01234567"
        in text
    )
    assert "Values in which the recipes differ Variant loss baseline cross_entropy unet cross_entropy dice dice" in text
    assert "Values that all recipes share 4 lr 0.005 epochs 4 schedule. name constant schedule. every null" in (
        text.replace("schedule.name", "schedule. name").replace("schedule.every", "schedule. every")
    )
    assert "0 unlabeled 15.000 10 –" in text  # 1,500 of 10,000 pixels


def test_figures_for_reference_are_grey_and_without_a_difference(ready, monkeypatch):
    assert "for reference only" not in make_page(ready, monkeypatch)
    make_table(ready, monkeypatch, source=json.dumps(SOURCE | {"scored": "objects"}))
    text = make_page(ready, monkeypatch)
    assert "Published figures in grey are for reference only, without a difference" in plain(text)
    assert "for reference only, without a difference (dataset objects in place of streets)." in plain(text)
    baseline = row_of(text, "study-1-table", "baseline")
    assert re.search('<td class="n reference"[^>]*>0.2210', baseline.replace(" left", ""))
    assert "0.3200" in plain(baseline).split("undecided")[0]  # its published figure is not beside it
    assert "0.2210" not in plain(baseline).split("undecided")[0]
    own = row_in(text[text.index("The study's own classes") :], "baseline")
    assert '<small class="published reference">0.5819' in own
    assert '<td class="n reference">0.5100' in row_of(text, "overview", "Streets")
    assert not re.search("[▲▼]", text)


def test_variants_with_unequal_budgets_have_no_marks(results, monkeypatch):
    near(results)
    make_table(results, monkeypatch, source=json.dumps(SOURCE | {"epochs": {"baseline": 40, "unet": 5, "dice": 40}}))
    class_figures.draw_classes(read_statistics(results / "statistics.json"), results / "classes.svg")
    text = make_page(results, monkeypatch)
    assert "different shares of their full budgets (baseline 4 of 40 epochs, unet 4 of 5 epochs)" in plain(text)
    assert "4 of 40 4 400 100 3,140,691" in plain(row_of(text, "study-1-table", "baseline"))
    assert "≈" not in text
    assert " best" not in row_of(text, "study-1-table", "unet") + row_of(text, "study-1-classes", "unet")
    assert plain(row_of(text, "overview", "Streets")) == "Streets 3 none: unequal budgets – unet 0.5100"
    assert "is bold" not in text


def test_comparison_has_every_variant_and_the_columns_that_all_studies_share(ready, monkeypatch):
    make_page(ready, monkeypatch)
    with (ready / "comparison.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["variant"] for row in rows] == ["baseline", "unet", "dice"]
    assert list(rows[0])[:4] == ["study", "title", "variant", "seeds"]
    assert not [column for column in rows[0] if column.startswith("iou[")]
    with (ready / "streets/table.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert all(row[column] == whole[column] for row, whole in zip(rows, table, strict=True) for column in row)


def test_history_has_one_row_per_epoch_of_all_runs(ready, monkeypatch):
    make_page(ready, monkeypatch)
    text = (ready / "history.csv").read_text()
    columns = "study,variant,seed,epoch,lr,train_loss,val_loss,val_pixel_accuracy,val_miou,schema_version"
    assert text.startswith(
        f"{columns}\nstreets,baseline,0,1,0.005,2.5,,,,1\nstreets,baseline,0,2,0.005,1.6,1.9,0.5,0.1,1\n"
    )
    frame = pd.read_csv(ready / "history.csv")
    assert len(frame) == 3 * 2 * 4  # variants, seeds, epochs
    assert [*frame["variant"].unique(), *frame["seed"].unique()] == ["baseline", "unet", "dice", 0, 1]


def test_metrics_for_dvc(ready, monkeypatch):
    make_page(ready, monkeypatch)
    metrics = json.loads((ready / "metrics.json").read_text())
    assert list(metrics) == ["streets"]
    assert list(metrics["streets"]) == ["baseline", "unet", "dice"]
    assert metrics["streets"]["unet"] == pytest.approx(
        {"miou": 0.51, "pixel_accuracy": 0.91, "mean_accuracy": 0.56, "frequency_weighted_iou": 0.71}
    )


def test_all_missing_or_damaged_files_are_reported_and_nothing_is_written(ready, monkeypatch):
    (ready / "streets/figures/confusion.svg").unlink()
    write(ready / "streets/figures/curves.svg", "no picture")
    with pytest.raises(ValueError, match=r"curves\.svg: not an SVG file; run the stage") as caught:
        make_page(ready, monkeypatch)
    assert "figures/confusion.svg: missing" in str(caught.value)
    write(ready / "streets/table.csv", "variant,seeds,schema_version\nunet,0,1\n")
    with pytest.raises(ValueError, match=r"table\.csv: lacks the columns .*; make the study's table again$"):
        make_page(ready, monkeypatch)
    write(ready / "streets/figures/curves.svg", "<svg/>")
    (ready / "streets/table.csv").unlink()
    write(ready / "streets/figures/confusion.svg", "<svg/>")
    with pytest.raises(ValueError, match=r"table\.csv: missing; make the study's table again$"):
        make_page(ready, monkeypatch)
    assert not list(ready.glob("*index.html*"))
    assert not [*ready.glob("*comparison.csv*"), *ready.glob("*history.csv*"), *ready.glob("*metrics.json*")]


def test_scripts_round_scores_as_the_table_does(results, monkeypatch):
    """0.12344997 has the four digits 0.1234, but 0.1235 after rounding to six."""
    study = make_table(results, monkeypatch)
    path = study / "table.csv"
    row = next(csv.DictReader(path.read_text().splitlines()))
    write(path, path.read_text().replace(row["miou"], "0.12344997", 1))
    class_figures.draw_classes(read_statistics(results / "statistics.json"), results / "classes.svg")
    text = make_page(results, monkeypatch)
    data = json.loads(text.partition('<script type="application/json" id="data">')[2].partition("</script>")[0])
    assert "0.1234" in plain(row_of(text, "study-1-table", "baseline"))
    assert f"{data['studies'][0]['scores']['miou']['value'][0]:.4f}" == "0.1234"
