"""Messages about many files, grouped by fault."""

import re
from collections import Counter
from collections.abc import Iterable

_MOST = 10  # files with one fault that are all named
_EXAMPLES = 3  # files that are named if there are more
_VARYING = re.compile(r"'[^']*'|\S+\.(png|jpe?g|webp|tiff?|bmp|gif|json|txt)\b|\d[\d.]*", re.IGNORECASE)


def group_faults(messages: Iterable[str]) -> list[str]:
    """Lines `<file>: <fault>` of messages in their order, each once.

    Of more than ten lines that differ in their files and numbers only, three remain, followed by the number of the
    others.
    """
    lines = dict.fromkeys(line for message in messages for line in message.splitlines())
    faults = {line: _VARYING.sub("…", line.partition(": ")[2]) for line in lines}
    counts = Counter(faults.values())
    seen: Counter[str] = Counter()
    shown = []
    for line, fault in faults.items():
        seen[fault] += 1
        if counts[fault] <= _MOST or seen[fault] <= _EXAMPLES:
            shown.append(line)
        elif seen[fault] == counts[fault]:
            shown.append(f"{counts[fault] - _EXAMPLES} more files: {fault}")
    return shown
