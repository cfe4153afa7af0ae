"""A study's table for reading where no browser is: rounded, footnotes below."""

import re
from collections.abc import Iterable, Sequence

from seg.report.rows import METRICS, Row, Score, class_columns, difference, number, split_notes
from seg.report.wording import (
    NONE,
    Footnotes,
    comparison,
    count,
    digits,
    duration,
    footnotes,
    introduction,
    near_best,
    signed,
    spread,
)

_HEADLINE = ("pixel_accuracy", "miou")


def markdown_text(rows: Sequence[Row]) -> str:
    """The whole file: overall scores, then the study's own classes, then the footnotes."""
    notes = footnotes(rows)
    parts = [f"# {_plain(rows[0]['title'])}", _plain(introduction(rows))]
    readings = split_notes(rows[0]["study_notes"])
    if readings:
        parts.append("\n".join(f"- {_plain(text)}" for text in readings))
    parts += [_overall(rows, notes), *filter(None, [comparison(rows)])]
    classes = class_columns(rows[0])
    if classes:
        parts += ["## The study's own classes", "IoU, ours / published.", _classes(rows, classes, notes)]
    if notes.notes:
        parts.append(
            "\n".join(
                f"- [{note.number}] {'ours' if note.ours else 'published'}: {_plain(note.text)}" for note in notes.notes
            )
        )
    return "\n\n".join(parts) + "\n"


def _overall(rows: Sequence[Row], notes: Footnotes) -> str:
    heads = ["Variant"]
    for column in _HEADLINE:
        heads += [METRICS[column], "spread", "published", "difference"]
    heads += ["Parameters", "Training"]
    lines = []
    for row in rows:
        cells = [_plain(row["variant"]) + _mark(notes, row, "variant")]
        for column in _HEADLINE:
            published = digits(row[f"{column}_published"]) + _mark(notes, row, column)
            ours = near_best(row, column) + digits(row[column])
            cells += [ours, ", ".join(spread(row, column)), published, signed(difference(row, column))]
        cells += [count(number(row["parameters"]) or 0), duration(number(row["training_seconds"]) or 0)]
        lines.append(cells)
    return _table(heads, lines)


def _classes(rows: Sequence[Row], classes: dict[str, str], notes: Footnotes) -> str:
    """A line a class, for there may be 41 of them, and a column a variant."""
    lines = [
        [_plain(name)]
        + [f"{digits(row[column])} / {digits(row[f'{column}_published'])}{_mark(notes, row, column)}" for row in rows]
        for column, name in classes.items()
    ]
    return _table(["Class", *(_plain(row["variant"]) for row in rows)], lines)


def _table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *lines))


def _mark(notes: Footnotes, row: Row, column: str) -> str:
    return "".join(f" [{mark}]" for mark in notes.marks.get((str(row["variant"]), column), ()))


def _plain(text: Score) -> str:
    """A text that Markdown shows as it is and on one line."""
    return re.sub(r"([\\|<>*`\[\]])", r"\\\1", " ".join(str(text or NONE).split()))
