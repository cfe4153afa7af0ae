"""A study's table as Markdown: rounded scores, footnotes below."""

import re
from collections.abc import Sequence

import pandas as pd

from seg.report.captions import captions, introduction
from seg.report.formatting import (
    HEADLINE,
    NONE,
    Footnotes,
    Mark,
    budget_cells,
    count,
    duration,
    footnotes,
    has_published,
    score_cells,
)
from seg.report.rows import METRIC_TITLES, Row, class_columns, fold_count, split_notes


def markdown_text(rows: Sequence[Row]) -> str:
    """The whole file: overall scores, the study's own classes, notes on all variants and numbered footnotes."""
    notes = footnotes(rows)
    classes = class_columns(rows[0])
    *marks, units = map(_escaped, captions(rows))
    parts = [
        f"# {_escaped(rows[0]['title'])}",
        _escaped(introduction(rows)),
        _overall_table(rows, notes),
        " ".join(marks),
        units,
    ]
    if classes:
        parts += ["## The study's own classes", "IoU, measured / published.", _class_table(rows, classes, notes)]
    study_notes = split_notes(rows[0]["study_notes"])
    if study_notes or notes.notes:
        parts.append("## Notes")
        parts.append("\n".join(f"- all variants: {_escaped(note)}" for note in study_notes))
        parts.append("\n".join(f"- [{note.number}] {note.kind}: {_escaped(note.text)}" for note in notes.notes))
    return "\n\n".join(part for part in parts if part) + "\n"


def _overall_table(rows: Sequence[Row], notes: Footnotes) -> str:
    several = len(rows[0]["seeds"].split()) > 1 or fold_count(rows)
    spread = "deviation, 95% interval" if several else "95% interval"
    published = has_published(rows)
    heads = ["Variant"]
    for column in HEADLINE:
        heads += [METRIC_TITLES[column], spread, *(["published", "difference"] if published else [])]
    lines = []
    scores = zip(*(score_cells(rows, column, notes) for column in HEADLINE), strict=True)
    losses = score_cells(rows, "loss", notes)
    for row, row_scores, loss in zip(rows, scores, losses, strict=True):
        cells = [_escaped(row["variant"]) + _marks(notes.of(row, "variant"))]
        for cell in row_scores:
            cells += [cell.measured, ", ".join(cell.spread)]
            cells += [cell.published + _marks(cell.marks), cell.difference] if published else []
        cells += [" ".join([loss.measured, *loss.spread])]
        cells += [loss.published + _marks(loss.marks)] if published else []
        lines.append([*cells, *budget_cells(row), count(row["parameters"]), duration(row["training_seconds"])])
    heads += ["Loss", *(["published"] if published else [])]
    return _table_text([*heads, "Epochs", "Budget", "Images seen", "Steps", "Parameters", "Training"], lines)


def _class_table(rows: Sequence[Row], classes: dict[str, str], notes: Footnotes) -> str:
    """One row per class, of which there may be 41, and one column per variant."""
    lines = []
    for column, name in classes.items():
        cells = score_cells(rows, column, notes)
        lines.append([_escaped(name), *(f"{cell.measured} / {cell.published}{_marks(cell.marks)}" for cell in cells)])
    return _table_text(["Class", *(_escaped(row["variant"]) for row in rows)], lines)


def _table_text(heads: list[str], lines: list[list[str]]) -> str:
    align = ["left", *["right"] * (len(heads) - 1)]
    return pd.DataFrame(lines, columns=heads).to_markdown(index=False, disable_numparse=True, colalign=align)


def _marks(marks: Sequence[Mark]) -> str:
    return f" [{', '.join(map(str, marks))}]" if marks else ""


def _escaped(text: str) -> str:
    """Text that Markdown shows unchanged and on one line."""
    marks = r"([\\|<>*`\[\]~&$]|(?<![^\W_])_|_(?![^\W_]))"  # an underscore within a word is text
    return re.sub(marks, r"\\\1", " ".join((text or NONE).split()))
