"""How figures read: digits, spreads, durations, sizes and footnotes, the same in Markdown and on the page."""

from collections.abc import Sequence
from typing import NamedTuple

from seg.report.rows import Row, Score, number, split_notes

NONE = "–"


class Footnote(NamedTuple):
    """A numbered note; `ours` where it is the reader's and not a note on a published figure."""

    number: int
    text: str
    ours: bool


class Footnotes(NamedTuple):
    """The notes of a table and the numbers that mark its cells, by (variant, column); `variant` is a column too."""

    notes: tuple[Footnote, ...]
    marks: dict[tuple[str, str], tuple[int, ...]]


def digits(value: Score) -> str:
    """A score with four digits."""
    if value is None:
        return NONE
    return value if isinstance(value, str) else f"{value:.4f}"


def spread(row: Row, column: str) -> str:
    """The sample standard deviation over seeds, or the 95% interval of a single seed, or nothing."""
    std, low, high = (number(row[f"{column}_{part}"]) for part in ("std", "low", "high"))
    if std is not None:
        return f"± {std:.4f}"
    return "" if low is None or high is None else f"{low:.4f}–{high:.4f}"


def signed(value: float | None) -> str:
    """A difference with four digits, its sign and the mark ▲ (ours is above), ▼ (below) or = (the same)."""
    if value is None:
        return ""
    size = f"{abs(value):.4f}"
    if not float(size):
        return f"= {size}"
    return f"▲ +{size}" if value > 0 else f"▼ −{size}"


def count(value: float) -> str:
    """A count with a thousands' separator."""
    return f"{round(value):,}"


def duration(seconds: float) -> str:
    """`12.3 s`, `4 min 05 s` or `2 h 07 min`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def size(value: float) -> str:
    """Bytes in decimal MB or GB."""
    return f"{value / 1e9:.2f} GB" if value >= 1e9 else f"{value / 1e6:.0f} MB"


def footnotes(rows: Sequence[Row]) -> Footnotes:
    """Number the notes of a table in the order of its rows; a text that comes again keeps its number."""
    numbers: dict[tuple[str, bool], int] = {}
    marks: dict[tuple[str, str], tuple[int, ...]] = {}
    for row in rows:
        for column, text, ours in [*_published_notes(row), *_our_notes(row)]:
            place = str(row["variant"]), column
            mark = numbers.setdefault((text, ours), len(numbers) + 1)
            marks[place] = (*marks.get(place, ()), mark)
    return Footnotes(tuple(Footnote(mark, *key) for key, mark in numbers.items()), marks)


def _published_notes(row: Row) -> list[tuple[str, str, bool]]:
    notes = (note.partition(": ") for note in split_notes(row["published_notes"]))
    return [(column, text, False) for column, _, text in notes]


def _our_notes(row: Row) -> list[tuple[str, str, bool]]:
    return [("variant", text, True) for text in split_notes(row["ours"])]


def introduction(rows: Sequence[Row]) -> str:
    """What was scored, over how many seeds, and what stands beside it."""
    first = rows[0]
    seeds = str(first["seeds"]).split()
    ours = (
        f"Ours are means over seeds {', '.join(seeds)} with their standard deviation"
        if len(seeds) > 1
        else f"Ours are of seed {seeds[0]} with 95% intervals from resampling the images"
    )
    splits = sorted({str(row["published_split"]) for row in rows if row["published_split"]})
    published = (
        f"published figures are of the source's {', '.join(splits)} split" if splits else "no figure is published"
    )
    return f"Scored on {count(number(first['images']) or 0)} images of {first['split']}. {ours}; {published}."
