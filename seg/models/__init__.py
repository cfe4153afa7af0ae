"""The networks: one file an architecture family, named as the file, each with a `build` function.

`build(classes: int, *, <options>) -> nn.Module` maps images (N, 3, H, W) float to logits (N, classes, H, W). A model's
file is imported only where a recipe names it, so that a change in one makes nothing of another stale; what options it
takes is read from the signature of its `build` without importing it, and so without torch.
"""

import ast
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from seg.system.console import nearest

if TYPE_CHECKING:
    from torch import nn

Option = bool | int | float | str
ARCHITECTURES = (
    "darrennet",
    "deeplab",
    "erfnet",
    "fcn",
    "resnet_fcn",
    "resnet_unet",
    "segnet",
    "smp",
    "torchvision_zoo",
    "u_lite",
    "unet",
)


def build_model(name: str, classes: int, options: Mapping[str, Option]) -> "nn.Module":
    """The network `name` for `classes` classes, its weights drawn from torch's generator.

    Raises:
        ValueError: unknown name, unknown option or a value that it does not take.
    """
    check_model(name, options)
    module: nn.Module = import_module(f"seg.models.{name}").build(classes, **options)
    return module


def check_model(name: str, options: Mapping[str, Option]) -> None:
    """Raise ValueError where there is no such model or it does not take these options."""
    if name not in ARCHITECTURES:
        raise ValueError(f"model '{name}' is unknown; {nearest(name, ARCHITECTURES)}")
    known = _options(name)
    for option, value in options.items():
        if option not in known:
            raise ValueError(f"option '{option}' is unknown to model '{name}'; {nearest(option, list(known))}")
        if not _accepts(known[option], value):
            expected = ast.unparse(known[option]).removeprefix("Literal")
            raise ValueError(f"option '{option}' of model '{name}': got {value!r}, expected {expected}")


@cache
def _options(name: str) -> dict[str, ast.expr]:
    """Keyword options of a model's `build` and their annotations."""
    tree = ast.parse((Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8"))
    build = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build")
    return {arg.arg: arg.annotation for arg in build.args.kwonlyargs if arg.annotation}


def _accepts(annotation: ast.expr, value: Option) -> bool:
    if isinstance(annotation, ast.Subscript):  # Literal[...]
        choices = ast.literal_eval(annotation.slice)
        return value in (choices if isinstance(choices, tuple) else (choices,))
    kinds = {"bool": (bool,), "int": (int,), "float": (int, float), "str": (str,)}[ast.unparse(annotation)]
    return type(value) in kinds
