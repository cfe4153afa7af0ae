"""Tables as LaTeX: a study's (`table.tex`) and all studies' (`comparison.tex`), with the numbers of `table.md`.

A file is one or two `table*` environments to `\\input`. It needs booktabs and threeparttable, as its first lines say.
Names, titles and notes are escaped. The best scores are bold where the budgets of the variants are equal; published
figures for reference are in italics, without a difference.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from seg.report.captions import captions, introduction
from seg.report.formatting import (
    HEADLINE,
    NONE,
    Footnotes,
    Mark,
    ScoreCell,
    budget_cells,
    count,
    duration,
    footnotes,
    has_published,
    score_cells,
)
from seg.report.rows import Row, class_columns, split_notes

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
_ALIGNMENT = "lrrrrcrrrrr"  # of the overall scores
_PLAIN_ALIGNMENT = "lrrcrrr"  # of those without published figures
_PLAIN_HEADS = (r"Variant & Pixel accuracy & mIoU & 95\% interval & Budget & Parameters & Training \\",)
_HEADS = (
    r" & \multicolumn{3}{c}{Pixel accuracy} & \multicolumn{4}{c}{mIoU} & & & \\",
    r"\cmidrule(lr){2-4}\cmidrule(lr){5-8}",
    r"Variant & measured & published & diff. & measured & 95\% interval & published & diff. "
    r"& Budget & Parameters & Training \\",
)


def escaped(text: str) -> str:
    """Text on one line that LaTeX prints unchanged."""
    text = " ".join("".join(" " if unicodedata.category(each) == "Cc" else each for each in text).split())
    return _SPECIAL.sub(lambda found: _REPLACED.get(found[0], "-{}"), text)


def latex_text(rows: Sequence[Row]) -> str:
    """`table.tex`: the overall scores, the study's own classes, and the notes of the table."""
    notes = footnotes(rows)
    items = [("", note) for note in [introduction(rows), *captions(rows), *split_notes(rows[0]["study_notes"])]]
    items += [(str(note.number), f"{note.kind}: {note.text}") for note in notes.notes]
    label = f"tab:{rows[0]['study']}"
    published = has_published(rows)
    text = _HEAD + _overall_table(rows[0]["title"], label, _lines(rows, notes, published), items, published)
    if classes := class_columns(rows[0]):
        caption = f"{rows[0]['title']}: IoU of the study's own classes, measured / published."
        heads = _line("Class", *(escaped(row["variant"]) for row in rows))
        lines = []
        for column, name in classes.items():
            cells = score_cells(rows, column, notes)
            lines.append(_line(escaped(name), *(f"{escaped(cell.measured)} / {_published(cell)}" for cell in cells)))
        text += "\n" + _table(caption, f"{label}:classes", "l" + "r" * len(rows), [heads], lines, [])
    return text


def comparison_latex(studies: Sequence[Sequence[Row]], title: str) -> str:
    """`comparison.tex`: the overall scores of all studies."""
    lines: list[str] = []
    items = []
    published = any(map(has_published, studies))
    width = len(_ALIGNMENT if published else _PLAIN_ALIGNMENT)
    for mark, rows in enumerate(studies, start=1):
        lines += [r"\midrule"] if lines else []
        head = rf"\multicolumn{{{width}}}{{l}}{{{escaped(rows[0]['title'])}\tnote{{{mark}}}}} \\"
        lines += [head, *_lines(rows, Footnotes((), {}), published)]
        items.append((str(mark), " ".join([introduction(rows), *captions(rows)])))
    return _HEAD + _overall_table(title, "tab:comparison", lines, items, published)


def _overall_table(
    caption: str, label: str, lines: Iterable[str], items: Sequence[tuple[str, str]], published: bool
) -> str:
    alignment, heads = (_ALIGNMENT, _HEADS) if published else (_PLAIN_ALIGNMENT, _PLAIN_HEADS)
    return _table(caption, label, alignment, heads, lines, items)


def _lines(rows: Sequence[Row], notes: Footnotes, published: bool) -> list[str]:
    """Overall scores, one line per variant, with or without columns of published figures."""

    def beside(cell: ScoreCell) -> tuple[str, ...]:
        return (_published(cell), _difference(cell)) if published else ()

    cells = (score_cells(rows, column, notes) for column in HEADLINE)
    return [
        _line(
            escaped(row["variant"]) + _marks(notes.of(row, "variant")),
            *(_measured(accuracy), *beside(accuracy)),
            *(_measured(miou), escaped(miou.interval or NONE), *beside(miou)),
            *(escaped(budget_cells(row).budget), count(row["parameters"]), escaped(duration(row["training_seconds"]))),
        )
        for row, accuracy, miou in zip(rows, *cells, strict=True)
    ]


def _line(*cells: str) -> str:
    return " & ".join(cells) + r" \\"


def _measured(cell: ScoreCell) -> str:
    """A score, bold if it is the best, its deviation and the number of classes in a mean."""
    text = escaped(cell.measured)
    parts = [rf"\textbf{{{text}}}" if cell.best else text, escaped(cell.deviation)]
    return " ".join(part for part in [*parts, f"({cell.classes})" if cell.classes else ""] if part)


def _published(cell: ScoreCell) -> str:
    text = escaped(cell.published)
    return (rf"\textit{{{text}}}" if cell.reference and cell.published != NONE else text) + _marks(cell.marks)


def _difference(cell: ScoreCell) -> str:
    """The difference without its arrow: `$+0.0123$`."""
    text = cell.difference.lstrip("▲▼= ")
    return "" if not text else f"${text.replace('−', '-')}$"


def _marks(marks: Sequence[Mark]) -> str:
    return rf"\tnote{{{', '.join(escaped(str(mark)) for mark in marks)}}}" if marks else ""


def _table(
    caption: str,
    label: str,
    alignment: str,
    heads: Iterable[str],
    lines: Iterable[str],
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
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        *heads,
        r"\midrule",
        *lines,
        r"\bottomrule",
        r"\end{tabular}",
        *([r"\begin{tablenotes}", *notes, r"\end{tablenotes}"] if notes else []),
        r"\end{threeparttable}",
        r"\end{table*}",
    ]
    return "\n".join(parts) + "\n"
