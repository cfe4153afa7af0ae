"""The digest of the code: changes only if a result can change, and is the same on every Python version."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seg import digest
from seg.digest import code_digest, tree_digest

ROOT = Path(__file__).parents[1]

PLAIN = """\
import math


class Ring:
    def area(self, outer=2.0, inner=1.0):
        if outer < inner:
            raise ValueError(f"outer {outer} is below inner {inner:.2f}")
        say(f"a ring of {outer}")
        self.name = f"outer {outer} with inner {inner:.2f}"
        return math.pi * (outer**2 - inner**2)
"""

SAME = {
    "comments": PLAIN.replace("import math", "# Rings.\nimport math  # pi"),
    "docstrings": '"""Rings."""\n'
    + PLAIN.replace("Ring:", 'Ring:\n    """A ring."""\n').replace("=1.0):", '=1.0):\n        """Its area."""'),
    "blank lines": PLAIN.replace("        return", "\n\n        return").replace("\n\n\n", "\n"),
    "layout": PLAIN.replace("(outer**2 - inner**2)", "(\n            outer ** 2\n            - inner ** 2\n        )"),
    "quotes": PLAIN.replace('"', "'"),
    "a number's spelling": PLAIN.replace("1.0", "1.00").replace("**2", "**0x2"),
    "a trailing comma": PLAIN.replace("inner=1.0)", "inner=1.0,\n    )"),
    "line ends": PLAIN.replace("\n", "\r\n"),
    "a text in two parts": PLAIN.replace('f"outer {outer}', 'f"outer " f"{outer}'),
    "an error's message": PLAIN.replace("is below", "is less than"),
    "a line that is printed": PLAIN.replace("a ring of", "ring:"),
}

CHANGED = {
    "a constant": PLAIN.replace("**2", "**3"),
    "a constant's type": PLAIN.replace("2.0", "2"),
    "an operator": PLAIN.replace(" - ", " + "),
    "a comparison": PLAIN.replace("<", "<="),
    "a default": PLAIN.replace("inner=1.0", "inner=0.5"),
    "no default": PLAIN.replace("outer=2.0", "outer"),
    "a keyword's place": PLAIN.replace("outer=2.0", "*, outer=2.0"),
    "a name": PLAIN.replace("area", "surface"),
    "an import": PLAIN.replace("import math", "import cmath as math"),
    "an order": PLAIN.replace("outer**2 - inner**2", "inner**2 - outer**2"),
    "a text": PLAIN.replace(" with ", " and "),
    "a format": PLAIN.replace('inner:.2f}"\n        return', 'inner:.3f}"\n        return'),
    "an error's type": PLAIN.replace("ValueError", "TypeError"),
    "no error": PLAIN.replace("raise ValueError", "ValueError"),
    "another function's argument": PLAIN.replace("say(", "tell("),
    "a decorator": PLAIN.replace("    def", "    @staticmethod\n    def"),
    "a base": PLAIN.replace("Ring:", "Ring(list):"),
    "a nesting": PLAIN.replace("        say", "            say"),
}


@pytest.mark.parametrize("source", SAME.values(), ids=SAME)
def test_irrelevant_changes_do_not_change_the_digest(source: str) -> None:
    assert source != PLAIN
    assert tree_digest(source) == tree_digest(PLAIN)


@pytest.mark.parametrize("source", CHANGED.values(), ids=CHANGED)
def test_what_can_change_a_result_changes_the_digest(source: str) -> None:
    assert source != PLAIN
    assert tree_digest(source) != tree_digest(PLAIN)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("f(1, 2)", "f((1, 2))"),
        ("f('a', 'b')", "f('ab')"),
        ("x = '1'", "x = 1"),
        ("x = b'1'", "x = '1'"),
        ("x = True", "x = 1"),
        ("x = None", "x"),
        ("return_ = lambda: None", "return_ = lambda: ..."),
        ("{**a, 'b': 1}", "{a: 1, **b}"),
        ("x: int", "x: int = 0"),
        ("for x in y: pass\nelse: z", "for x in y: pass\nz"),
        ("f'{x}'", "f'{x!r}'"),
        ("f'{x}'", "f'{{x}}'"),
        ("a[1:]", "a[:1]"),
        ("a[1:2]", "a[1::2]"),
        ("x = 0.1", "x = 0.1000000000000001"),
        ("def f(a, /, b): 0", "def f(a, b): 0"),
        ("'text'\nx = 'text'", "x = ''"),
    ],
)
def test_similar_sources_have_different_digests(one: str, other: str) -> None:
    assert tree_digest(one) != tree_digest(other)


# Versions of Python

GOLDEN_SOURCE = r'''
"""Module."""
from __future__ import annotations
import asyncio as aio
from .near import (a, b as c,)

@decorated(1, *two, three=3, **four)
class Point(Base, metaclass=Meta): x: int = 0; y: int

async def walk(first, /, second=-1, *rest: int, third: str = "3", **others) -> list[int]:
    """Function."""
    global state
    async with aio.timeout(0.5) as clock, other():
        async for step in first:
            if (n := len(step)) > 10 or not step and n is not None:
                yield n, *step
            elif 0 < n <= 5 != 3:
                await aio.sleep(n if n else 1j)
    total = [x async for x in first if x] + [*rest] + list(map(lambda q, *r: q, rest))
    first, *middle, last = rest
    del first[1:2, ..., ::3]
    try:
        assert isinstance(last, int), "whole"
    except* (OSError, ValueError) as group:
        raise KeyError(f"no {group!r:>{n}}" f" in {total=:.3e} {{}} {'nested'} " "plain") from None
    finally:
        middle @= {**others, "k": {1, 2}}

def sort(shape):
    match shape:
        case {"kind": "box", "side": int(side), **rest} if side:
            return side ** 2
        case [1, -2.5, *_] | Point(x=0, y="a" "b" as y):
            return f"{shape}{f'{y}' }"
        case None | True | b"bytes\x00":
            return
        case other:
            while True:
                break
            else:
                pass
            return {k: v for k, v in other for _ in "é\N{BULLET}"}, 1_000, 0x1F, 1e-7, 1e400
'''
GOLDEN = "b4045f0eeeaecc8ee0728ad13fb04230a7aa83b025453cc831f230669e4957f1"

PRINT_DIGESTS = """
import sys
from seg.digest import code_digest, tree_digest
print(tree_digest(sys.stdin.read()), code_digest(*sys.argv[1:]))
"""


def working_pythons() -> Iterator[str]:
    """Other interpreters on PATH that work; some names may be wrappers without an interpreter."""
    for minor in (11, 12, 13, 14):
        path = shutil.which(f"python3.{minor}")
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            yield path


def copy_package(folder: Path) -> None:
    shutil.copytree(ROOT / "seg", folder / "seg", ignore=shutil.ignore_patterns("__pycache__"))


def all_modules(folder: Path) -> list[str]:
    files = sorted((folder / "seg").rglob("*.py"))
    names = (".".join(path.relative_to(folder).with_suffix("").parts) for path in files)
    return [name.removesuffix(".__init__") for name in names]


def test_the_digest_of_a_source_does_not_change() -> None:
    assert tree_digest(GOLDEN_SOURCE) == GOLDEN


def test_other_pythons_give_the_same_digests(tmp_path: Path) -> None:
    copy_package(tmp_path)
    found = {}
    for python in [sys.executable, *working_pythons()]:
        command = [python, "-c", PRINT_DIGESTS, *all_modules(tmp_path)]
        run = subprocess.run(command, input=GOLDEN_SOURCE, cwd=tmp_path, capture_output=True, text=True, check=True)
        found[python] = run.stdout.split()
    assert found[sys.executable][0] == GOLDEN
    assert all(digests == found[sys.executable] for digests in found.values()), found


# The package

TRAINING = "seg.training.train"
STAGES = {
    "fcn": (TRAINING, "seg.models.fcn"),
    "unet": (TRAINING, "seg.models.unet"),
    "evaluation": ("seg.evaluation.evaluate", "seg.models.fcn"),
    "table": ("seg.report.table",),
    "page": ("seg.report.page",),
    "pack": ("seg.data.pack",),
    "native": ("seg.data.native_labels",),
    "statistics": ("seg.data.statistics",),
}
TRAININGS = {"fcn", "unet"}


def forget() -> None:
    """Clear the caches of the digest."""
    for function in (code_digest, digest._read):
        function.cache_clear()


def digests() -> dict[str, str]:
    """Digests of the code of all stages."""
    forget()
    return {name: code_digest(*modules) for name, modules in STAGES.items()}


@pytest.fixture
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str, str], set[str]]]:
    """A function that replaces text in a copy of the package and returns the stages that become stale."""
    copy_package(tmp_path)
    monkeypatch.setattr(digest, "PACKAGE", tmp_path / "seg")
    before = digests()

    def change(file: str, old: str, new: str) -> set[str]:
        path = tmp_path / "seg" / file
        source = path.read_text(encoding="utf-8")
        assert old in source
        path.write_text(source.replace(old, new), encoding="utf-8")
        return {name for name, value in digests().items() if value != before[name]}

    yield change
    forget()


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        ("models/unet.py", "nn.MaxPool2d(2)", "nn.AvgPool2d(2)", {"unet"}),
        ("models/unet.py", '"""U-Net', '"""The U-Net', set()),
        ("models/unet.py", "import torch\n", "# A comment.\nimport torch\n", set()),
        ("models/unet.py", "use sides >= ", "the least side is ", set()),
        ("models/fcn.py", "512", "511", {"fcn", "evaluation"}),
        ("models/checkpoint.py", "\ndef ", "\nX = 1\n\n\ndef ", set()),
        ("training/losses.py", "\ndef ", "\nX = 1\n\n\ndef ", {*TRAININGS, "evaluation"}),
        ("training/outputs.py", "\nclass ", "\nX = 1\n\n\nclass ", set()),
        ("training/resume.py", "\nclass ", "\nX = 1\n\n\nclass ", set()),
        ("metrics/confusion.py", "\ndef ", "\nX = 1\n\n\ndef ", {*TRAININGS, "evaluation"}),
        ("metrics/scores.py", "\ndef ", "\nX = 1\n\n\ndef ", {"evaluation", "table", "page"}),
        ("evaluation/jackknife.py", "\ndef ", "\nX = 1\n\n\ndef ", {"table", "page"}),
        ("evaluation/comparison.py", "\ndef ", "\nX = 1\n\n\ndef ", {"table", "page"}),
        ("datasets/matching.py", "\ndef ", "\nX = 1\n\n\ndef ", {"pack", "native"}),
        ("datasets/polygons.py", "fill=", "width=", {"pack", "native"}),
        ("datasets/images.py", "\ndef ", "\nX = 1\n\n\ndef ", {"pack", "native"}),
        ("recognition/recognise.py", "\ndef ", "\nX = 1\n\n\ndef ", set()),
        ("data/pack.py", "\ndef ", "\nX = 1\n\n\ndef ", {"pack"}),
        ("system/files.py", "indent=1", "indent=2", set()),
        ("system/gpus.py", "\ndef ", "\nX = 1\n\n\ndef ", set()),
        ("system/console.py", "else 2)", "else 3)", set()),
        ("config/params.py", "\ndef ", "\nX = 1\n\n\ndef ", set()),
        ("results.py", "\ndef ", "\nX = 1\n\n\ndef ", set()),
        ("report/page.py", "\ndef ", "\nX = 1\n\n\ndef ", {"page"}),
        ("report/figures.py", "\ndef ", "\nX = 1\n\n\ndef ", {"table"}),
    ],
)
def test_a_change_makes_stale_what_depends_on_it(
    changed: Callable[[str, str, str], set[str]], file: str, old: str, new: str, stale: set[str]
) -> None:
    assert changed(file, old, new) == stale


def test_packages_above_a_module_count_and_the_order_of_the_names_does_not() -> None:
    assert code_digest(*STAGES["fcn"]) == code_digest(*reversed(STAGES["fcn"]))
    assert code_digest(*STAGES["fcn"]) != code_digest(*STAGES["unet"])
    assert "seg.models" in digest._read("seg.training.inputs").imports
    assert "seg" in digest._read(TRAINING).imports


@pytest.mark.parametrize(
    "module", ["seg.data.pack", "seg.report.table", pytest.param(TRAINING, marks=pytest.mark.slow)]
)
def test_no_module_is_imported_unseen(module: str) -> None:
    probe = f"import sys; import {module}; print(*(name for name in sys.modules if name.split('.')[0] == 'seg'))"
    run = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    seen, queue = set[str](), [module]
    while queue:
        name = queue.pop()
        if name not in seen:
            seen.add(name)
            queue.extend(digest._read(name).imports)
    assert set(run.stdout.split()) <= seen


def test_a_missing_module_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"module seg.models.absent has no file below .*; name one that exists"):
        code_digest("seg.models.absent")


def test_only_the_standard_library_is_imported() -> None:
    """The workflow computes digests at every start, so slow imports are not allowed."""
    probe = "import sys; before = set(sys.modules); import seg.digest; print(*sorted(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    foreign = {name.split(".")[0] for name in run.stdout.split()} - sys.stdlib_module_names
    assert foreign == {"seg"}
