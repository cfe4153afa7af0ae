"""Figures: what is drawn, the same bytes for the same input, names as plain text."""

import json
import sys
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from PIL import Image
from results_tree import HISTORY, write, write_run

from seg.report import figures
from seg.report.runs import read_run, read_statistics


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


def test_bars_are_pixels_in_units_of_one_image(results, drawn):
    figures.draw_classes(read_statistics(results / "statistics.json"), results / "classes.png")
    axes = drawn[0].axes[0]
    ends = {round(bar.get_y() + 0.36): bar.get_x() + bar.get_width() for bar in axes.patches}
    # 20 x 50 = 1,000 pixels per image
    assert [ends[i] for i in (0, 1, 2, 3, 4, 6)] == pytest.approx([1.5, 0.5, 5.0, 2.5, 0.4, 0.1])
    assert [text.get_text() for text in axes.texts] == ["1.5", "0.5", "5", "2.5", "0.4", "none", "0.1"]
    assert axes.get_xscale() == "log"
    colours = {round(bar.get_y() + 0.36): bar.get_facecolor() for bar in axes.patches}
    assert colours[0] == colours[1] != colours[2] == colours[6]


def test_class_figure_has_the_same_bytes_with_any_matplotlib_style(results, monkeypatch):
    statistics = results / "statistics.json"
    outputs = [results / "classes.png", results / "again.png"]
    for output, style in zip(outputs, ({}, {"font.size": 30, "axes.facecolor": "red"}), strict=True):
        monkeypatch.setattr(sys, "argv", ["figures", "--statistics", str(statistics), "--out", str(output)])
        with mpl.rc_context(style):
            figures.main()
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    with Image.open(outputs[0]) as picture:
        assert picture.info.keys() <= {"dpi"}


def test_curves_have_one_panel_per_variant_and_share_the_range_of_a_loss(results, drawn):
    runs = {
        name: [read_run(results / "streets" / name / f"seed{seed}", "native") for seed in (0, 1)]
        for name in ("baseline", "unet", "dice")
    }
    before = dict(mpl.rcParams)
    figures.draw_curves(runs, results / "curves.png")
    assert dict(mpl.rcParams) == before
    panels = {axes.get_title(loc="left"): axes for axes in drawn[0].axes}
    assert list(panels) == ["baseline", "unet", "dice"]
    training, validation = panels["unet"].lines[:2]
    assert list(training.get_ydata()) == [2.5, 1.6, 1.2, 1.0]
    assert (list(validation.get_xdata()), list(validation.get_ydata())) == ([2, 4], [1.9, 1.4])
    assert len(panels["unet"].lines) == 4
    assert panels["baseline"].get_ylim() == panels["unet"].get_ylim() == pytest.approx((0, 2.5 * 1.05))
    assert panels["dice"].get_ylabel() == "loss (dice)"


def test_a_spike_makes_the_axis_logarithmic(results, drawn):
    directory = results / "streets/unet/seed0"
    write(
        directory / "history.csv",
        HISTORY.splitlines()[0] + "\n1,0.1,2.0,900,,,1\n2,0.1,1.5,2.0,,,1\n3,0.1,1.2,1.9,,,1\n",
    )
    figures.draw_curves({"unet": [read_run(directory, "native")]}, results / "curves.png")
    assert drawn[0].axes[0].get_yscale() == "log"


def test_names_are_text_not_formulas(results, drawn):
    write_run(results / "costs/$x^{/seed0", 0.3)
    figures.draw_curves({"$x^{$": [read_run(results / "costs/$x^{/seed0", "native")]}, results / "curves.png")
    assert drawn[0].axes[0].get_title(loc="left") == "$x^{$"


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
