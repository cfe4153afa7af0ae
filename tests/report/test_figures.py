"""Figures: what is drawn, the same bytes for the same input, names as plain text."""

import json
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from results_tree import HISTORY, HOSTILE, write
from test_table import make_table, rows_of

from seg.report import class_figures, curve_figures, figures, score_figures
from seg.report.figure_names import STUDY_FIGURES
from seg.report.pairs import PairMatrix
from seg.report.runs import read_run, read_statistics
from seg.report.series import SHOWN, CostPoint, Curve, ScoreDot, confusion_shares, cost_points, curves

HOSTILE_NAMES = ("$x^{$", r"\frac{_%&#", "<b>&amp;", "name " * 20, "שלום עולם", "道路と建物", "a\nb\x07", "\U0001f697")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Figures as they are saved."""
    saved: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *arguments: object, **options: object) -> None:
        saved.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return saved


def texts(path: Path) -> list[str]:
    """All text of an SVG file."""
    return [element.text or "" for element in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_bars_are_pixels_in_units_of_one_image(results, drawn):
    class_figures.draw_classes(read_statistics(results / "statistics.json"), results / "classes.png")
    axes = drawn[0].axes[0]
    ends = {round(bar.get_y() + 0.36): bar.get_x() + bar.get_width() for bar in axes.patches}
    # 20 x 50 = 1,000 pixels per image
    assert [ends[i] for i in (0, 1, 2, 3, 4, 6)] == pytest.approx([1.5, 0.5, 5.0, 2.5, 0.4, 0.1])
    assert [text.get_text() for text in axes.texts] == ["1.5", "0.5", "5", "2.5", "0.4", "none", "0.1"]
    assert axes.get_xscale() == "log"
    colours = {round(bar.get_y() + 0.36): bar.get_facecolor() for bar in axes.patches}
    assert colours[0] == colours[1] != colours[2] == colours[6]


def test_class_figure_has_the_same_bytes_with_any_matplotlib_style(results, monkeypatch):
    found = []
    for style in ({}, {"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path"}):
        arguments = ["--statistics", str(results / "statistics.json")]
        arguments += ["--svg", str(results / "classes.svg"), "--png", str(results / "classes.png")]
        monkeypatch.setattr(sys, "argv", ["class_figures", *arguments])
        with mpl.rc_context(style):
            class_figures.main()
        found.append([(results / name).read_bytes() for name in ("classes.svg", "classes.png")])
    assert found[0] == found[1]
    with Image.open(results / "classes.png") as picture:
        assert picture.info.keys() <= {"dpi"}
    assert not re.search("Matplotlib|dc:date|202", (results / "classes.svg").read_text())
    assert any(text.startswith("<script>") for text in texts(results / "classes.svg"))


def test_every_figure_of_a_study_shows_the_numbers_of_its_tables(results, monkeypatch):
    study = make_table(results, monkeypatch)
    rows = rows_of(study)
    shown = {name: texts(study / f"figures/{name}.svg") for name in STUDY_FIGURES}
    for row in rows.values():
        assert f"{float(row['miou']):.4f}  {row['against_best']}" in shown["scores"]
        assert all(row["variant"] in shown[name] for name in ("scores", "class_iou", "confusion", "curves"))
    assert [text for text in shown["pairs"] if re.fullmatch(r"[\d.]+", text)] == ["19.0", "31.0", "12.0"]
    road = [round(100 * float(rows[name]["miou"]) + 10) for name in ("unet", "baseline", "dice")]
    assert [int(text) for text in shown["class_iou"] if text.isdigit()][:3] == road
    assert shown["class_iou"].count("–") == 3  # nobody has trains
    assert HOSTILE in shown["class_iou"]
    assert "dice" in shown["curves"]
    assert all((study / f"figures/{name}.png").stat().st_size for name in STUDY_FIGURES)


def runs_of(results: Path, name: str) -> list[Curve]:
    return curves([read_run(results / "streets" / name / f"seed{seed}", "native") for seed in (0, 1)])


def test_curves_have_one_panel_per_variant_and_share_the_range_of_a_loss(results, drawn):
    variants = {name: runs_of(results, name) for name in ("baseline", "unet", "dice")}
    before = dict(mpl.rcParams)
    losses = {"baseline": "cross_entropy", "unet": "cross_entropy", "dice": "dice"}
    curve_figures.draw_curves(variants, losses, "", results / "curves.png")
    assert dict(mpl.rcParams) == before
    panels = {axes.get_title(loc="left"): axes for axes in drawn[0].axes if axes.get_title(loc="left")}
    assert list(panels) == ["baseline", "unet", "dice"]
    training, validation, scored = panels["unet"].lines[:3]
    assert list(training.get_ydata()) == [2.5, 1.6, 1.2, 1.0]
    assert (list(validation.get_xdata()), list(validation.get_ydata())) == ([2, 4], [1.9, 1.4])
    assert (list(scored.get_xdata()), list(scored.get_ydata())) == ([4], [1.4])
    assert len(panels["unet"].lines) == 6
    assert panels["baseline"].get_ylim() == panels["unet"].get_ylim() == pytest.approx((0, 2.5 * 1.05))
    assert [text.get_text() for text in panels["dice"].texts] == ["dice"]
    rates = drawn[0].axes[1]
    assert [list(line.get_ydata()) for line in rates.lines] == [[0.005] * 4]  # the same of both seeds


def test_a_spike_makes_the_axis_logarithmic(results, drawn):
    directory = results / "streets/unet/seed0"
    write(
        directory / "history.csv",
        HISTORY.splitlines()[0] + "\n1,0.1,2.0,900,,,1\n2,0.1,1.5,2.0,,,1\n3,0.1,1.2,1.9,,,1\n",
    )
    trainings = {"unet": curves([read_run(directory, "native")])}
    curve_figures.draw_curves(trainings, {"unet": "dice"}, "", results / "curves.png")
    assert drawn[0].axes[0].get_yscale() == "log"


def many(names: Sequence[str], folder: Path) -> list[Path]:
    """Draw all figures with these names as variants, studies and classes."""
    count = len(names)
    dots = [ScoreDot(name, 0.5, None, None, (0.4, 0.6), 0.7, "undecided") for name in names]
    differences = np.where(np.eye(count), np.nan, 0.01)
    values = np.linspace(0, 1, count * count).reshape(count, count)
    values[0, -1] = np.nan
    trainings = {name: [Curve("0", (1, 2), (1.0, 0.5), (), (0.1, 0.01), (2, None))] for name in names}
    points = [CostPoint(name, float(i), i / count, True, i == 1, i == 2) for i, name in enumerate(names)]
    costs = dict.fromkeys(score_figures.COSTS, points)
    files = [folder / f"{name}{suffix}" for name in (*STUDY_FIGURES, "cost") for suffix in (".svg", ".png")]
    paths = {name: [file for file in files if file.stem == name] for name in (*STUDY_FIGURES, "cost")}
    score_figures.draw_scores(dots, "note", *paths["scores"])
    matrix = PairMatrix(tuple(names), differences, [["equivalent"] * count for _ in names])
    score_figures.draw_pairs(matrix, "note", *paths["pairs"])
    score_figures.draw_costs(dict.fromkeys(names, costs), *paths["cost"])
    for score in ("class_iou", "class_boundary_iou"):
        class_figures.draw_class_scores(values, values[0], names, names, "IoU", "note", *paths[score])
    class_figures.draw_confusion(dict.fromkeys(names, values), names, "note", *paths["confusion"])
    curve_figures.draw_curves(trainings, dict.fromkeys(names, "dice"), "note", *paths["curves"])
    return files


def test_names_are_text_not_formulas_or_markup_and_warn_of_nothing(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        files = many(HOSTILE_NAMES, tmp_path)
    for file in files:
        if file.suffix == ".svg":
            shown = texts(file)
            assert {"$x^{$", r"\frac{_%&#", "<b>&amp;", "שלום עולם", "道路と建物"} <= set(shown), file
            assert any(text.startswith("name name") and "…" in text for text in shown)
    assert {path.name: path.read_bytes() for path in files} == {
        path.name: path.read_bytes() for path in many(HOSTILE_NAMES, tmp_path)
    }


def test_scores_fit_a_column_of_a_paper_with_names_of_25_characters(drawn, tmp_path):
    names = ("augmented_full_resolution", "unet")
    dots = [ScoreDot(name, 0.5, 0.4, 0.6, (0.4, 0.6), 0.7, "undecided") for name in names]
    score_figures.draw_scores(dots, "", tmp_path / "scores.svg")
    assert drawn[0].get_size_inches()[0] == pytest.approx(3.5)
    assert drawn[0].axes[0].get_position().width * 3.5 >= 1  # inches


def test_a_small_difference_that_is_decided_is_not_white(drawn, tmp_path):
    differences = np.array([[np.nan, 0.001, 0.4], [-0.001, np.nan, 0.4], [-0.4, -0.4, np.nan]])
    verdicts = [["", "better", "better"], ["worse", "", "better"], ["worse", "worse", ""]]
    score_figures.draw_pairs(PairMatrix(("a", "b", "c"), differences, verdicts), "", tmp_path / "pairs.svg")
    cells = np.asarray(drawn[0].axes[0].images[0].get_array())
    assert cells[0, 0, 0] < 235  # red
    assert cells[-1, 0, 0] == 255  # below the diagonal


def test_one_variant_of_one_class_has_all_figures(tmp_path):
    many(["alone"], tmp_path)
    assert texts(tmp_path / "pairs.svg") == ["One variant, so there are no pairs."]


def test_the_pareto_front_by_hand():
    """b is as cheap as a and better; d is more expensive and worse than c; e equals c."""
    cells = {"a": (1, 0.2), "b": (1, 0.3), "c": (2, 0.5), "d": (3, 0.4), "e": (2, 0.5)}
    rows = [
        {"variant": name, "against_best": "", "parameters": str(cost), "miou": str(miou), "miou_published": published}
        | {"budget_epochs": "4", "full_epochs": "4"}
        for (name, (cost, miou)), published in zip(cells.items(), ("", "0.9", "absent", "0.1", "0.9"), strict=True)
    ]
    points = cost_points(rows, "parameters")
    assert [point.variant for point in points if point.front] == ["b", "c", "e"]
    assert [point.variant for point in points if point.best] == ["c"]
    assert [point.variant for point in points if point.published_best] == ["b", "e"]
    rows[0]["miou_published"] = "1.2"  # as a source may print
    assert [point.variant for point in cost_points(rows, "parameters") if point.published_best] == ["b", "e"]
    rows[0]["full_epochs"] = "40"
    assert not [point.variant for point in cost_points(rows, "parameters") if point.best]


def test_pairs_are_drawn_from_the_best_variant_down_wherever_it_is_in_the_table(results, monkeypatch):
    """mIoU of dice 0.20, baseline 0.32, unet 0.51: the matrix has unet - baseline, unet - dice, baseline - dice."""
    for variants in (("dice", "unet", "baseline"), ("baseline", "dice", "unet"), ("unet", "dice", "baseline")):
        study = make_table(results, monkeypatch, variants=variants)
        shown = texts(study / "figures/pairs.svg")
        assert [text for text in shown if re.fullmatch(r"[\d.]+", text)] == ["19.0", "31.0", "12.0"], variants
        assert [text for text in shown if text in variants] == ["baseline", "dice", "unet", "baseline"]


def test_confusion_is_in_shares_of_the_true_or_the_predicted_class():
    matrix = np.array([[3, 1, 0], [2, 2, 0], [0, 0, 0]])
    absent = [np.nan] * 3
    np.testing.assert_array_equal(confusion_shares(matrix), [[0.75, 0.25, 0], [0.5, 0.5, 0], absent])
    np.testing.assert_allclose(confusion_shares(matrix, by=0)[:, :2], [[0.6, 1 / 3], [0.4, 2 / 3], [0, 0]])


def test_of_many_variants_the_best_are_drawn_and_the_figure_says_so(results, monkeypatch):
    monkeypatch.setattr(figures, "SHOWN", 2)
    study = make_table(results, monkeypatch)
    for name in STUDY_FIGURES:
        shown = texts(study / f"figures/{name}.svg")
        assert "The 2 of 3 variants with the highest mIoU" in shown
        assert "dice" not in [text for text in shown if text != "dice" or name != "curves"]
    assert SHOWN == 60


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixels": [1]}, "the lists by class differ in length"),
        ({"id_pixels": [1]}, "the lists by id on disk differ in length"),
        ({"scored": [2, 3, 4, 5, 7]}, "'scored' names an id beyond 'ids'"),
        ({"height": 0}, "height: "),
    ],
)
def test_damaged_statistics_are_refused(results, change, message):
    path: Path = results / "statistics.json"
    write(path, json.loads(path.read_text()) | change)
    with pytest.raises(ValueError, match=rf"statistics\.json: .*{message}.*; count the classes again$") as caught:
        read_statistics(path)
    assert len(str(caught.value).splitlines()) == 1
