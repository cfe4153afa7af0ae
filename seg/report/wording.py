"""How figures read: digits, spreads, durations, sizes and footnotes, the same in Markdown and on the page."""

from collections.abc import Sequence
from typing import NamedTuple

from seg.report.rows import INDISTINCT, Row, Score, number, split_notes

NONE = "–"
NEAR = "≈"
_FEW = 10  # seeds below which a 95% interval over them holds the truth in less than 90%: seg.evaluation.bootstrap


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


def spread(row: Row, column: str) -> list[str]:
    """The sample standard deviation over several seeds and the 95% interval, what there is of both."""
    std, low, high = (number(row[f"{column}_{part}"]) for part in ("std", "low", "high"))
    deviation = [] if std is None else [f"± {std:.4f}"]
    return deviation if low is None or high is None else [*deviation, f"{low:.4f}–{high:.4f}"]


def near_best(row: Row, column: str) -> str:
    """The mark of an mIoU that the data cannot tell from the best one."""
    return f"{NEAR} " if column == "miou" and row["against_best"] == INDISTINCT else ""


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
        f"Ours are means over seeds {', '.join(seeds)} with their standard deviation and 95% intervals from resampling "
        f"images and seeds{', which so few seeds make too narrow' if len(seeds) < _FEW else ''}"
        if len(seeds) > 1
        else f"Ours are of seed {seeds[0]} with 95% intervals from resampling the images"
    )
    splits = sorted({str(row["published_split"]) for row in rows if row["published_split"]})
    published = (
        f"published figures are of the source's {', '.join(splits)} split" if splits else "no figure is published"
    )
    return f"Scored on {count(number(first['images']) or 0)} images of {first['split']}. {ours}; {published}."


def comparison(rows: Sequence[Row]) -> str:
    """What the mark of an mIoU near the best one says; nothing where there is one variant."""
    pairs = len(rows) * (len(rows) - 1) // 2
    if not pairs:
        return ""
    drawn = "images and seeds" if len(str(rows[0]["seeds"]).split()) > 1 else "images"
    together = f", wide enough for all {pairs} pairs at once" if pairs > 1 else ""
    return (
        f"{NEAR} marks an mIoU that the data cannot tell from the best one: 0 lies in the 95% interval of their "
        f"difference, from resampling the {drawn} of both alike{together}."
    )
