"""All studies in one table, one file of metrics and on one page that opens from disk without a network.

    python -m seg.report.page --preset demo --title TEXT --study NAME=DIRECTORY --statistics NAME=statistics.json
        --comparison results/demo/comparison.csv --metrics results/demo/metrics.json --page results/demo/index.html

`--study` and `--statistics` may come several times. A study's directory holds `table.csv`, `curves.png` and
`<variant>/seed<k>/` as the table's columns say. Pictures are inlined, of each variant its first seed's; there is no
script, and the page forbids itself to load anything.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from seg.report.inputs import named_paths, read_all
from seg.report.rows import common_rows, csv_text, summary
from seg.report.view import read_study, statistics_view, study_view
from seg.report.view_runs import View, environments
from seg.system.console import run_stage
from seg.system.files import written_whole

# In this preset each study has the data that its source used.
_SOURCES_OWN_DATA = "paper"


def page_text(title: str, preset: str, studies: Sequence[View], statistics: Sequence[View]) -> str:
    """The page. Whatever comes from data is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("index.html.j2").render(
        title=title,
        preset=preset,
        own_data=preset == _SOURCES_OWN_DATA,
        studies=[study_view(study, statistics) for study in studies],
        statistics=statistics,
        environments=environments(studies),
    )


def main() -> None:
    """Read all studies, write the comparison, the metrics and the page: all three or none."""
    parser = argparse.ArgumentParser(description="All studies in one table, one file of metrics and on one page.")
    parser.add_argument("--preset", required=True)
    parser.add_argument("--title", required=True)
    parser.add_argument("--study", action="append", required=True, metavar="NAME=DIRECTORY")
    parser.add_argument("--statistics", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--comparison", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--page", type=Path, required=True)
    given = parser.parse_args()
    studies = read_all(lambda item: read_study(*item), named_paths(given.study, "--study").items())
    statistics = read_all(lambda item: statistics_view(*item), named_paths(given.statistics, "--statistics").items())
    scores = {study["name"]: summary(study["rows"]) for study in studies}
    with written_whole(given.comparison, given.metrics, given.page) as (comparison, metrics, page):
        comparison.write_text(csv_text(common_rows([study["rows"] for study in studies])), encoding="utf-8")
        metrics.write_text(json.dumps(scores, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        page.write_text(page_text(given.title, given.preset, studies, statistics), encoding="utf-8")


if __name__ == "__main__":
    run_stage(main)
