"""Compare segmentation models: show variants, draw samples, compare results, segment images, check a dataset."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seg.system.console import run_stage

if TYPE_CHECKING:
    from seg.config.params import Params
    from seg.config.schema import DatasetRow

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)


@app.command()
def show(
    variant: Annotated[str, typer.Argument(help="study/variant, for example cityscapes_fcn/unet")] = "",
    params: Annotated[Path, typer.Option(help="path of params.yaml")] = Path("params.yaml"),
    dataset: Annotated[str, typer.Option(help="print the description of this dataset instead")] = "",
) -> None:
    """Print the values of a variant and the row that sets each, the readings of its source, and its layers."""
    import json

    from seg.config.params import read_params
    from seg.config.readings import readings_of
    from seg.datasets.classes import class_table
    from seg.datasets.own_files import with_own_keys
    from seg.models.summary import layer_table

    content = read_params(params)
    if dataset:
        typer.echo(_description(content, dataset))
        return
    if not variant:
        raise ValueError("give study/variant, or --dataset with a name in params.yaml")
    study, name = _study_and_variant(content, variant)
    row = "{:32} {:44} {}".format
    not_in_source = content.not_in_source(study, name)
    for key, (value, path) in sorted(content.resolved(study, name).items()):
        mark = " (not in the source)" if key.partition(".")[0] in not_in_source else ""
        written = value if isinstance(value, str) else json.dumps(value)  # null and false, as in params.yaml
        typer.echo(row(key, written, f"{path}{mark}"))
    if like := content.studies[study].variants[name].like:
        typer.echo(row("like", like, f"studies.{study}.variants.{name}"))
    for use in ("train", "val", "eval"):
        pack = content.pack(content.preset, study, name, use)
        folds = content.datasets[pack.dataset].folds
        where = f"{pack.dataset}, split {pack.split}" + (f" of {folds} folds" if folds else "")
        typer.echo(row(f"{use} images", f"{pack.height} x {pack.width}", where))
    if readings := readings_of(content, content.preset, study, name):
        typer.echo("\nreadings of the source")
    for reading in readings:
        typer.echo(f"- {reading.text()}")
    recipe = content.recipe(content.preset, study, name, content.run_seeds(content.preset)[0])
    folder = Path("data/raw", content.files(pack.dataset))
    described = with_own_keys(content.datasets[pack.dataset].description(), folder)
    classes = len(class_table(described, folder).names)
    typer.echo(f"\n{recipe.model.name} for {classes} classes")
    for line in layer_table(recipe, classes, described.form().channel_count(), pack.height, pack.width):
        typer.echo(line)


def _study_and_variant(params: "Params", text: str) -> tuple[str, str]:
    from seg.system.console import nearest

    study, _, name = text.partition("/")
    if study not in params.studies or name not in params.studies[study].variants:
        known = [f"{key}/{row}" for key, rows in params.studies.items() for row in rows.variants]
        raise ValueError(f"{text}: unknown variant; {nearest(text, known)}")
    return study, name


def _dataset_row(params: "Params", name: str) -> "DatasetRow":
    from seg.system.console import nearest

    if name not in params.datasets:
        raise ValueError(f"--dataset {name}: unknown; {nearest(name, params.datasets)}")
    return params.datasets[name]


def _description(params: "Params", name: str) -> str:
    """Description of a dataset of `params.yaml` as YAML, with the keys of its layout and of its own files."""
    import yaml

    from seg.config.description import describe, layouts
    from seg.datasets.own_files import with_own_classes, with_own_keys

    if name not in params.datasets and name in layouts():
        described = describe(name)
    else:
        row = _dataset_row(params, name)
        folder = Path("data/raw", params.files(name))
        described = with_own_classes(with_own_keys(row.description(), folder), folder)
    content = described.model_dump(mode="json", exclude_none=True)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120).rstrip()


@app.command()
def augmented(
    variant: Annotated[str, typer.Argument(help="study/variant, for example cityscapes_fcn/augmented")],
    out: Annotated[Path, typer.Option(help="PNG to write")] = Path("augmented.png"),
    preset: Annotated[str | None, typer.Option(help="preset of data; default: the one in params.yaml")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="seed of the training; default: the preset's first")] = None,
    params: Annotated[Path, typer.Option(help="path of params.yaml")] = Path("params.yaml"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace an existing picture")] = False,
) -> None:
    """Draw the first 16 training samples of a variant, before and after augmentation, with their labels over them.

    They are the first of the first epoch, as drawn with that seed; of a dataset with folds, of the first fold.
    """
    from seg.config.params import read_params
    from seg.plan import Plan
    from seg.report.augmented import augmentation_text, write_augmented
    from seg.system.console import nearest

    content = read_params(params)
    study, name = _study_and_variant(content, variant)
    if preset is not None and preset not in content.presets:
        raise ValueError(f"--preset {preset}: unknown; {nearest(preset, content.presets)}")
    plan, used = Plan(content), preset or content.preset
    fold = plan.folds(content.dataset(used, study))[0]
    pack = f"{plan.pack_stem(used, study, name, 'train', fold)}.json"
    recipe = content.recipe(used, study, name, content.run_seeds(used)[0] if seed is None else seed)
    chosen = ["--config", f"preset={used}"] if used != content.preset else []
    write_augmented(out, Path(pack), recipe, ["snakemake", "--cores", "2", *chosen, "--", pack], overwrite)
    typer.echo(f"{out}: augmentation {augmentation_text(recipe.augmentation)}")


@app.command()
def diff(
    commit: Annotated[str, typer.Argument(help="commit with a dvc.lock, for example HEAD~1 or a branch")],
    preset: Annotated[str | None, typer.Option(help="preset to compare; default: the one in params.yaml")] = None,
    metric: Annotated[str, typer.Option(help="column of comparison.csv")] = "miou",
) -> None:
    """Compare the results with those of another commit, with intervals."""
    from seg.config.params import read_params
    from seg.report.diff import compare_scores, read_scores, scores_at

    path = Path("results", preset or read_params(Path("params.yaml")).preset, "comparison.csv")
    now = read_scores(path, metric)
    typer.echo(compare_scores(scores_at(path, commit, metric), now, metric))


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="model.safetensors, or its directory", readable=False)],
    images: Annotated[list[Path], typer.Argument(help="images, directories, patterns such as 'photos/**/*.jpg'")],
    out: Annotated[Path, typer.Option(help="directory for the predictions")] = Path("predictions"),
    device: Annotated[str, typer.Option(help="cuda, mps or cpu; auto: the fastest available")] = "auto",
    native: Annotated[bool, typer.Option("--native", help="segment images at their own size")] = False,
    tile: Annotated[bool, typer.Option("--tile", help="segment them in overlapping tiles")] = False,
    tile_size: Annotated[str, typer.Option(help="pixels, such as 512 or 512x768 (height x width)")] = "",
    overlap: Annotated[int | None, typer.Option(help="of tiles, in pixels; default: a quarter")] = None,
    tta: Annotated[bool, typer.Option("--tta", help="average the logits of the image and its mirror image")] = False,
    inference: Annotated[str, typer.Option(help='as `evaluation` in params.yaml, JSON, such as {"flip": true}')] = "{}",
    batch: Annotated[int | None, typer.Option(min=1, help="images of one size at a time")] = None,
    max_pixels: Annotated[int | None, typer.Option(min=1, help="largest image that is read")] = None,
    encoding: Annotated[str, typer.Option(help="labels as ids of the dataset, train_ids or colours")] = "ids",
    overlay: Annotated[bool, typer.Option("--overlay", help="also write images with colours, and a legend")] = False,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="also write them, uint8 .npy")] = False,
    shares: Annotated[bool, typer.Option("--shares", help="also write class shares as JSON and CSV")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace existing predictions")] = False,
) -> None:
    """Segment images, by default at the size that the network was evaluated at. Writes one label PNG per image.

    Images that cannot be segmented are named, the others are done, and the exit code is 1.
    """
    from seg.config.inference import inference_from_json
    from seg.evaluation.predict import segment
    from seg.evaluation.predict_outputs import prediction_outputs
    from seg.evaluation.predict_regions import Sizes, parse_tile
    from seg.system.console import printable
    from seg.system.progress import print_above

    passes = inference_from_json(inference)
    passes = passes.model_copy(update={"flip": True}) if tta else passes
    sizes = Sizes(native, parse_tile(tile_size) if tile or tile_size else None, overlap, batch, max_pixels)
    outputs = prediction_outputs(encoding, overlay, probabilities, shares)
    for path in segment(_checkpoint(model), images, out, device, passes, overwrite, sizes, outputs):
        print_above(printable(str(path)))


@app.command()
def export(
    model: Annotated[Path, typer.Argument(help="model.safetensors, or its directory", readable=False)],
    kind: Annotated[str, typer.Option("--format", help="onnx or pt2 (torch.export)")] = "",
    out: Annotated[Path | None, typer.Option(help="file to write; default: model.onnx or model.pt2")] = None,
    fixed: Annotated[bool, typer.Option("--fixed", help="accept images of the evaluation size only")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace an existing file")] = False,
) -> None:
    """Write a network for other programs, with its classes, sizes and scaling as metadata, and compare the two."""
    from seg.evaluation.export import export_model
    from seg.evaluation.export_formats import format_of

    kind = format_of(kind, out)
    file = out or Path(f"model.{kind}")
    about, difference = export_model(_checkpoint(model), file, kind, fixed, overwrite)
    height, width = about["input_size"]
    others = {0: " only", 1: ", or any other size"}
    other = others.get(about["size_step"], f", each side plus or minus a multiple of {about['size_step']}")
    typer.echo(f"{file}: for images of {height} x {width} pixels{other}; logits differ by at most {difference:.1g}")


def _checkpoint(path: Path) -> Path:
    """The checkpoint in the directory of a training, or the path itself.

    Raises:
        ValueError: the directory contains none, or those of two trainings.
    """
    inside = path / "model.safetensors"
    folds = sorted(map(str, path.glob(f"fold*/{inside.name}")))
    if folds and inside.exists():
        raise ValueError(
            f"{path}: has models of a training without folds and of folds: give {' or '.join([str(inside), *folds])}"
        )
    if folds or inside.exists():
        return inside
    if path.is_dir() and path.name != inside.name:
        below = sorted(path.glob(f"*/{inside.name}"))
        example = f"such as {below[0].parent}" if below else "results/<preset>/<study>/<variant>/seed<k>"
        raise ValueError(f"{path}: contains no {inside.name}; give the directory of a training, {example}")
    return path


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="directory of images and labels", readable=False)],
) -> None:
    """Print rows for params.yaml that describe a directory: the dataset and a study of two variants."""
    import re
    import shlex

    from seg.config.description import downloadable
    from seg.recognition.recognise import recognise, rows_for_params

    if not folder.is_dir():
        raise ValueError(f"{folder}: no such directory; give the dataset's directory")
    name = re.sub(r"[^a-z0-9]+", "_", folder.resolve().name.lower()).strip("_")
    name = name if name[:1].isalpha() else f"dataset_{name}"
    reason = ""
    if name in downloadable():
        reason = f"the dataset '{name}' would be downloaded in place of yours, so "
        name = f"own_{name}"
    rows = rows_for_params(name, recognise(folder))
    if folder.resolve() != Path("data/raw", name).resolve():
        verb = "rename" if reason else "move"
        target = f"data/raw/{name}"
        link = f"ln -s {shlex.quote(str(folder.resolve()))} {target}"
        typer.echo(f"# {reason}{verb} the directory to {target}, or link it: {link}")
    typer.echo(rows)


@app.command()
def doctor(
    folder: Annotated[Path | None, typer.Argument(help="directory of the dataset", readable=False)] = None,
    layout: Annotated[str, typer.Option(help="layout or description of its files (JSON)")] = "folder",
    dataset: Annotated[str, typer.Option(help="name in params.yaml, in place of directory and layout")] = "",
    params: Annotated[Path, typer.Option(help="path of params.yaml")] = Path("params.yaml"),
    picture: Annotated[Path | None, typer.Option(help="PNG to write: sixteen images with their labels")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace an existing picture")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Check a dataset on disk: decode every image and label. Exit code 1 if something would stop or spoil a run."""
    import json

    from seg.config.description import read_description
    from seg.config.params import read_params
    from seg.doctor.examine import examine
    from seg.doctor.overlay_sheet import write_sheet
    from seg.doctor.screen import screen_lines
    from seg.system.files import refuse_picture

    if (folder is None) == (not dataset):
        raise ValueError("give either the directory of a dataset or --dataset with its name in params.yaml")
    description = (
        read_description(layout, "--layout") if folder else _dataset_row(read_params(params), dataset).description()
    )
    root = folder or Path("data/raw", read_params(params).files(dataset))
    if picture:
        refuse_picture("--picture", picture, overwrite)
        if picture.resolve().is_relative_to(root.resolve()):
            raise ValueError(f"--picture {picture}: is in the directory of the dataset; give another directory")
    diagnosis = examine(root, description)
    if picture:
        write_sheet(picture, diagnosis)
    if as_json:
        typer.echo(json.dumps(diagnosis.content(), indent=2))
    else:
        for line in screen_lines(diagnosis):
            typer.echo(line)
    if diagnosis.failed:
        raise typer.Exit(1)


def main() -> None:
    """Run the command line. Invalid input ends with one line per error and exit code 2."""
    run_stage(app)


if __name__ == "__main__":
    main()
