"""Pictures of the page: images with truth and predictions of all variants, chosen by their scores, within a budget.

Images and truths are read from the evaluation pack and the labels at their own size beside it, predictions from
`predictions.zip` of each variant's first seed.
"""

import io
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from seg.data.pack_format import NativeLabels, Pack
from seg.data.resizing import Box, Placement, place, resize_image
from seg.datasets.decoding import viewable
from seg.evaluation.small_pictures import (
    distinct_colours,
    label_picture,
    label_png,
    picture_box,
    picture_size,
    read_predictions,
)
from seg.metrics.scores import mean_iou
from seg.report.intervals import read_confusion
from seg.report.runs import EVALUATE_AGAIN, Run, by_seed, read_all

MOST = 10  # images of each set: samples, images on which variants differ most, worst of a variant
_QUALITY = 80  # of WebP
Runs = Mapping[str, Sequence[Run]]


class _Request(NamedTuple):
    """An image of a set, with the predictions of these variants."""

    set_name: str  # key of `sets`, or `predictions` for more predictions of an image that is in a set
    set_variant: str | None  # if each variant has a set of this name
    image: int
    variants: Sequence[str]


def pictures_of(studies: Mapping[str, Runs], packs: Mapping[str, Path], budget: int) -> dict[str, dict[str, Any]]:
    """Pictures of each study as values of JSON.

    `images` has image, truth (data URIs) and size (width, height) by name, `predictions` data URIs by variant and name,
    `scores` the mIoU of an image by variant and name, `None` without a labelled pixel. `sets` has the names of
    `samples` spread evenly over the split, of the images on which the scores of variants `differ` most, and, by
    variant, of the `worst`. All pictures of a name have the same size. `palette` has the colours of `classes` in the
    PNGs, which are all different; pixels that are not scored or that the network did not get are transparent. `seed`
    is that of predictions and scores. `omitted` counts what did not fit.

    Images are embedded in turns: the first of each set of each study, then the second. Predictions of other variants on
    the worst images of a variant come last.

    Args:
        studies: runs by variant, by study.
        packs: `.json` of the evaluation pack, by study, or by `<study>/fold<k>`. A study without any has no pictures.
        budget: bytes of all data URIs.

    Raises:
        ValueError: a file is missing or damaged; one line per file.
    """
    shown = {study: runs for study, runs in studies.items() if any(_of_study(study, name) for name in packs)}
    found = read_all(lambda item: _Study(item[0], item[1], packs), shown.items())
    pending = {study: study.requests() for study in found}
    while pending:
        for study, requests in list(pending.items()):
            request = next(requests, None)
            if request is None:
                del pending[study]
            elif (used := study.embed(request, budget)) is None:
                study.omit(chain([request], pending.pop(study)))
            else:
                budget -= used
    return {study.name: study.content() for study in found}


def _of_study(study: str, pack: str) -> bool:
    return pack == study or pack.startswith(f"{study}/fold")


class _Study:
    """Images of a study, numbered over all folds, and what has been embedded."""

    def __init__(self, name: str, runs: Runs, packs: Mapping[str, Path]) -> None:
        self.name = name
        self._runs = {variant: by_seed(each)[0] for variant, each in runs.items()}
        first = next(iter(self._runs.values()))
        paths = [packs[name if run.fold is None else f"{name}/fold{run.fold}"] for run in first]
        self._packs = read_all(lambda path: (Pack(path), NativeLabels(path)), paths)
        for path, (pack, _), run in zip(paths, self._packs, first, strict=True):
            if tuple(pack.names) != run.metrics.names:
                raise ValueError(
                    f"{run.directory}: was evaluated on other images than those of {path}; {EVALUATE_AGAIN}"
                )
        self._names = [image for run in first for image in run.metrics.names]
        self._places = [(fold, i) for fold, run in enumerate(first) for i in range(run.metrics.images)]
        self._palette = distinct_colours(self._packs[0][0].about["palette"])
        self._scores = {variant: self._score(each) for variant, each in self._runs.items()}
        self._images: dict[int, dict[str, Any]] = {}
        self._predictions: dict[str, dict[int, str]] = {variant: {} for variant in runs}
        self._chosen: dict[tuple[str, str | None], list[int]] = {}
        self._omitted = dict.fromkeys(("samples", "differ", "worst", "predictions"), 0)

    def _score(self, runs: Sequence[Run]) -> np.ndarray:
        """mIoU of each image (N,); NaN without a labelled pixel."""
        matrices = read_all(read_confusion, runs)
        names = [name for run in runs for name in run.metrics.names]
        if names != self._names:
            raise ValueError(f"{runs[0].directory}: was evaluated on other images; {EVALUATE_AGAIN}")
        return np.concatenate([np.where(each.any((1, 2)), mean_iou(each), np.nan) for each in matrices])

    def requests(self) -> Iterator[_Request]:
        """What to embed, the most important first."""
        every = list(self._runs)
        spread = np.unique(np.linspace(0, len(self._names) - 1, min(MOST, len(self._names))).round().astype(int))
        scores = np.stack(list(self._scores.values()))
        labelled = np.flatnonzero(~np.isnan(scores).any(0))
        deviation = scores[:, labelled].std(0)
        differ = labelled[np.argsort(-deviation, kind="stable")][:MOST] if len(every) > 1 else labelled[:0]
        worst = [labelled[np.argsort(each[labelled], kind="stable")][:MOST] for each in scores]
        for rank in range(MOST):
            if rank < len(spread):
                yield _Request("samples", None, int(spread[rank]), every)
            if rank < len(differ):
                yield _Request("differ", None, int(differ[rank]), every)
            if rank < len(labelled):
                yield from (
                    _Request("worst", variant, int(of[rank]), [variant])
                    for variant, of in zip(every, worst, strict=True)
                )
        yield from (_Request("predictions", None, image, every) for image in list(self._images))

    def embed(self, request: _Request, budget: int) -> int | None:
        """Embed what a request lacks. Returns its bytes; `None`, if they exceed the budget and nothing is embedded."""
        new = {} if request.image in self._images else {request.image: self._picture(request.image)}
        missing = [variant for variant in request.variants if request.image not in self._predictions[variant]]
        fold, position = self._places[request.image]
        files = [self._runs[variant][fold].directory / "predictions.zip" for variant in missing]
        contents = read_all(lambda path: read_predictions(path, [position], EVALUATE_AGAIN)[0], files)
        drawn = [data_uri("png", content) for content in contents]
        used = sum(map(len, drawn)) + sum(len(each["image"]) + len(each["truth"]) for each in new.values())
        if used > budget:
            return None
        self._images |= new
        for variant, uri in zip(missing, drawn, strict=True):
            self._predictions[variant][request.image] = uri
        if request.set_name != "predictions":
            self._chosen.setdefault((request.set_name, request.set_variant), []).append(request.image)
        return used

    def omit(self, requests: Iterator[_Request]) -> None:
        """Count what is not embedded: images of sets, and predictions of embedded images."""
        for request in requests:
            lacking = sum(request.image not in self._predictions[variant] for variant in request.variants)
            self._omitted[request.set_name] += lacking if request.set_name == "predictions" else 1

    def _picture(self, image: int) -> dict[str, Any]:
        """Image and truth of an image."""
        fold, position = self._places[image]
        pack, native = self._packs[fold]
        size = native.size(position)
        images, labels = pack.read(np.array([position]))
        own = native.read(position)
        truth = label_picture(labels[0] if own is None else own, Box(0, 0, *size), size)
        placement = place(pack.about["form"]["resize"], size, (pack.height, pack.width))
        shown = Placement(placement.target, picture_box(placement.source, size))
        stream = io.BytesIO()
        pixels = resize_image(viewable(images[0]), shown, picture_size(size))
        Image.fromarray(pixels).save(stream, "WEBP", quality=_QUALITY, method=6)
        truth_uri = data_uri("png", label_png(truth, self._palette))
        return {"image": data_uri("webp", stream.getvalue()), "truth": truth_uri, "size": list(truth.shape[::-1])}

    def content(self) -> dict[str, Any]:
        """What has been embedded."""
        names = self._names
        worst = {variant: self._chosen.get(("worst", variant), []) for variant in self._runs}
        scores = {
            variant: {names[i]: None if np.isnan(each[i]) else round(float(each[i]), 4) for i in self._images}
            for variant, each in self._scores.items()
        }
        return {
            "classes": self._packs[0][0].classes,
            "palette": ["#{:02x}{:02x}{:02x}".format(*colour) for colour in self._palette],
            "seed": next(iter(self._runs.values()))[0].seed,
            "images": {names[i]: each for i, each in self._images.items()},
            "predictions": {
                variant: {names[i]: uri for i, uri in each.items()} for variant, each in self._predictions.items()
            },
            "scores": scores,
            "sets": {
                **{kind: [names[i] for i in self._chosen.get((kind, None), [])] for kind in ("samples", "differ")},
                "worst": {variant: [names[i] for i in of] for variant, of in worst.items()},
            },
            "omitted": self._omitted,
        }


def data_uri(kind: str, content: bytes) -> str:
    """An image file as a URI; `kind` is `webp`, `png` or `svg+xml`."""
    return f"data:image/{kind};base64,{b64encode(content).decode()}"
