"""Architectures and their options, as `params.yaml` gives them: `model: { name: fcn, options: { depth: 6 } }`.

A class of options has the keyword arguments of `build` in `seg/models/<name>.py`, with their types and defaults. They
are declared here because Snakemake validates `params.yaml` at every start, and importing a model imports torch.
"""

from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

from pydantic import Field, TypeAdapter, ValidationError

from seg.config.base import Part
from seg.config.messages import error_lines

ResNetName = Literal["resnet34", "resnet50", "resnet101", "resnet152"]
NormOrder = Literal["bn_relu", "relu_bn"]  # order of batch norm and activation


class NoOptions(Part):
    """No options."""


class DarrenNetOptions(Part):
    """Options of `darrennet`.

    Attributes:
        stem: start of the encoder.
    """

    stem: Literal["erfnet", "resnet34"] = "erfnet"


class DeepLabOptions(Part):
    """Options of `deeplab`.

    Attributes:
        backbone: the encoder.
        output_stride: size of the image divided by that of the encoder's features.
    """

    backbone: Literal["resnet50", "resnet101", "resnet152"] = "resnet101"
    output_stride: Literal[16, 8] = 16


class FCNOptions(Part):
    """Options of `fcn`.

    Attributes:
        depth: number of strided convolutions.
        activation: activation function.
        order: order of batch normalization and activation.
        dropout: use dropout.
    """

    depth: Literal[5, 6] = 5
    activation: Literal["relu", "prelu"] = "relu"
    order: NormOrder = "bn_relu"
    dropout: bool = False


class ResNetFCNOptions(Part):
    """Options of `resnet_fcn`.

    Attributes:
        backbone: the encoder.
        order: order of batch normalization and activation in the decoder.
    """

    backbone: ResNetName = "resnet34"
    order: NormOrder = "bn_relu"


class ResNetUNetOptions(Part):
    """Options of `resnet_unet`.

    Attributes:
        backbone: the encoder.
    """

    backbone: ResNetName = "resnet34"


class SegNetOptions(Part):
    """Options of `segnet`.

    Attributes:
        depth: basic: SegNet-Basic; vgg16: SegNet with the 13 convolutions of VGG-16.
    """

    depth: Literal["basic", "vgg16"] = "basic"


class SMPOptions(Part):
    """Options of `smp`: names of segmentation_models_pytorch, which `pip install -e '.[zoo]'` installs.

    Attributes:
        architecture: any architecture, such as `unetplusplus`.
        encoder: any encoder, such as `resnet34`.
    """

    architecture: str = "unet"
    encoder: str = "resnet34"


class TorchvisionOptions(Part):
    """Options of `torchvision_zoo`.

    Attributes:
        architecture: any segmentation model of torchvision.
    """

    architecture: str = "fcn_resnet50"


class UNetOptions(Part):
    """Options of `unet`.

    Attributes:
        widths: study whose source has the table of channels.
    """

    widths: Literal["cityscapes_fcn", "voc2012_fcn", "voc2007_erfnet"] = "cityscapes_fcn"


Name = TypeVar("Name")
Options = TypeVar("Options", bound=Part)


class Architecture(Part, Generic[Name, Options]):
    """Name of a module of `seg.models` and options of its `build`.

    Attributes:
        name: name of the architecture.
        options: its options.
    """

    name: Name
    options: Options = Field(default={}, validate_default=True)


def _any_of(schema: dict[str, Any]) -> None:
    """Accept options without a name, which may be inherited; `oneOf` refuses options of several models."""
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
    content = {"name": name, "options": options}
    try:
        return _MODEL.validate_python(content)
    except ValidationError as error:
        raise ValueError("\n".join(f"model.{line}" for line in error_lines(error, content))) from None
