"""Findings about the pairs of a dataset, from what was kept when they were read."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import median

import numpy as np

from seg.config.description import Description
from seg.datasets.classes import ClassTable
from seg.datasets.images import colour_text, unlabelled
from seg.doctor.findings import Finding, findings, from_messages
from seg.doctor.inspection import Rejected, Sample, position_counts
from seg.doctor.mismatches import check_agreement
from seg.doctor.near_duplicates import near_duplicates
from seg.doctor.palettes import check_palettes

Samples = Mapping[str, Sequence[Sample]]  # by split
_LISTED = 5  # values in a title
_FEW_PIXELS = 32  # of the shorter side
# Share of the border pixels with a value between those of their neighbours: at most 0.03 in CamVid's labels, at least
# 0.24 after bilinear resizing. With three classes both may be 0.1 to 0.2 in one label, but not in most labels.
_BETWEEN, _USUALLY_BETWEEN = 0.22, 0.08
_MOSTLY = 0.5  # share of the samples
_ASPECT = 1.5  # factor to the median


def check_rejected(rejected: Sequence[Rejected], table: ClassTable) -> list[Finding]:
    """Errors of pairs that cannot be used; values that no class has are counted over all of them."""
    lines = []
    for each in rejected:
        own = f"{each.pair.label}: "
        lines += [line for line in each.message.splitlines() if not (each.unknown and line.startswith(own))]
    shades = [each for each in rejected if each.shades]
    fix = "save masks as PNG without antialiasing and resize them by the nearest pixel"
    if table.colours:
        fix += ", or set nearest: true"
    return [
        *from_messages(lines),
        *_unknown_values([each for each in rejected if each.unknown and not each.shades], table),
        *findings(
            "interpolated_label",
            "error",
            "labels that look interpolated or compressed, with shades between the classes",
            (f"{each.pair.label}: {each.shades:.1%} of the pixels have values of no class" for each in shades),
            fix,
        ),
    ]


def _unknown_values(rejected: list[Rejected], table: ClassTable) -> Iterator[Finding]:
    for colours in (False, True):
        rows = [each for each in rejected if ("colours of no class" in each.message) == colours]
        if not rows:
            continue
        pixels, files = Counter[int](), Counter[int]()
        for each in rows:
            pixels.update(each.unknown)
            files.update(each.unknown.keys())
        total = sum(each.pixels for each in rows)
        text = colour_text if colours else str
        common = [value for value, _ in pixels.most_common(_LISTED)]
        listed = [
            f"{text(value)} in {files[value]} files ({pixels[value] / total:.2%} of their pixels)" for value in common
        ]
        listed += [f"and {len(pixels) - len(common)} others"] if len(pixels) > len(common) else []
        yield Finding(
            "unknown_label_values",
            "error",
            f"labels with {'colours' if colours else 'values'} of no class: {', '.join(listed)}",
            [f"{each.pair.label}: has {', '.join(map(text, sorted(each.unknown)[:_LISTED]))}" for each in rows],
            len(rows),
            _key_to_add(common, table, colours),
        )


def _key_to_add(values: list[int], table: ClassTable, colours: bool) -> str:
    if not colours and values == [255] and len(table.ids) == 2 and set(table.values) == {0, 1}:
        return f"add ids: {{ 0: {table.ids[0]}, 255: {table.ids[1]} }}, or ignore: 255 if these pixels do not count"
    names = [f'"{colour_text(value)}"' if colours else str(value) for value in values]
    key = "colours" if colours else "ids"
    return (
        f"add {key}: {{ {', '.join(f'{name}: <class>' for name in names)} }} to those of the classes, "
        f"or ignore: [{', '.join(names)}]"
    )


def check_samples(description: Description, table: ClassTable, samples: Samples, root: str) -> list[Finding]:
    """Findings about pairs that were read."""
    every = [sample for rows in samples.values() for sample in rows]
    scored = [
        f"{root}: {line}"
        for split, rows in samples.items()
        if rows
        for line in unlabelled(split, table, len(rows), position_counts(rows))
    ]
    return [
        *_shared_images(samples),
        *from_messages(scored),
        *check_agreement(every, table),
        *_interpolated(every),
        *check_palettes(table, {each.pair.label: each.palette for each in every if each.palette}),
        *findings(
            "exif_orientation",
            "warning",
            "images that are turned when they are read (EXIF orientation), while their polygons are not",
            (f"{sample.pair.image}: orientation {sample.orientation}" for sample in every if sample.orientation > 1),
            "look at them with --picture; if they do not fit, store the images upright",
        ),
        *_clipped(description, every),
        *findings(
            "dropped_band",
            "warning",
            "images whose last band is marked as transparency and not used, though it is not constant",
            (str(sample.pair.image) for sample in every if sample.drops_band),
            "set channels: 4 if it is data such as infrared, or channels: 3 if it is not",
        ),
        *_groups(description, samples),
        *_absent_classes(table, samples),
        *_shapes(every, description.resize == "stretch"),
    ]


def _shared_images(samples: Samples) -> Iterator[Finding]:
    """Images that an earlier split contains too, with the same pixels or nearly so."""
    first: dict[str, tuple[str, Sample]] = {}
    same, rows = [], []
    for split, members in samples.items():
        for sample in members:
            other, twin = first.setdefault(sample.pixels, (split, sample))
            if other != split:
                same.append(f"{sample.pair.image}: in split '{split}', same pixels as {twin.pair.image} in '{other}'")
            else:
                rows.append((split, sample))
    fix = "remove one of each pair"
    yield from findings("duplicate_across_splits", "error", "images that are in two splits", same, fix)
    order = list(samples)
    thumbnails = np.array([sample.thumbnail for _, sample in rows], np.uint8)
    lines: dict[bool, list[str]] = {True: [], False: []}
    for pair in near_duplicates(thumbnails, np.array([order.index(split) for split, _ in rows], int)):
        earlier, later = rows[pair.first], rows[pair.second]
        like = f"like {earlier[1].pair.image} in '{earlier[0]}'"
        lines[pair.copy].append(f"{later[1].pair.image}: in split '{later[0]}', {like}")
    title = "images that are in two splits, encoded or resized differently"
    yield from findings("copy_across_splits", "error", title, lines[True], fix)
    title = "images that look like one of another split, such as frames of one video"
    fix = "keep images of one scene in one split, for example with group: <regular expression>"
    yield from findings("similar_across_splits", "warning", title, lines[False], fix)


def _interpolated(samples: list[Sample]) -> list[Finding]:
    """Labels of known values that were compressed or resized, which makes values of other classes at borders."""
    shares = [sample.between for sample in samples if not sample.lossy]
    least = _USUALLY_BETWEEN if shares and median(shares) > _USUALLY_BETWEEN else _BETWEEN
    between = "{:.0%} of the border pixels have a value between their neighbours'".format
    lines = [
        f"{sample.pair.label}: {'is JPEG' if sample.lossy else between(sample.between)}"
        for sample in samples
        if sample.lossy or sample.between > least
    ]
    fix = "save masks as PNG and resize them by the nearest pixel"
    return findings("interpolated_label", "warning", "labels that look interpolated or compressed", lines, fix)


def _clipped(description: Description, samples: list[Sample]) -> Iterator[Finding]:
    """Images whose values are not those of `range`."""
    rows = [(sample.pair.image, each) for sample in samples if (each := sample.clipping)]
    if not rows or not description.range:
        return
    low, high = description.range
    widest = [min(low, *(each.low for _, each in rows)), max(high, *(each.high for _, each in rows))]
    title = f"images with values outside of range: [{low:.10g}, {high:.10g}], which are clipped"
    fix = f"set range: [{widest[0]:.10g}, {widest[1]:.10g}], or keep it if the values outside tell nothing"
    for severity in ("error", "warning"):
        lines = (
            f"{image}: {each.share:.1%} of the samples, found {each.low:.10g} to {each.high:.10g}"
            for image, each in rows
            if (each.share > _MOSTLY) == (severity == "error")
        )
        yield from findings("clipped", severity, title, lines, fix)


def _groups(description: Description, samples: Samples) -> list[Finding]:
    """Groups of the user's own dataset that lists or directories divide."""
    if description.layout != "folder" or not description.group:
        return []
    splits: dict[str, list[str]] = {}
    for split, members in samples.items():
        for group in dict.fromkeys(sample.pair.group for sample in members if sample.pair.group):
            splits.setdefault(group, []).append(split)
    lines = (f"{group}: in {' and '.join(names)}" for group, names in splits.items() if len(names) > 1)
    return findings(
        "group_across_splits", "warning", "groups that are in several splits", lines, "move them to one split"
    )


def _absent_classes(table: ClassTable, samples: Samples) -> Iterator[Finding]:
    pixels = {split: position_counts(members) for split, members in samples.items() if members}
    if "train" not in pixels:
        return
    absent = [i for i in table.scored if not pixels["train"][i]]
    lines = [f"class '{table.ids[i]}' is not in split 'train', so it cannot be learned" for i in absent]
    fix = "add images of them, or remove the classes"
    yield from findings("class_not_in_train", "warning", "classes that the training split lacks", lines, fix)
    lines = [
        f"class '{table.ids[i]}' is in split 'train', but not in '{split}', so it is not scored there"
        for split in pixels.keys() - {"train"}
        for i in table.scored
        if i not in absent and not pixels[split][i]
    ]
    title = "classes that a validation or test split lacks"
    yield from findings("class_not_scored", "warning", title, sorted(lines), "divide the images anew, or add some")


def _shapes(samples: list[Sample], stretched: bool) -> Iterator[Finding]:
    if not samples:
        return
    usual = median(width / height for width, height in (sample.size for sample in samples))

    def named(test: Callable[[int, int], bool]) -> Iterable[str]:
        return (f"{each.pair.image}: {each.size[0]}x{each.size[1]}" for each in samples if test(*each.size))

    title = f"images of another aspect than most ({usual:.2f}), which packs stretch"
    odd = named(lambda width, height: not 1 / _ASPECT <= width / height / usual <= _ASPECT)
    fix = "set resize: pad or crop, or keep them if objects may be distorted"
    if stretched:
        yield from findings("unusual_aspect", "warning", title, odd, fix)
    small = named(lambda width, height: min(width, height) < _FEW_PIXELS)
    title = f"images of fewer than {_FEW_PIXELS} pixels in height or width"
    yield from findings("small_image", "warning", title, small, "replace them by larger ones or remove them")
