"""Findings about labels that do not match their images, from the agreement of each pair."""

from collections.abc import Iterator
from statistics import median

from seg.datasets.classes import ClassTable
from seg.datasets.matching import ImagePair
from seg.doctor.findings import Finding, findings
from seg.doctor.inspection import Sample, inspect_pair

_COMPARED = 40  # images that are compared with labels of others
_DOUBTFUL, _GAIN = 0.25, 0.08  # median agreement below which others are tried, and by which they must fit better
_ALIGNED, _UNALIGNED, _ENOUGH = 0.2, 0.2, 20  # median agreement that says something, share of it, and images


def check_agreement(samples: list[Sample], table: ClassTable) -> list[Finding]:
    """Labels of another image or position; if all are those of a neighbour, nothing is said about single ones."""
    return list(_exchanged(samples, table)) or list(_mismatches(samples))


def _mismatches(samples: list[Sample]) -> Iterator[Finding]:
    """Labels that fit their image better in another position, or do not follow it at all."""
    known = [(sample, sample.agreement) for sample in samples if sample.agreement]
    better = [(sample, each.better) for sample, each in known if each.better]
    lines = [f"{_label(sample.pair)}: fits its image better {position}" for sample, position in better]
    usual = median(each.score for _, each in known) if len(known) >= _ENOUGH else 0.0
    if usual > _ALIGNED:
        low = [(sample, each) for sample, each in known if not each.better and each.score < _UNALIGNED * usual]
        score = f"{{:.2f}}, median {usual:.2f}".format
        lines += [
            f"{_label(sample.pair)}: its borders are not at edges of its image (agreement {score(each.score)})"
            for sample, each in low
        ]
    sure = len(known) >= _ENOUGH and 2 * len(better) > len(known)
    title = f"labels that do not match their images, of {len(known)} that could be compared"
    fix = "look at them with --picture; exchange the label or turn it"
    yield from findings("label_mismatch", "error" if sure else "warning", title, lines, fix)


def _label(pair: ImagePair) -> str:
    """The label's file, and the name of the image if it has labels of several."""
    return f"{pair.label} '{pair.name}'" if pair.encoding == "coco" else str(pair.label)


def _exchanged(samples: list[Sample], table: ClassTable) -> Iterator[Finding]:
    """Labels that are all those of the next or the previous image, as after renaming: no label stands out then.

    Neighbours in a video are alike, so the scores of wrong labels may be 0.2 (CamVid) in place of 0.3.
    """
    order = sorted(samples, key=lambda sample: sample.pair.name)
    own = [sample.agreement.score for sample in order if sample.agreement]
    if len(own) < _ENOUGH or median(own) > _DOUBTFUL:
        return
    places = range(1, len(order) - 1, max(1, (len(order) - 2) // _COMPARED))
    for step, which in ((1, "next"), (-1, "previous")):
        pairs = [
            order[k].pair._replace(label=order[k + step].pair.label, name=order[k + step].pair.name) for k in places
        ]
        read = [inspect_pair(pair, table, table.train_ids()) for pair in pairs]
        scores = [each.agreement.score for each in read if isinstance(each, Sample) and each.agreement]
        if len(scores) >= _ENOUGH // 2 and median(scores) > max(_ALIGNED, median(own) + _GAIN):
            title = f"labels that are those of the {which} image by name, among {len(pairs)} that were compared"
            lines = (f"{_label(pair)}: fits {pair.image} better than its own image" for pair in pairs)
            yield from findings("label_mismatch", "error", title, lines, "correct the names of the labels")
