"""LaTeX tables: parsed by pylatexenc, with the numbers of the other tables, and text as text."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pylatexenc.latex2text import LatexNodes2Text
from pylatexenc.latexwalker import LatexEnvironmentNode, LatexWalker
from results_tree import HOSTILE, NOTES, SOURCE
from test_page import make_page
from test_table import make_table, near, rows_of

from seg.report.class_figures import draw_classes
from seg.report.latex import escaped
from seg.report.runs import read_statistics

NAMES = (r"$x^{$", r"\frac{_%&#", '~ <b> | "q"', "--x", "[1] a", "a ± b ≈ c")
PRINTED = {"less": "<", "greater": ">", "bar": "|", "quotedbl": '"', "asciicircum": "^"}


def parsed(text: str) -> list[Any]:
    """All environments of the name, at any depth. Fails on unbalanced braces and environments."""
    nodes, _, _ = LatexWalker(text, tolerant_parsing=False).get_latex_nodes()
    found = []
    while nodes:
        node = nodes.pop(0)
        if node is not None and node.isNodeType(LatexEnvironmentNode):
            found.append(node)
            nodes = [*node.nodelist, *nodes]
    return found


def cells_of(path: Path, table: int = 0) -> dict[str, list[str]]:
    """Cells of the lines of a table by their first cell, as LaTeX prints them."""
    bodies = [node for node in parsed(path.read_text()) if node.environmentname == "tabular"]
    lines = [line.split(" & ") for line in bodies[table].latex_verbatim().splitlines() if line.endswith(r" \\")]
    spans = [re.match(r"\\multicolumn\{(\d+)\}", line[0]) for line in lines]
    assert len({int(span[1]) if span else len(line) for span, line in zip(spans, lines, strict=True)}) <= 2
    return {plain(re.sub(r"\\tnote\{.*?\}", "", line[0])): [plain(cell) for cell in line[1:]] for line in lines}


def plain(text: str) -> str:
    """What LaTeX prints; the macros of `PRINTED` are those that pylatexenc does not know or prints otherwise."""
    for macro, character in PRINTED.items():
        text = text.replace(f"\\text{macro}{{}}", character)
    return LatexNodes2Text().latex_to_text(text.removesuffix(r" \\")).strip()


def test_the_numbers_are_those_of_the_csv(results, monkeypatch):
    study = make_table(results, monkeypatch)
    lines = cells_of(study / "table.tex")
    for variant, row in rows_of(study).items():
        cells = lines[variant]
        assert cells[0] == f"{float(row['pixel_accuracy']):.4f} ± {float(row['pixel_accuracy_std']):.4f}"
        assert cells[3].startswith("≈") == (row["against_best"] in ("equivalent", "undecided"))
        assert cells[3].removeprefix("≈ ") == f"{float(row['miou']):.4f} ± {float(row['miou_std']):.4f}"
        assert cells[4] == f"{float(row['miou_low']):.4f}–{float(row['miou_high']):.4f}"
        assert cells[8] == f"{int(row['parameters']):,}"
    assert (lines["baseline"][5:7], lines["dice"][5:7]) == (["0.2210", "+0.0990"], ["–", ""])
    assert lines["unet"][6] == "0.0000"
    classes = cells_of(study / "table.tex", 1)
    assert classes["Class"] == ["baseline", "unet", "dice"]
    assert classes["train"] == ["absent / absent", "absent / –", "absent / –"]
    assert classes[HOSTILE] == ["0.3200 / –", "0.5100 / –", "0.2000 / –"]
    assert [node.environmentname for node in parsed((study / "table.tex").read_text())][:4] == [
        *("table*", "threeparttable", "tabular", "tablenotes")
    ]


def test_notes_are_table_notes_and_text(results, monkeypatch):
    text = (make_table(results, monkeypatch) / "table.tex").read_text()
    (notes,) = [node.latex_verbatim() for node in parsed(text) if node.environmentname == "tablenotes"]
    assert r"\item Its \textless{}i\textgreater{}stride\textless{}/i\textgreater{} is assumed." in notes
    assert "\n\\item[2] variant: lr 1e-4 is assumed\n" in notes
    assert r"unet\tnote{2}" in text
    assert r"dice\tnote{2--3}" in text
    for note in NOTES["dice"]:
        assert note in plain(notes)
    assert text.splitlines()[1] == r"% \usepackage{booktabs,threeparttable}"


def test_the_best_is_bold_only_with_equal_budgets_and_differences_only_where_comparable(results, monkeypatch):
    near(results)
    text = (make_table(results, monkeypatch) / "table.tex").read_text()
    assert text.count(r"\textbf{") == 2
    assert r"\textit{" not in text
    epochs = {"baseline": 40, "unet": 5, "dice": 40}
    source = json.dumps(SOURCE | {"epochs": epochs, "scored": "objects"})
    text = (make_table(results, monkeypatch, source=source) / "table.tex").read_text()
    assert r"\textbf{" not in text
    assert r"\textit{0.2210} &  & " in text
    assert "different shares of their full budgets" in text


def test_the_comparison_has_all_studies(results, monkeypatch):
    make_table(results, monkeypatch)
    draw_classes(read_statistics(results / "statistics.json"), results / "classes.svg", results / "classes.png")
    make_page(results, monkeypatch)
    lines, study = cells_of(results / "comparison.tex"), cells_of(results / "streets/table.tex")
    assert "Streets" in "".join(lines)
    assert all(lines[variant] == study[variant] for variant in ("baseline", "unet", "dice"))
    notes = plain((results / "comparison.tex").read_text().partition("tablenotes")[2])
    for part in ("≈ marks an mIoU that is equivalent to the best one", "jackknife intervals over 24 single images"):
        assert part in notes


def test_numbers_of_classes_are_given_where_they_differ(results, monkeypatch):
    for seed in (0, 1):
        path = results / f"streets/unet/seed{seed}/metrics.json"
        metrics = json.loads(path.read_text())
        metrics["native"]["iou"]["person"] = None
        path.write_text(json.dumps(metrics))
    study = make_table(results, monkeypatch)
    lines = cells_of(study / "table.tex")
    assert (lines["unet"][3], lines["dice"][3]) == ("0.5100 ± 0.0141 (3 classes)", "0.2000 ± 0.0000 (4 classes)")
    assert lines["unet"][0] == "0.9100 ± 0.0141"  # the pixel accuracy is not over classes
    assert "their number is given" in (study / "table.tex").read_text()


def test_without_published_figures_there_are_no_columns_for_them(results, monkeypatch):
    """As for a study on the user's own images."""
    published = results / "published.csv"
    published.write_text(published.read_text().splitlines()[0] + "\n")
    study = make_table(results, monkeypatch)
    row = rows_of(study)["unet"]
    lines = cells_of(study / "table.tex")
    heads = ["Pixel accuracy", "mIoU", "95% interval", "Budget", "Parameters", "Training"]
    assert list(lines) == ["Variant", "baseline", "unet", "dice"]
    assert lines["Variant"] == heads
    assert lines["unet"][1] == f"{float(row['miou']):.4f} ± {float(row['miou_std']):.4f}"
    assert lines["unet"][2] == f"{float(row['miou_low']):.4f}–{float(row['miou_high']):.4f}"
    overall = (study / "table.md").read_text().partition("## ")[0]
    assert "published |" not in overall
    assert f"{float(row['loss']):.4f}" in overall
    draw_classes(read_statistics(results / "statistics.json"), results / "classes.svg", results / "classes.png")
    make_page(results, monkeypatch)
    text = (results / "comparison.tex").read_text()
    assert r"\multicolumn{7}{l}{Streets" in text
    assert cells_of(results / "comparison.tex")["unet"] == lines["unet"]


@pytest.mark.parametrize("text", [*NAMES, HOSTILE, "שלום", "道路"])
def test_hostile_text_is_printed_unchanged(text):
    written = escaped(text)
    LatexWalker(written, tolerant_parsing=False).get_latex_nodes()
    assert "".join(plain(written).split()) == "".join(text.split())


@given(st.text())
def test_any_text_is_one_line_of_balanced_latex(text):
    written = escaped(text)
    assert len(f"a{written}".splitlines()) == 1
    nodes, _, _ = LatexWalker(written, tolerant_parsing=False).get_latex_nodes()
    assert all(node.latex_verbatim() for node in nodes)
