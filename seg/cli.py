"""What a person types: `seg show`, `seg predict`."""

from pathlib import Path
from typing import Annotated

import typer

from seg.console import run_stage

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)


@app.command()
def show(
    variant: Annotated[str, typer.Argument(help="study/variant, such as cityscapes_fcn/unet")],
    params: Annotated[Path, typer.Option(help="the file of all numbers")] = Path("params.yaml"),
) -> None:
    """Print every value of a variant and where in the file it comes from."""
    from seg.params import read_params

    read = read_params(params)
    study, _, name = variant.partition("/")
    if study not in read.studies or name not in read.studies[study].variants:
        known = [f"{key}/{row}" for key, rows in read.studies.items() for row in rows.variants]
        raise ValueError(f"{variant}: no such variant; known are {', '.join(known)}")
    ours = read.studies[study].variants[name].ours
    for key, (value, path) in sorted(read.settings(study, name).items()):
        typer.echo(f"{key:16} {value!s:60} {path}{' (ours)' if key in ours else ''}")


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="model.safetensors of a training")],
    images: Annotated[list[Path], typer.Argument(help="images to segment")],
    out: Annotated[Path, typer.Option(help="folder for the coloured predictions, PNG")] = Path("predictions"),
    device: Annotated[str, typer.Option(help="cuda, mps, cpu; by default what is there")] = "auto",
) -> None:
    """Segment images at their own size; a palette PNG each, whose values are the train ids."""
    from seg.evaluation.segment import segment

    for path in segment(model, images, out, device):
        typer.echo(path)


def main() -> None:
    """Run the command line. What the user can mend ends in a line an error and exit code 2."""
    run_stage(app)


if __name__ == "__main__":
    main()
