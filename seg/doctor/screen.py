"""Text of a validation: splits, balance of classes, and findings with three examples each."""

from collections.abc import Iterator

import numpy as np

from seg.doctor.examine import Diagnosis
from seg.doctor.findings import Finding
from seg.doctor.inspection import Sample, position_counts

_MOST_CLASSES = 20  # that are all listed
_EACH_END = 8  # commonest and rarest classes that are listed if there are more
_WIDTH = 24  # of the column of classes


def screen_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Lines to print."""
    yield from (_split(split, rows) for split, rows in diagnosis.samples.items())
    yield from _balance(diagnosis)
    for finding in diagnosis.findings:
        yield ""
        yield from _finding(finding)
    errors = sum(finding.severity == "error" for finding in diagnosis.findings)
    yield ""
    yield f"{_counted(errors, 'error')}, {_counted(len(diagnosis.findings) - errors, 'warning')}"


def _split(split: str, samples: list[Sample]) -> str:
    if not samples:
        return f"{split}: no images"
    sizes = sorted({sample.size for sample in samples}, key=lambda size: (size[0] * size[1], size))
    text = f"{sizes[0][0]}x{sizes[0][1]}"
    if len(sizes) > 1:
        aspects = sorted(width / height for width, height in sizes)
        text = f"{len(sizes)} sizes from {text} to {sizes[-1][0]}x{sizes[-1][1]}"
        text += f", width/height {aspects[0]:.2f} to {aspects[-1]:.2f}"
    return f"{split}: {_counted(len(samples), 'image')}, {text}"


def _balance(diagnosis: Diagnosis) -> Iterator[str]:
    """Share of each class in the scored pixels of each split, and the number of images with it; commonest first."""
    table, scored = diagnosis.table, np.array(diagnosis.table.scored, int)
    splits = {split: position_counts(rows) for split, rows in diagnosis.samples.items() if rows}
    if not len(scored) or not splits:
        return
    order = scored[np.argsort(-next(iter(splits.values()))[scored], kind="stable")].tolist()
    yield f"{_counted(len(order), 'class')[:_WIDTH]:<{_WIDTH}}" + "".join(f"{split:>16}" for split in splits)
    left_out = len(order) - 2 * _EACH_END if len(order) > _MOST_CLASSES else 0
    for place, i in enumerate(order):
        if left_out and place == _EACH_END:
            yield f"  ... {left_out} others"
        if not left_out or not _EACH_END <= place < len(order) - _EACH_END:
            cells = (_cell(diagnosis.samples[split], pixels, i, scored) for split, pixels in splits.items())
            yield f"  {table.ids[i][: _WIDTH - 3]:<{_WIDTH - 2}}" + "".join(cells)
    shares = (1 - pixels[scored].sum() / max(pixels.sum(), 1) for pixels in splits.values())
    yield f"{'not scored':<{_WIDTH}}" + "".join(f"{share:>9.1%}{'':7}" for share in shares)


def _cell(samples: list[Sample], pixels: np.ndarray, i: int, scored: np.ndarray) -> str:
    images = sum(bool(sample.counts[i]) for sample in samples)
    return f"{pixels[i] / max(pixels[scored].sum(), 1):>9.2%}{f'({images})':>7}"


def _finding(finding: Finding) -> Iterator[str]:
    yield f"{finding.severity}: {finding.title} ({finding.number})"
    yield from (f"    {line}" for line in finding.examples)
    if finding.number > len(finding.examples):
        yield f"    ... and {finding.number - len(finding.examples)} more"
    if finding.fix:
        yield f"  fix: {finding.fix}"


def _counted(count: int, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"
