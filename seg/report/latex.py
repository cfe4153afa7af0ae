"""Tables as LaTeX: a study's (`table.tex`) and all studies' (`comparison.tex`), with the numbers of `table.md`.

A file is one or two `table*` environments to `\\input`. It needs booktabs and threeparttable, as its first lines say.
Names, titles and notes are escaped. The best scores are bold where the budgets of the variants are equal; published
figures for reference are in italics, without a difference.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from seg.report.formatting import (
    NONE,
    Footnotes,
    Mark,
    ScoreCell,
    budget_caption,
    budget_cells,
    classes_caption,
    count,
    duration,
    footnotes,
    introduction,
    near_best_caption,
    score_cells,
    units_caption,
)
from seg.report.rows import Row, best, class_columns, number, split_notes, unequal_budgets

_HEAD = r"""% \usepackage[T1]{fontenc}
% \usepackage{booktabs,threeparttable}
% Characters beyond Latin ones, for example Chinese class names, need LuaLaTeX or XeLaTeX and a font that has them.
"""
_REPLACED = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "{}$&#_%"},
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "[": "{[}",  # an optional argument after a line break
    "*": "{*}",  # the starred form of a line break
    "–": "--",
    "—": "---",
    "…": r"\dots{}",
    "±": r"$\pm$",
    "≈": r"$\approx$",
    "×": r"$\times$",
    "−": "$-$",
}
_SPECIAL = re.compile("-(?=[-–—])|" + "|".join(map(re.escape, _REPLACED)))  # hyphens in a row become dashes
_HEADLINE = ("pixel_accuracy", "miou")


class _Line(NamedTuple):
    """Cells of a row of a table."""

    cells: tuple[str, ...]

    def __str__(self) -> str:
        return " & ".join(self.cells) + r" \\"


def escaped(text: str) -> str:
    """Text on one line that LaTeX prints unchanged."""
    text = " ".join("".join(" " if unicodedata.category(each) == "Cc" else each for each in text).split())
    return _SPECIAL.sub(lambda found: _REPLACED.get(found[0], "-{}"), text)


def latex_text(rows: Sequence[Row]) -> str:
    """`table.tex`: the overall scores, the study's own classes, and the notes of the table."""
    notes = footnotes(rows)
    captions = [introduction(rows), budget_caption(rows), near_best_caption(rows), classes_caption(rows)]
    captions.append(units_caption(rows))
    items = [("", note) for note in [*captions, *split_notes(rows[0]["study_notes"])] if note]
    items += [(str(note.number), f"{note.kind}: {note.text}") for note in notes.notes]
    label = f"tab:{rows[0]['study']}"
    text = _HEAD + _table(rows[0]["title"], label, _columns(), _lines(rows, notes), items)
    if classes := class_columns(rows[0]):
        heads = ["Class", *(row["variant"] for row in rows)]
        caption = f"{rows[0]['title']}: IoU of the study's own classes, measured / published."
        lines = [_class_line(name, score_cells(rows, column, notes)) for column, name in classes.items()]
        columns = ("l" + "r" * len(rows), [_Line(tuple(map(escaped, heads)))])
        text += "\n" + _table(caption, f"{label}:classes", columns, lines, [])
    return text


def comparison_latex(studies: Sequence[Sequence[Row]], title: str) -> str:
    """`comparison.tex`: the overall scores of all studies."""
    lines: list[_Line | str] = []
    items = []
    for mark, rows in enumerate(studies, start=1):
        lines += [r"\midrule"] if lines else []
        head = rf"\multicolumn{{11}}{{l}}{{{escaped(rows[0]['title'])}\tnote{{{mark}}}}} \\"
        lines += [head, *_lines(rows, Footnotes((), {}))]
        items.append((str(mark), " ".join(filter(None, [introduction(rows), budget_caption(rows)]))))
    return _HEAD + _table(title, "tab:comparison", _columns(), lines, items)


def _columns() -> tuple[str, list[_Line | str]]:
    """Alignment and heads of the overall scores."""
    groups = r" & \multicolumn{3}{c}{Pixel accuracy} & \multicolumn{4}{c}{mIoU} & & & \\"
    heads = "Variant", "measured", "published", "diff.", "measured", r"95\% interval", "published", "diff."
    return "lrrrrcrrrrr", [
        groups,
        r"\cmidrule(lr){2-4}\cmidrule(lr){5-8}",
        _Line((*heads, "Budget", "Parameters", "Training")),
    ]


def _lines(rows: Sequence[Row], notes: Footnotes) -> list[_Line]:
    """One line per variant."""
    found = []
    cells = {column: score_cells(rows, column, notes) for column in _HEADLINE}
    for i, row in enumerate(rows):
        accuracy, miou = (cells[column][i] for column in _HEADLINE)
        scores = {column: _measured(rows, row, column, cells[column][i]) for column in _HEADLINE}
        interval = next((part for part in miou.spread if "–" in part and "class" not in part), NONE)
        line = [
            escaped(row["variant"]) + _marks(notes.of(row, "variant")),
            *(scores["pixel_accuracy"], _published(accuracy), _difference(accuracy)),
            *(scores["miou"], escaped(interval), _published(miou), _difference(miou)),
            *(escaped(budget_cells(row)[1]), count(row["parameters"]), escaped(duration(row["training_seconds"]))),
        ]
        found.append(_Line(tuple(line)))
    return found


def _measured(rows: Sequence[Row], row: Row, column: str, cell: ScoreCell) -> str:
    """A score, bold if it is the best of variants with equal budgets, and its deviation."""
    highest = math.nan if unequal_budgets(rows) else best(each[column] for each in rows)
    text = escaped(cell.measured)
    if number(row[column]) == highest:
        text = rf"\textbf{{{text}}}"
    return " ".join([text, *(escaped(part) for part in cell.spread if part.startswith("±"))])


def _published(cell: ScoreCell) -> str:
    text = escaped(cell.published)
    return (rf"\textit{{{text}}}" if cell.reference and cell.published != NONE else text) + _marks(cell.marks)


def _difference(cell: ScoreCell) -> str:
    """The difference without its arrow: `$+0.0123$`."""
    text = cell.difference.lstrip("▲▼= ")
    return "" if not text else f"${text.replace('−', '-')}$"


def _class_line(name: str, cells: Iterable[ScoreCell]) -> _Line:
    return _Line((escaped(name), *(f"{escaped(cell.measured)} / {_published(cell)}" for cell in cells)))


def _marks(marks: Sequence[Mark]) -> str:
    return rf"\tnote{{{', '.join(escaped(str(mark)) for mark in marks)}}}" if marks else ""


def _table(
    caption: str,
    label: str,
    columns: tuple[str, Sequence[_Line | str]],
    lines: Sequence[_Line | str],
    items: Sequence[tuple[str, str]],
) -> str:
    """A `table*` over both columns of a page, with notes (mark, text) below it."""
    notes = [rf"\item{f'[{mark}]' if mark else ''} {escaped(text)}" for mark, text in items]
    parts = [
        r"\begin{table*}",
        r"\centering",
        r"\begin{threeparttable}",
        rf"\caption{{{escaped(caption)}}}",
        rf"\label{{{label}}}",
        r"\scriptsize",
        rf"\begin{{tabular}}{{{columns[0]}}}",
        r"\toprule",
        *map(str, columns[1]),
        r"\midrule",
        *map(str, lines),
        r"\bottomrule",
        r"\end{tabular}",
        *([r"\begin{tablenotes}", *notes, r"\end{tablenotes}"] if notes else []),
        r"\end{threeparttable}",
        r"\end{table*}",
    ]
    return "\n".join(parts) + "\n"
