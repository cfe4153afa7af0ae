"""Write the pages of `docs/reference/` from the schemas, the command line, the catalogue and the models.

python -m docs.generate

A test fails if the pages on disk differ.
"""

import ast
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import typer

from docs.tables import contents, default, fields, kind, sentence, table
from seg.cli import app
from seg.config.architectures import OPTIONS
from seg.config.code_readings import CODE_READINGS
from seg.config.description import catalogue_rows, layouts
from seg.config.params import Params
from seg.models.weights_table import WEIGHTS
from seg.report.columns import COLUMNS, SCORE_SUFFIXES, SCORES
from seg.report.pairs import PairDifference
from seg.results import EvaluationRun, HistoryRow, Metrics, Statistics, TrainingRun
from seg.system.strict import field_descriptions

ROOT = Path(__file__).parents[1]
TITLES = {
    "Params": "Top level",
    "Preset": "Presets",
    "Budget": "Budgets",
    "Study": "Studies",
    "VariantRow": "Variants",
    "Settings": "Values of a variant",
    "WeightsFile": "A checkpoint of your own",
    "Schedule": "Schedule",
    "EarlyStopping": "Early stopping",
    "Augmentation": "Augmentation",
    "Rotation": "Rotation",
    "Affine": "Affine map",
    "Crop": "Crop",
    "Snow": "Snow",
    "Interval": "Range of a draw",
    "Inference": "Evaluation",
    "Reading": "Readings",
    "DatasetRow": "Datasets",
    "LabelFiles": "Label files",
    "Splits": "Splits",
    "RenderedImages": "Scenes",
    "WeightsRow": "Weights",
    "Pretext": "Pretraining",
    "Cluster": "Cluster",
    "GpuJob": "GPU jobs",
    "Job": "Other jobs",
}
FILES = {  # of results/<preset>/, by pattern
    "index.html": "the page",
    "comparison.csv": "all variants of all studies, with the [columns](#columns-of-the-tables) that all studies share",
    "comparison.tex": "the main columns of all variants as [LaTeX](../how-to/paper.md#latex)",
    "metrics.json": "the overall scores by study and variant, for `dvc metrics`: `pixel_accuracy`, `miou`, "
    "`mean_accuracy`, `frequency_weighted_iou`",
    "history.csv": "the epochs of all trainings, for `dvc plots`: `study`, `variant`, `seed` (with a fold `0/fold3`), "
    "then the [columns of a history](#columns-of-a-history)",
    "classes.csv": "`study`, `variant`, `class`, `iou` and `boundary_iou`: means over seeds and folds, empty if absent",
    "confusion.csv": "`study`, `variant`, `truth`, `prediction` and `share`: the part of the true class that is "
    "predicted as the other class, from 1% on",
    "<study>/table.csv": "one row per variant: scores, published figures, intervals, budgets, costs, notes",
    "<study>/table.md": "the main columns as Markdown, with numbered notes",
    "<study>/table.tex": "the same as [LaTeX](../how-to/paper.md#latex)",
    "<study>/pairs.csv": "one row per pair of variants, see [below](#columns-of-pairscsv)",
    "<study>/figures/scores.*": "mIoU of each variant with its 95% interval, its seeds or folds, the published figure "
    "where it can be compared, and the verdict; SVG and PNG as all [figures](../how-to/paper.md#figures)",
    "<study>/figures/pairs.*": "differences and verdicts of all pairs",
    "<study>/figures/class_iou.*": "heat map of the IoU of the classes in each variant, and the share of each class in "
    "the labelled pixels that are evaluated",
    "<study>/figures/class_boundary_iou.*": "the same with the boundary IoU",
    "<study>/figures/confusion.*": "confusion matrix of each variant, in shares of the true class",
    "<study>/figures/curves.*": "losses and learning rate of each training, with the scored epoch",
    "figures/cost.*": "mIoU of all studies against parameters, multiply-adds, latency and training time, with the "
    "Pareto front of each study",
    "<study>/<variant>/<run>/model.safetensors": "weights; recipe, classes, versions and code digest as metadata",
    "<study>/<variant>/<run>/history.csv": "one row per epoch, see [below](#columns-of-a-history)",
    "<study>/<variant>/<run>/run.json": "the [training](#runjson)",
    "<study>/<variant>/<run>/tensorboard/*": "TensorBoard events: the history, the recipe, "
    "augmented samples, and predictions of four validation images after at most eleven epochs",
    "<study>/<variant>/<run>/metrics.json": "loss and scores at both sizes, see [below](#metricsjson)",
    "<study>/<variant>/<run>/confusion.npy": "one confusion matrix per image for each size, `native` first: int64 "
    "(2, N, C, C); rows are the truth, columns the prediction",
    "<study>/<variant>/<run>/predictions.zip": "the prediction of every image as a PNG with the dataset's colours, by "
    "its position in `names` of `metrics.json` (`000000.png`): the whole image in its own aspect, at most 256 pixels "
    "wide or high, transparent where the network saw nothing",
    "<study>/<variant>/<run>/samples.png": "image, truth, prediction and error of four images",
    "<study>/<variant>/<run>/evaluation.json": "the [evaluation](#evaluationjson)",
}
MODULES = {  # that docstrings refer to, and where a reader of the pages finds the same
    "`seg.config.readings`": "[readings](../how-to/change-values.md#readings)",
    "`seg.data.snow`": "[seg/data/snow.py](../../seg/data/snow.py)",
    "`seg.datasets.splits.draw_fold`": "[cross-validation](../explanation/splits.md#cross-validation)",
    "`seg.metrics.boundary`": "[metrics](../explanation/metrics.md)",
    "`seg.metrics.calibration`": "[metrics](../explanation/metrics.md)",
}
_READINGS = "`seg.config.code_readings`."  # the end of the docstring of a model that deviates from its source
_NOTE = "<!-- Generated by `python -m docs.generate`; edit {source} instead. -->\n"


class Page(NamedTuple):
    """A page without its generated parts: title, what it is generated from, introduction."""

    title: str
    source: str
    text: str

    def with_parts(self, parts: Iterable[str]) -> str:
        """The page."""
        text = textwrap.fill(self.text, 120, break_long_words=False, break_on_hyphens=False)
        head = f"# {self.title}\n\n{_NOTE.format(source=self.source)}\n{text}"
        page = "\n\n".join([head, *parts]) + "\n"
        for name, link in MODULES.items():
            page = page.replace(name, link)
        return page


def sections(schema: Mapping[str, Any], titles: Mapping[str, str]) -> list[str]:
    """One section per class in `titles`."""
    links = {name: f"[{title}](#{_slug(title)})" for name, title in titles.items()}
    classes = {**schema["$defs"], schema["title"]: schema}
    parts = []
    for name, title in titles.items():
        names = list(classes[name]["properties"])
        if name == "VariantRow":
            names = [each for each in names if each not in classes["Settings"]["properties"]]
        if name == "DatasetRow":  # its own keys first
            names = sorted(names, key=lambda each: each not in _DATASET_KEYS)
        text = re.sub(r"(?<=\S)\n(?=\S)", " ", classes[name].get("description", ""))
        parts += [f"## {title}", *([text] if text else []), fields(classes[name], names, links, name == "Settings")]
    return parts


_DATASET_KEYS = ("size", "eval_split", "official_split", "files", "scenes", "readings")


def _slug(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def params_page() -> str:
    """Keys of `params.yaml`."""
    page = Page(
        "Keys of params.yaml",
        "the docstrings in `seg/config/`",
        "[Change values](../how-to/change-values.md) describes where a value comes from, and [your own dataset]"
        "(../how-to/own-dataset.md) the keys of a dataset by example. `workflow/schemas/params.schema.json` is the JSON"
        " schema; editors with a YAML language server complete, check and explain keys with it.",
    )
    return page.with_parts(sections(Params.model_json_schema(), TITLES))


def results_page() -> str:
    """Files and columns of the results."""
    page = Page(
        "Files and columns of the results",
        "`seg/results.py`, `seg/report/columns.py`, `seg/report/pairs.py` and `docs/generate.py`",
        "In `results/<preset>/`; `<run>` is `seed<k>`, or `seed<k>/fold<i>` with [folds]"
        "(../explanation/splits.md#cross-validation):",
    )
    parts = [
        contents("file", FILES),
        "Beside the packs, `data/packs/<preset>/<dataset>-<height>x<width>/statistics.json` counts the classes of a "
        "training\nsplit. Each file contains its `schema_version`: a key of JSON files, the last column of CSV files. "
        "A file with another\nversion is refused with one line that says how to make it again.",
        "## Columns of the tables",
        "`table.csv` and `comparison.csv` have the columns",
        contents("column", SCORES | COLUMNS),
        f"Each of the first {len(SCORES)}, a score, is {len(SCORE_SUFFIXES)} columns:",
        contents("column", {f"<score>{suffix}": text for suffix, text in SCORE_SUFFIXES.items()}),
        "[Metrics and costs](../explanation/metrics.md) defines them.",
        "In cells with notes, ` | ` separates them; bars between spaces in a note are doubled.",
        "## Columns of pairs.csv",
        contents("column", field_descriptions(PairDifference)),
        "## Columns of a history",
        contents("column", field_descriptions(HistoryRow)),
    ]
    files = {"run.json": TrainingRun, "metrics.json": Metrics, "evaluation.json": EvaluationRun}
    for name, schema in (files | {"statistics.json": Statistics}).items():
        content = schema.model_json_schema(by_alias=True)
        links = {each: f"[{each.lower()}](#{each.lower()})" for each in content.get("$defs", {})}
        text = re.sub(r"(?<=\S)\n(?=\S)", " ", content.get("description", ""))
        parts += [f"## {name}", text, _keys(content, links)]
    definitions = Metrics.model_json_schema()["$defs"] | TrainingRun.model_json_schema()["$defs"]
    for name, content in definitions.items():
        links = {each: f"[{each.lower()}](#{each.lower()})" for each in definitions}
        parts += [f"## {name}", " ".join(content["description"].split()), _keys(content, links)]
    return page.with_parts(parts)


def _keys(content: Mapping[str, Any], links: Mapping[str, str]) -> str:
    rows = [[f"`{k}`", kind(each, links), sentence(each["description"])] for k, each in content["properties"].items()]
    return table(["key", "values", "content"], rows)


def command_line_page() -> str:
    """Commands, their arguments and options."""
    page = Page(
        "Command line",
        "`seg/cli.py`",
        "Exit codes: 0, 1 if a check found faults or some images could not be segmented, 2 for invalid input.",
    )
    command = typer.main.get_command(app)
    parts = []
    for name, each in command.commands.items():  # type: ignore[attr-defined]
        arguments = [p for p in each.params if p.param_type_name == "argument"]
        usage = " ".join([f"seg {name}", *map(_metavar, arguments)])
        rows = [
            [
                f"`{', '.join(p.opts)}`" if p not in arguments else f"`{_metavar(p)}`",
                sentence(p.help or ""),
                "" if p.default in (None, "", False) or p.required or callable(p.default) else f"`{p.default}`",
            ]
            for p in each.params
        ]
        text = textwrap.dedent(each.help or "").strip()
        parts += [f"## seg {name}", f"`{usage} [OPTIONS]`", text, table(["argument", "meaning", "default"], rows)]
    return page.with_parts(parts)


def _metavar(argument: Any) -> str:
    name = str(argument.name).upper()
    return name + ("..." if argument.nargs == -1 else "") if argument.required else f"[{name}]"


def datasets_page() -> str:
    """The catalogue."""
    page = Page(
        "Catalogue of datasets",
        "`seg/datasets/catalogue/*.yaml`",
        "[Get the published datasets](../how-to/get-datasets.md) describes downloads, archives and logins. The name is "
        "that of the layout, and of the row in `params.yaml` under which a dataset is downloaded. `seg show --dataset "
        "<name>` prints all keys.",
    )
    rows, details = [], []
    for name in layouts():
        if name == "folder":
            continue
        content = catalogue_rows(name)
        comment = (ROOT / f"seg/datasets/catalogue/{name}.yaml").read_text(encoding="utf-8").split("\n")
        remark = " ".join(line.removeprefix("#").strip() for line in comment[: _first_key(comment)])
        origin = content.get("origin")
        if not origin:
            rows.append([f"`{name}`", "the files are yours to provide", ""])
            details.append(f"## {name}\n\n{remark or 'Same layout as the description that it names.'}")
            continue
        archives = [archive for source in origin["sources"] for archive in source["archives"]]
        automatic = any(all(a.get("urls") for a in source["archives"]) for source in origin["sources"])
        access = "with an account" if origin.get("login") else "automatic" if automatic else "manual"
        rows.append([f"[`{name}`](#{name})", access, str(origin["licence"])])
        facts = {
            "Version": origin["version"],
            "Licence": origin["licence"],
            "Citation": origin["citation"],
            "Homepage": f"<{origin['homepage']}>",
            "Access": origin.get("access") or "open",
            "Archives": ", ".join(dict.fromkeys(f"`{archive['name']}`" for archive in archives)),
            "Files": ", ".join(f"{count:,} `{pattern}`" for pattern, count in origin["counts"].items()),
        }
        lines = "\n".join(f"- {key}: {str(value).strip()}" for key, value in facts.items())
        details.append(f"## {name}\n\n{f'{remark}{chr(10) * 2}' if remark else ''}{lines}")
    return page.with_parts([table(["dataset", "download", "licence"], rows), *details])


def _first_key(lines: Sequence[str]) -> int:
    return next(i for i, line in enumerate(lines) if not line.startswith("#"))


def models_page() -> str:
    """Architectures, their options and published weights."""
    page = Page(
        "Models",
        "the docstrings in `seg/models/` and `seg/config/architectures.py`",
        "`model: { name: fcn, options: { depth: 6 } }`. Shapes: N images of H x W pixels, C classes. For images of "
        "other channels than three, the first convolution is changed. [Your own model](../how-to/own-model.md) adds "
        "one.",
    )
    parts = []
    for name, options in OPTIONS.items():
        source = (ROOT / f"seg/models/{name}.py").read_text(encoding="utf-8")
        text = ast.get_docstring(ast.parse(source)) or ""
        schema = options.model_json_schema()
        text = re.sub(r"(?<=\S)\n(?=[^-\s])", " ", text)
        text = re.sub(r":\n- ", ":\n\n- ", text)  # the site begins a list after an empty line only
        parts += [f"## {name}", *_with_readings(name, text)]
        if schema.get("properties"):
            parts.append(fields(schema, schema["properties"], {}, inherited=False))
    weights = [[f"`{name}`", each.licence, each.citation, each.accuracy or ""] for name, each in WEIGHTS.items()]
    head = ["name", "licence", "citation", "accuracy"]
    return page.with_parts([*parts, "## Published weights", table(head, weights)])


def _with_readings(model: str, text: str) -> list[str]:
    """The text of a model and a list of the readings of sources in its code, if the text ends by naming them."""
    if not text.endswith(_READINGS):
        return [text]
    lines = []
    for studies, when, reading in CODE_READINGS:
        if when.get("model.name") == model:
            options = ", ".join(
                f"`{key.rpartition('.')[2]}: {default(value)[1:]}" for key, value in list(when.items())[1:]
            )
            where = f"{reading.source} of {', '.join(f'`{each}`' for each in studies)}"
            lines.append(f"- {where}{f' ({options})' if options else ''}{reading.text().removeprefix(reading.source)}")
    return [text.removesuffix(_READINGS).strip(), "\n".join(lines)]


PAGES = {
    "params.md": params_page,
    "results.md": results_page,
    "command-line.md": command_line_page,
    "datasets.md": datasets_page,
    "models.md": models_page,
}


def main() -> None:
    """Write all pages."""
    folder = ROOT / "docs/reference"
    folder.mkdir(exist_ok=True)
    for name, write in PAGES.items():
        (folder / name).write_text(write(), encoding="utf-8")


if __name__ == "__main__":
    main()
