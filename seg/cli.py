"""What a person types: `seg show`, `seg diff`, `seg predict`, `seg doctor`."""

from pathlib import Path
from typing import Annotated

import typer

from seg.system.console import run_stage, say

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)


@app.command()
def show(
    variant: Annotated[str, typer.Argument(help="study/variant, such as cityscapes_fcn/unet")],
    params: Annotated[Path, typer.Option(help="the file of all numbers")] = Path("params.yaml"),
) -> None:
    """Print a variant's recipe under the preset, where each value comes from, and the layers of its network."""
    from seg.config.params import read_params
    from seg.datasets.layouts import class_table
    from seg.models.summary import table

    read = read_params(params)
    study, _, name = variant.partition("/")
    if study not in read.studies or name not in read.studies[study].variants:
        known = [f"{key}/{row}" for key, rows in read.studies.items() for row in rows.variants]
        raise ValueError(f"{variant}: no such variant; known are {', '.join(known)}")
    not_in_source = read.not_in_source(study, name)
    resolved = read.resolved(study, name)
    for key, (value, path) in sorted(resolved.items()):
        typer.echo(f"{key:16} {value!s:60} {path}{' (not in the source)' if key in not_in_source else ''}")
    for use in ("train", "val", "eval"):
        pack = read.pack(read.preset, study, name, use)
        typer.echo(f"{use + ' images':16} {f'{pack.height} x {pack.width}':60} {pack.dataset}, split {pack.split}")
    recipe, pack = read.recipe(read.preset, study, name, read.seeds[0]), read.pack(read.preset, study, name, "eval")
    row = read.datasets[pack.dataset]
    classes = len(class_table(row.layout, Path("data/raw", read.files(pack.dataset))).names)
    typer.echo(f"\n{recipe.model.name} for {classes} classes")
    for line in table(recipe, classes, pack.height, pack.width):
        typer.echo(line)


@app.command()
def diff(
    commit: Annotated[str, typer.Argument(help="with a dvc.lock, such as HEAD~1 or a branch")],
    preset: Annotated[str | None, typer.Option(help="by default the one in params.yaml")] = None,
    metric: Annotated[str, typer.Option(help="a column of comparison.csv")] = "miou",
) -> None:
    """Print the comparison against another commit's, value by value with intervals."""
    from seg.config.params import read_params
    from seg.report.diff import compare_scores, read_scores, scores_at

    path = Path("results", preset or read_params(Path("params.yaml")).preset, "comparison.csv")
    now = read_scores(path, metric)
    typer.echo(compare_scores(scores_at(path, commit, metric), now, metric))


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="model.safetensors of a training")],
    images: Annotated[list[Path], typer.Argument(help="images to segment")],
    out: Annotated[Path, typer.Option(help="folder for the coloured predictions, PNG")] = Path("predictions"),
    device: Annotated[str, typer.Option(help="cuda, mps, cpu; by default what is there")] = "auto",
) -> None:
    """Segment images at their own size; a palette PNG each, whose values are the train ids."""
    from seg.evaluation.predict import segment

    for path in segment(model, images, out, device):
        typer.echo(path)


@app.command()
def doctor(
    folder: Annotated[Path, typer.Argument(help="the data set's folder")],
    layout: Annotated[str, typer.Option(help="how its files are arranged, as `layout` in params.yaml")],
) -> None:
    """Check a data set on disk: every image and label is decoded, and all that is wrong is told at once."""
    from seg.datasets.doctor import examine

    findings = examine(folder, layout)
    for line in findings.summary:
        typer.echo(line)
    for line in findings.warnings:
        say(f"warning: {line}")
    if findings.problems:
        raise ValueError("\n".join(findings.problems))


def main() -> None:
    """Run the command line. What the user can mend ends in a line an error and exit code 2."""
    run_stage(app)


if __name__ == "__main__":
    main()
