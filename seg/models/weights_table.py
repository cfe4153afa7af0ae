"""Table of published weights: URLs, SHA-256, licence and citation of each."""

from dataclasses import dataclass

from seg.system.console import nearest_of_all
from seg.system.fetch import Archive


@dataclass(frozen=True)
class PublishedWeights:
    """A row of the table."""

    name: str  # in `params.yaml`
    archive: Archive  # the published file
    licence: str  # of the weights
    citation: str  # publication to cite
    accuracy: str | None  # as the owners state it
    within: str | None = None  # key of the state dict in the file; `None` if the file is the state dict
    prefix: str = ""  # of the backbone's keys, removed; keys without it are ignored
    cut: tuple[str, ...] = ()  # prefixes of other keys to ignore


def _torchvision(depth: int, sha256: str, top1: float) -> PublishedWeights:
    """Row of torchvision's ResNet with weights IMAGENET1K_V1, those of the recipe of 2015 that the studies used.

    The file name ends in the first eight digits of its SHA-256; `top1` is the accuracy that torchvision states.
    """
    file = f"resnet{depth}-{sha256[:8]}.pth"
    return PublishedWeights(
        name=f"resnet{depth}_imagenet",
        archive=Archive(file, sha256, (f"https://download.pytorch.org/models/{file}",)),
        licence="BSD 3-Clause (torchvision); trained on ImageNet, whose images are for research use",
        citation="He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition. CVPR 2016, arXiv:1512.03385",
        accuracy=f"ImageNet-1K top-1 {top1}% (torchvision, IMAGENET1K_V1)",
        cut=("fc.",),
    )


_ERFNET = "Eromera/erfnet_pytorch"
_ERFNET_FILE = "trained_models/erfnet_encoder_pretrained.pth.tar"

_PUBLISHED = (
    _torchvision(34, "b627a593bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f", 73.314),
    _torchvision(50, "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a", 76.130),
    _torchvision(101, "63fe2227b86e8f1f2063f43a75c84d195911b6a0eace650907dd3dc62dd49a0a", 77.374),
    _torchvision(152, "394f9c45966e3651a89bbb78a48410a6755854ce4a5ab64927cf1c7247f85e58", 78.312),
    PublishedWeights(
        name="erfnet_imagenet",
        archive=Archive(
            "erfnet_encoder_pretrained.pth.tar",
            # The owners state no digest. This is the digest of the copy (16,109,671 bytes) in Git LFS of the repository
            # marinomic/MaskArchitectureAnomaly_CourseProject.
            "86dfa1a005dd8580eeb643ff1142b7fbb4fb9ca2e927ee5998237dc9b5748a49",
            (
                f"https://raw.githubusercontent.com/{_ERFNET}/d4a46faf9e465286c89ebd9c44bc929b2d213fb3/{_ERFNET_FILE}",
                f"https://github.com/{_ERFNET}/raw/master/{_ERFNET_FILE}",
            ),
        ),
        licence="CC BY-NC 4.0: personal and research use only",
        citation="Romera, Alvarez, Bergasa, Arroyo: ERFNet: Efficient Residual Factorized ConvNet for Real-Time "
        "Semantic Segmentation. IEEE T-ITS 19(1), 2018, doi:10.1109/TITS.2017.2750080",
        accuracy=None,
        within="state_dict",
        prefix="module.features.encoder.",  # saved by DataParallel, encoder and classifier in one network
    ),
)
WEIGHTS: dict[str, PublishedWeights] = {row.name: row for row in _PUBLISHED}


def published_weights(name: str) -> PublishedWeights:
    """Row of the table. Raises ValueError for an unknown name."""
    if name in WEIGHTS:
        return WEIGHTS[name]
    raise ValueError(f"weights '{name}' are unknown; {nearest_of_all(name, WEIGHTS)}")
