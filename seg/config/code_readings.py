"""Readings of the sources in the code (architectures, losses, schedules), by study and by the values that select it.

The same network serves several studies, whose sources say different things about it. Readings of the top-level
`defaults` of `params.yaml` are here as well, because they concern the published studies only.
"""

from typing import Any, NamedTuple

from seg.config.base import Reading


class CodeReading(NamedTuple):
    """A reading that concerns the variants of `studies` whose recipe has the values `when`, by dotted key."""

    studies: tuple[str, ...]
    when: dict[str, Any]
    reading: Reading


def _of(studies: str, when: dict[str, Any], source: str, says: str, done: str, why: str) -> CodeReading:
    """A reading of several studies, separated by spaces."""
    return CodeReading(tuple(studies.split()), when, Reading(source=source, says=says, done=done, why=why))


_ALL = "cityscapes_fcn voc2012_fcn bdd100k_lite cityscapes_deeplab voc2007_erfnet"
_FCN, _RESNET_FCN, _UNET = {"model.name": "fcn"}, {"model.name": "resnet_fcn"}, {"model.name": "unet"}
_RESNET_UNET, _DEEPLAB = {"model.name": "resnet_unet"}, {"model.name": "deeplab"}
_SEGNET, _U_LITE, _DARRENNET = {"model.name": "segnet"}, {"model.name": "u_lite"}, {"model.name": "darrennet"}
_RESNET_STEM = _DARRENNET | {"model.options.stem": "resnet34"}
_DICE, _WEIGHTED = {"loss": "dice"}, {"loss": "weighted_cross_entropy"}

_ZERO_BIAS = "biases start at 0", "the paper on this initialization starts them so"
_NO_BIAS = "none before batch norm", "batch norm cancels it"
_OUTPUT_PADDING = (
    "output padding that restores the size before the counterpart in the encoder, 1 for even sides and 0 for odd ones",
    "the output would otherwise not have the size of the image",
)
_PER_STEP = "half a period down to 0 over the training, in every step", "it is the same curve without jumps"
_LAST_LAYERS = "up to the last convolution, without average pooling and classifier"
_COUNTS = (
    "1 / (pixels of the class in the training pack + 1), scaled to mean 1 over the classes that occur, 0 for others",
    "adding a single pixel prevents a division by 0, and the scale cancels in the weighted mean of the loss",
)

CODE_READINGS = (
    # Defaults
    _of("cityscapes_fcn voc2012_fcn cityscapes_deeplab voc2007_erfnet", {"scaling": "imagenet"}, "Source", "nothing on "
        "the scaling of pixel values", "mean and standard deviation of ImageNet", "torchvision's weights expect them"),
    _of(_ALL, {"precision": "auto"}, "Source", "nothing on numerical precision", "bf16 where the processor supports it "
        "natively, else fp32", "it is faster; each run records what it used"),
    # Scores
    _of(_ALL, {}, "Source", "not whether scores are of the whole split or means over images or batches",
        "of the whole split, without classes that occur neither in the truth nor in the prediction",
        "a mean over parts depends on their number"),
    # Initialization and biases
    _of("cityscapes_fcn", {}, "Section 3.1", "initialization of weights only", *_ZERO_BIAS),
    _of("voc2012_fcn", {}, "Section 3", "initialization of weights only", *_ZERO_BIAS),
    *(
        _of("voc2007_erfnet", {"model.name": name}, "Introduction", "Xavier weights, uniform or normal; biases only "
            "for Kaiming's", "Xavier-uniform weights, biases of 0", "the baselines of the other studies use these")
        for name in ("fcn", "resnet_fcn", "unet", "resnet_unet")
    ),
    _of("bdd100k_lite", {}, "Source", "no initialization", "Xavier-uniform weights, biases of 0",
        "these are the defaults of Keras, which section IV.A mentions"),
    _of("cityscapes_deeplab", {}, "Source", "no initialization of the layers behind the backbone",
        "Xavier-uniform weights, biases of 0", "the other studies use these"),
    _of("cityscapes_fcn", {}, "Tables 1 and 3", "nothing on biases", *_NO_BIAS),
    _of("voc2012_fcn", _UNET, "Table 6", "nothing on biases", *_NO_BIAS),
    _of("voc2007_erfnet", _UNET, "Table 6", "nothing on biases", *_NO_BIAS),
    _of("voc2007_erfnet", _RESNET_UNET, "Table 6", "nothing on biases", *_NO_BIAS),
    _of("bdd100k_lite", {}, "Sections II.B and II.C", "nothing on biases", *_NO_BIAS),
    _of("cityscapes_deeplab", {}, "Section 3", "nothing on biases", *_NO_BIAS),
    # FCN
    _of("cityscapes_fcn", _FCN, "Table 1", "no stride", "stride 2 in each convolution and transposed convolution",
        "the same network has it in two other studies, and with stride 1 nothing would have to be enlarged again"),
    _of("cityscapes_fcn", _FCN, "Table 1", "padding 1 of the transposed convolutions, no output padding",
        *_OUTPUT_PADDING),
    _of("voc2012_fcn", _FCN, "Tables 1 and 2", "padding 1 of the transposed convolutions, no output padding",
        *_OUTPUT_PADDING),
    _of("voc2007_erfnet", _FCN, "Methods, Decoder", "a formula of the output size without output padding, and a "
        "slight decrease of the size in each layer", *_OUTPUT_PADDING),
    _of("voc2007_erfnet", _FCN, "Methods, Decoder", "five transposed convolutions, but four transitions 512-256-128-"
        "64-32", "the first keeps 512 channels", "Table 1 of study voc2012_fcn, with the same network, prints it so"),
    _of("cityscapes_fcn", _FCN | {"model.options.depth": 6}, "Section 3.4", "a sixth convolution of unstated width",
        "512 channels, stride 2", "it continues the encoder with the width of the fifth"),
    _of("cityscapes_fcn", _FCN | {"model.options.depth": 6}, "Section 3.4", "no further transposed convolution",
        "a sixth one of 512 channels", "the output would otherwise have half the size of the image"),
    _of("cityscapes_fcn", _FCN | {"model.options.activation": "prelu"}, "Section 3.4", "PReLU in the convolutional "
        "layers", "in encoder and decoder, with one slope per layer that starts at 0.25",
        "all activations are said to change, and PyTorch's default has one slope"),
    _of("voc2012_fcn", _FCN | {"model.options.dropout": True}, "Table 2", "padding 2 and stride 1 of every convolution",
        "padding 1 and stride 2", "the two headings are swapped: the network extends that of Table 1"),
    # ResNets with the decoder of the FCN
    _of("cityscapes_fcn", _RESNET_FCN, "Table 2", "average pooling to 1 x 1 at the end",
        "the encoder ends before it", "section 3.6 removes the last layer to decode the features, and the pooling "
        "would leave a single pixel of them"),
    _of("cityscapes_fcn", _RESNET_FCN, "Section 3.6", "a decoder slightly adapted to more channels",
        "its first transposed convolution takes 2,048 channels, the rest is unchanged", "this is the least change"),
    _of("cityscapes_fcn", _RESNET_FCN, "Table 1", "padding 1 of the transposed convolutions, neither stride nor "
        "output padding", "stride 2 and the output padding that restores the size of the encoder's features",
        "the output would otherwise not have the size of the image"),
    _of("voc2012_fcn", _RESNET_FCN, "Section 3.3.2", "34 convolutional layers without the last two", _LAST_LAYERS,
        "Table 4 continues with 512 channels, the output of torchvision's ResNet-34 without its last two modules"),
    _of("voc2012_fcn", _RESNET_FCN, "Table 4", "padding 1 of the transposed convolutions, no output padding",
        *_OUTPUT_PADDING),
    _of("voc2007_erfnet", _RESNET_FCN, "Table 5", "an encoder of 512 channels, neither named nor cut",
        f"ResNet-34 {_LAST_LAYERS}", "the results name ResNet-34, and it ends in 512 channels"),
    _of("voc2007_erfnet", _RESNET_FCN, "Table 5", "its first row, 512 to 256, twice", "the first of the five "
        "transposed convolutions keeps 512 channels", "the widths must follow each other, as in study voc2012_fcn"),
    _of("voc2007_erfnet", _RESNET_FCN, "Table 5", "a 3x3 convolution of stride 2 with softmax at the end",
        "a 1x1 classifier, softmax within the loss", "it is that of the FCN, and stride 2 would halve the output"),
    _of("voc2007_erfnet", _RESNET_FCN, "Table 5", "ReLU, no batch norm and no output padding",
        "ReLU, then batch norm, and the output padding that restores the size of the encoder's features",
        "the decoder is that of the study's FCN"),
    # U-Nets
    _of("cityscapes_fcn", _UNET, "Table 3", "rows deconv5_2, 6_1 and 7_0 concatenate the skip with the input of the "
        "transposed convolution", "with its output, as in row deconv4_3", "the input has half the size of the skip"),
    _of("voc2012_fcn", _UNET, "Table 6 and its note", "batch norm after each convolution, ReLU without its place",
        "batch norm before ReLU, unlike the study's FCN", "this is the usual order in a U-Net with batch norm"),
    _of("voc2012_fcn", _UNET, "Table 6", "no pooling between the levels", "2x2 max pooling",
        "section 3.3.3 follows the paper on U-Net"),
    _of("voc2007_erfnet", _UNET, "Table 6", "no batch norm", "batch norm before ReLU after each 3x3 convolution",
        "the introduction describes it for the study's networks, and all others have it"),
    _of("voc2007_erfnet", _UNET, "Table 6", "64 input channels of conv17", "128, with the skip, as on the other levels",
        "64 are those of the transposed convolution alone"),
    _of("voc2007_erfnet", _UNET, "Table 6", "ReLU on the output", "none", "no logit could be negative with it"),
    _of("voc2007_erfnet", _RESNET_UNET, "Results, Figure 10", "a U-Net on pretrained weights, without its encoder",
        "ResNet-34, its features of all five strides as skips", "the results name ResNet-34 for DarrenNet"),
    _of("voc2007_erfnet", _RESNET_UNET, "Table 6", "the decoder of the U-Net without batch norm, for skips at full "
        "size", "its rows deconv2 to conv18 with batch norm, then 32 and 16 channels for the two finest levels, the "
        "last without a skip", "they fit the features of ResNet-34, and 32 and 16 continue the halving"),
    # SegNet and U-Lite
    _of("bdd100k_lite", _SEGNET | {"model.options.depth": "basic"}, "Section II.B", "four encoders and four decoders, "
        "no number and size of filters", "64 filters of 7x7, without local contrast normalization of the input",
        "these are the filters of the paper on SegNet"),
    _of("bdd100k_lite", _SEGNET, "Section II.B", "two outer layers", "one, the classifier",
        "the network of SegNet's authors has one"),
    _of("bdd100k_lite", _SEGNET | {"model.options.depth": "vgg16"}, "Section II.B", "no non-linearity in the decoder",
        "ReLU in it", "the network of SegNet's authors has it"),
    _of("bdd100k_lite", {}, "Section IV.C", "batch norm of the input and the output of each layer", "of the output",
        "the output of a layer is the input of the next"),
    _of("bdd100k_lite", _U_LITE, "Section IV.D", "no widths", "32, 64 and 128 channels, half of the U-Net's",
        "the network is called a simplified U-Net"),
    _of("bdd100k_lite", _U_LITE, "Section IV.D", "the words encoder and decoder swapped for pooling and upsampling",
        "max pooling in the encoder, upsampling in the decoder", "sections II.B and II.C describe it so"),
    _of("bdd100k_lite", _U_LITE, "Section IV.D", "neither the number of convolutions, the kind of upsampling nor skips",
        "two 3x3 convolutions per step, 2x2 transposed convolutions, concatenated skips, no convolutions between "
        "encoder and decoder", "section II.C describes the U-Net so, and the steps are three and three"),
    _of("bdd100k_lite", _U_LITE, "Section II.C", "convolutions without padding", "padded by 1",
        "the output would otherwise be smaller than the image"),
    # DeepLabv3+
    _of("cityscapes_deeplab", _DEEPLAB, "Abstract, sections 3 and 4", "DeepLabv3 in some places, DeepLabv3+ in others",
        "DeepLabv3+", "section 3.3 adds a decoder"),
    _of("cityscapes_deeplab", _DEEPLAB, "Section 3.2, Table 1", "four branches, and an image-level feature that is "
        "convolved and upsampled", "the image pooling is a fifth branch", "the paper on DeepLabv3 has it so"),
    _of("cityscapes_deeplab", _DEEPLAB, "Section 3.4", "one 3x3 convolution in the decoder",
        "two, then a 1x1 classifier", "the paper on DeepLabv3+ has it so"),
    _of("cityscapes_deeplab", _DEEPLAB, "Section 3.4", "no numbers of channels",
        "256, of the low-level features 48", "these are the paper's"),
    _of("cityscapes_deeplab", _DEEPLAB, "Section 6", "dropout without rate and place",
        "0.1 after the pyramid", "this is that of the authors' code"),
    _of("cityscapes_deeplab", _DEEPLAB, "Section 3.4", "the encoder's output upsampled by 4, nothing on the logits",
        "both upsampled bilinearly to the size required", "513 is no multiple of 4"),
    _of("cityscapes_deeplab", _DEEPLAB, "Section 3.4", "an initial 11 convolution before four layers, the fourth "
        "atrous with rate 2", "torchvision's ResNet: 7x7 at the start, no multi-grid, rate 1 in the first convolution "
        "of the fourth layer", "the weights belong to it"),
    _of("cityscapes_deeplab", _DEEPLAB, "Section 3", "no word on separable convolutions", "plain ones",
        "Table 1 lists plain kernels"),
    # DarrenNet
    _of("voc2007_erfnet", _DARRENNET | {"model.options.stem": "erfnet"}, "Table 1", "stride 1 of the initial block",
        "it halves the size, as in ERFNet", "the output would otherwise have twice the size of the image"),
    _of("voc2007_erfnet", _DARRENNET, "Table 1", "padding 0 throughout and stride 1 of the upsamplers",
        "the padding and the strides of Tables 2 to 4", "they contradict Table 1, and only they keep the size"),
    _of("voc2007_erfnet", _DARRENNET, "Tables 1 and 4", "convolutions as upsamplers and as the output",
        "transposed ones", "each has to double the size"),
    _of("voc2007_erfnet", _DARRENNET, "Table 2", "batch norm and dropout after all convolutions, no residual, no "
        "dilations", "order, residual, epsilon of batch norm and dilations (2, 4, 8, 16, twice) of ERFNet",
        "the network is derived from it"),
    _of("voc2007_erfnet", _DARRENNET, "Experimentation", "more convolutions than ERFNet",
        "5 + 8 + 2 + 2 non-bottlenecks", "Table 1 lists these, which are as many as ERFNet has"),
    _of("voc2007_erfnet", _DARRENNET, "Experimentation", "higher dropout than ERFNet, no rates",
        "0.1 and 0.5 in the two stages of the encoder, none in the decoder", "ERFNet has 0.03 and 0.3 there"),
    _of("voc2007_erfnet", _DARRENNET, "Equation 3", "Kaiming's deviation as the root of half the inputs",
        "the root of 2 / inputs", "this is the paper's, the fraction is inverted"),
    _of("voc2007_erfnet", _RESNET_STEM, "Results, Figure 6", "ResNet-34's encoder, not how it is joined",
        "ResNet-34 up to its second stage replaces everything before non-bottleneck 6",
        "it ends there in 128 channels at 1/8, like the part that it replaces"),
    # Weights, losses and schedules
    *(
        _of("cityscapes_deeplab", {"weights": f"resnet{depth}_imagenet"}, "Section 5.4", "85% and 90% pixel accuracy "
            "at the start, no weights named", "torchvision's for ImageNet", "random weights start far below")
        for depth in (101, 152)
    ),
    _of("voc2007_erfnet", {"weights": "resnet34_imagenet"}, "Results", "pretrained weights, neither the data nor "
        "whether they are trained further", "torchvision's for ImageNet, trained further", "both are usual"),
    _of("cityscapes_fcn", _DICE, "Equation 7", "counts for one class, no rule for several",
        "soft counts from probabilities over the batch, mean over the classes that are present",
        "counts of decisions have no gradient, and absent classes no ratio"),
    _of("voc2012_fcn", _WEIGHTED, "Section 3.2.3", "inverse counts plus a very small number", *_COUNTS),
    _of("voc2007_erfnet", _WEIGHTED, "Class Imbalance, DarrenNet Techniques", "higher weights for rare classes, "
        "inverse to their frequency, no formula", *_COUNTS),
    _of("voc2012_fcn", {"schedule.name": "cosine"}, "Section 3.2.1", "cosine annealing over the epochs",
        *_PER_STEP),
    _of("voc2007_erfnet", {"schedule.name": "cosine"}, "Cosine Annealing", "towards zero, aligned with the epochs",
        *_PER_STEP),
)  # fmt: skip
