"""Architectures and their options, as `params.yaml` gives them: `model: { name: fcn, options: { depth: 6 } }`.

An options class has the keyword arguments of `build` in `seg/models/<name>.py`, with the same types and defaults. It is
declared here because Snakemake validates `params.yaml` at every start, and importing a model imports torch.
"""

from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

from pydantic import Field, TypeAdapter, ValidationError

from seg.config.base import Part
from seg.system.console import nearest

ResNetName = Literal["resnet34", "resnet50", "resnet101", "resnet152"]
NormOrder = Literal["bn_relu", "relu_bn"]  # order of batch norm and activation


class NoOptions(Part):
    """The architecture has no options."""


class DarrenNetOptions(Part):
    """`stem` is what the encoder begins with."""

    stem: Literal["erfnet", "resnet34"] = "erfnet"


class DeepLabOptions(Part):
    """ResNet of DeepLabv3+ and its output stride."""

    backbone: Literal["resnet50", "resnet101", "resnet152"] = "resnet101"
    output_stride: Literal[16, 8] = 16


class FCNOptions(Part):
    """`depth` is the number of strided convolutions."""

    depth: Literal[5, 6] = 5
    activation: Literal["relu", "prelu"] = "relu"
    order: NormOrder = "bn_relu"
    dropout: bool = False


class ResNetFCNOptions(Part):
    """ResNet of the encoder; order of batch norm and activation in the decoder."""

    backbone: ResNetName = "resnet34"
    order: NormOrder = "bn_relu"


class ResNetUNetOptions(Part):
    """ResNet of the encoder."""

    backbone: ResNetName = "resnet34"


class SegNetOptions(Part):
    """SegNet-Basic, or SegNet on the 13 convolutions of VGG-16."""

    depth: Literal["basic", "vgg16"] = "basic"


class SMPOptions(Part):
    """Names of segmentation_models_pytorch."""

    architecture: str = "unet"
    encoder: str = "resnet34"


class TorchvisionOptions(Part):
    """Name of a segmentation model of torchvision."""

    architecture: str = "fcn_resnet50"


class UNetOptions(Part):
    """Study whose table gives the widths."""

    widths: Literal["cityscapes_fcn", "voc2012_fcn", "voc2007_erfnet"] = "cityscapes_fcn"


Name = TypeVar("Name")
Options = TypeVar("Options", bound=Part)


class Architecture(Part, Generic[Name, Options]):
    """A module of `seg.models` and the options of its `build`."""

    name: Name
    options: Options = Field(default={}, validate_default=True)


def _any_of(schema: dict[str, Any]) -> None:
    """Accept options without the name, which may be inherited; `oneOf` refuses what fits several architectures."""
    schema.pop("discriminator")
    schema["anyOf"] = schema.pop("oneOf")


Model = Annotated[
    Architecture[Literal["darrennet"], DarrenNetOptions]
    | Architecture[Literal["deeplab"], DeepLabOptions]
    | Architecture[Literal["erfnet"], NoOptions]
    | Architecture[Literal["fcn"], FCNOptions]
    | Architecture[Literal["resnet_fcn"], ResNetFCNOptions]
    | Architecture[Literal["resnet_unet"], ResNetUNetOptions]
    | Architecture[Literal["segnet"], SegNetOptions]
    | Architecture[Literal["smp"], SMPOptions]
    | Architecture[Literal["torchvision_zoo"], TorchvisionOptions]
    | Architecture[Literal["u_lite"], NoOptions]
    | Architecture[Literal["unet"], UNetOptions],
    Field(discriminator="name", json_schema_extra=_any_of),
]
_MODEL: TypeAdapter[Model] = TypeAdapter(Model)

OPTIONS: dict[str, type[Part]] = {
    get_args(model.model_fields["name"].annotation)[0]: model.model_fields["options"].annotation
    for model in get_args(get_args(Model)[0])
}


def make_model(name: str, **options: Any) -> Model:
    """An architecture with validated options.

    Raises:
        ValueError: unknown name, unknown option or invalid value; one line per error.
    """
    try:
        return _MODEL.validate_python({"name": name, "options": options})
    except ValidationError as error:
        lines = (describe_model_error(problem, problem["loc"]) for problem in error.errors())
        raise ValueError("\n".join(lines)) from None


def describe_model_error(problem: Any, location: tuple[int | str, ...]) -> str:
    """One pydantic error below `model`, as one line without its path.

    Args:
        problem: an item of `ValidationError.errors()`.
        location: its keys below `model`, beginning with the architecture's name.
    """
    match problem["type"], location:
        case "union_tag_invalid", _:
            name = problem["input"]["name"]
            return f"model '{name}' is unknown; {nearest(str(name), OPTIONS)}"
        case "union_tag_not_found", _:
            return "name is missing; add it"
        case "extra_forbidden", (str() as model, "options", str() as option):
            return f"option '{option}' is unknown to model '{model}'; {nearest(option, OPTIONS[model].model_fields)}"
        case "extra_forbidden", (_, key):
            return f"'{key}' is unknown; known are name, options"
        case _, (model, "options", option):
            prefix = f"option '{option}' of model '{model}': "
        case _:
            prefix = "".join(f"{key}: " for key in location[1:])
    return f"{prefix}got {problem['input']!r}; {problem['msg'][0].lower()}{problem['msg'][1:]}"
