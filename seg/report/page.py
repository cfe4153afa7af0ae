"""Report of a preset: all studies in one table, the data of its plots and a page that opens without a network.

    python -m seg.report.page --preset demo --title TEXT --study NAME=DIRECTORY --statistics NAME=statistics.json
        --pictures NAME=test.json --comparison results/demo/comparison.csv --latex results/demo/comparison.tex
        --history results/demo/history.csv --classes results/demo/classes.csv --confusion results/demo/confusion.csv
        --metrics results/demo/metrics.json --page results/demo/index.html --figures results/demo/figures

All options with `NAME=` may be repeated. `--validation` and `--evaluation` give the `.json` of the packs that the
models of a dataset are validated and evaluated on, `--pictures` that of the pack with the images of a study, or of
`<study>/fold<k>`, `--training` that of the training pack of `<study>/<variant>`. A study's directory contains
`table.csv`, `pairs.csv`, `figures/` and `<variant>/seed<k>/` for the variants and seeds in the table, or
`<variant>/seed<k>/fold<i>/` with a cross-validation. `metrics.json`, `history.csv`, `classes.csv` and `confusion.csv`
are for DVC. The page's style, script, data and images are inlined, and its Content-Security-Policy allows nothing else.
Tables are HTML that the script makes sortable; without a script they are complete.
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from seg.report.augmented import augmented_of
from seg.report.figure_names import PRESET_FIGURES, suffixes
from seg.report.formatting import count, digits, duration, size
from seg.report.latex import comparison_latex
from seg.report.long_tables import class_score_table, confusion_table
from seg.report.payload import json_for_script, page_data
from seg.report.pictures import pictures_of
from seg.report.provenance import environments
from seg.report.rows import common_rows, overall_scores, table_text
from seg.report.runs import named_paths, read_all
from seg.report.score_figures import draw_costs
from seg.report.series import COSTS, cost_points
from seg.report.view import View, read_study, statistics_view, svg_uri, with_pictures
from seg.results import HistoryRow
from seg.system.arguments import StageParser
from seg.system.console import run_stage
from seg.system.files import written_whole

PICTURE_BYTES = 3_000_000  # of all images, truths and predictions in the page
AUGMENTED_BYTES = 800_000  # of all pictures of augmentations
USES = ("validation", "evaluation")  # of the packs whose classes are compared with those of the training pack
TEMPLATES = Path(__file__).parent / "templates"
STYLES = ("page.css", "controls.css", "charts.css", "print.css")
_PARTS = (
    "core",
    "view",
    "table",
    "charts",
    "costs",
    "pairs",
    "classes",
    "curves",
    "pictures",
    "provenance",
    "printing",
    "main",
)  # in this order
SCRIPTS = tuple(f"{name}.js" for name in _PARTS)

_OUTPUTS = {
    "comparison": ".csv",
    "latex": ".tex",
    "history": ".csv",
    "classes": ".csv",
    "confusion": ".csv",
    "metrics": ".json",
    "page": ".html",
}


def page_text(title: str, preset: str, studies: Sequence[View], statistics: Sequence[View], cost_figure: str) -> str:
    """The page as HTML; all values are escaped. `cost_figure` is a URI."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"count": count, "digits": digits, "duration": duration, "size": size}
    style, script = (
        "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names) for names in (STYLES, SCRIPTS)
    )
    return environment.get_template("index.html.j2").render(
        title=title,
        preset=preset,
        reference=any(row["published_obstacle"] for study in studies for row in study["rows"]),
        published=any(study["overview"]["published_best"] for study in studies),
        studies=studies,
        statistics=statistics,
        cost_figure=cost_figure,
        environments=environments(studies),
        style=Markup(style),  # noqa: S704 - from the package, as the script; the data has no "<"
        style_hash=_source_hash(style),
        script=Markup(script),  # noqa: S704
        script_hash=_source_hash(script),
        data=Markup(json_for_script(page_data(preset, studies))),  # noqa: S704
    )


def _source_hash(text: str) -> str:
    """Source expression of a Content-Security-Policy that allows exactly this inline style or script."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def all_histories(studies: Sequence[View]) -> pd.DataFrame:
    """Histories of all runs, one row per epoch, with their study, variant and seed (and fold, as in `0/fold3`)."""
    rows = [
        (study["name"], variant, run.name, *epoch)
        for study in studies
        for variant, runs in study["runs"].items()
        for run in runs
        for epoch in run.history
    ]
    return pd.DataFrame(rows, columns=["study", "variant", "seed", *HistoryRow._fields])


def main() -> None:
    """Write the comparison of all studies, the data for DVC and the page."""
    parser = StageParser("seg.report.page", main.__doc__)
    parser.add_argument("--preset", required=True)
    parser.add_argument("--title", required=True)
    parser.add_named_inputs("--study", "NAME=DIRECTORY", action="append", required=True)
    parser.add_named_inputs("--statistics", "NAME=FILE", action="append", default=[])
    for use in USES:
        parser.add_named_inputs(f"--{use}", "NAME=FILE", action="append", default=[])
    for pack in ("pictures", "training"):
        parser.add_named_inputs(f"--{pack}", "NAME=FILE", action="append", default=[])
    for output, suffix in _OUTPUTS.items():
        parser.add_output(f"--{output}", suffix, f"{suffix} to write")
    parser.add_outputs("--figures", suffixes(PRESET_FIGURES), "directory of the figures to write")
    given = parser.parse_stage()
    studies = read_all(lambda item: read_study(*item), named_paths(given.study, "--study").items())
    runs = {study["name"]: study["runs"] for study in studies}
    pictures = pictures_of(runs, named_paths(given.pictures, "--pictures"), PICTURE_BYTES)
    augmented = augmented_of(runs, named_paths(given.training, "--training"), AUGMENTED_BYTES)
    studies = [
        with_pictures(study, pictures.get(study["name"])) | {"augmented": augmented[study["name"]]} for study in studies
    ]
    packs = {use: named_paths(getattr(given, use), f"--{use}") for use in USES}
    statistics = read_all(
        lambda item: statistics_view(*item, {use: packs[use][item[0]] for use in USES if item[0] in packs[use]}),
        named_paths(given.statistics, "--statistics").items(),
    )
    rows = {study["name"]: study["rows"] for study in studies}
    scores = {name: overall_scores(each) for name, each in rows.items()}
    texts = {
        given.comparison: table_text(common_rows(list(rows.values()))),
        given.latex: comparison_latex(list(rows.values()), given.title),
        given.history: table_text(all_histories(studies)),
        given.classes: table_text(class_score_table(runs)),
        given.confusion: table_text(confusion_table(runs)),
        given.metrics: json.dumps(scores, indent=1, allow_nan=False) + "\n",
    }
    costs = {name: {cost: cost_points(each, cost) for cost in COSTS} for name, each in rows.items()}
    figures = [Path(f"{given.figures}{suffix}") for suffix in suffixes(PRESET_FIGURES)]
    with written_whole(*texts, given.page, *figures) as parts:
        for part, text in zip(parts, texts.values(), strict=False):
            part.write_text(text, encoding="utf-8")
        page, *drawn = parts[len(texts) :]
        draw_costs(costs, *drawn)
        cost_figure = svg_uri(next(part for part in drawn if part.suffix == ".svg").read_bytes())
        text = page_text(given.title, given.preset, studies, statistics, cost_figure)
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_stage(main)
