"""The digest of the code behind a stage: what it imports from `seg`, without comments, docstrings and blank lines.

Snakemake keeps the digest as a parameter of the rule, so a change in code that can change a result makes just that
result stale. It is taken from the syntax tree in a form of our own, because `ast.dump` and `ast.unparse` differ between
Python versions and the digest may not.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parent
# Nothing here can change a result: resolved values are in the recipe, files carry the version of their schema, and
# `seg.system` only reads, writes and prints.
_WITHOUT_EFFECT = ("seg.config", "seg.system", "seg.results", "seg.plan", "seg.digest", "seg.cli")


@cache
def code_digest(*modules: str) -> str:
    """SHA-256 (16 hexadecimal digits) over `modules` and all that they import from `seg`, however far.

    Modules that are imported by a computed name (a model's file, a data set's layout) are not seen: name them too.

    Raises:
        ValueError: a module has no file.
    """
    found: set[str] = set()
    queue = list(modules)
    while queue:
        module = queue.pop()
        if module not in found and not _without_effect(module):
            found.add(module)
            queue.extend(_read(module).imports)
    digest = hashlib.sha256()
    for module in sorted(found):
        digest.update(f"{module} {_read(module).digest}\n".encode())
    return digest.hexdigest()[:16]


def _without_effect(module: str) -> bool:
    return module == "seg" or any(module == name or module.startswith(f"{name}.") for name in _WITHOUT_EFFECT)


def tree_digest(source: str) -> str:
    """SHA-256 of what `source` does: blind to comments, docstrings, layout and the Python version."""
    return _walk(source).digest


class _Code(NamedTuple):
    """The digest of a piece of code and the names it imports."""

    digest: str
    imports: set[str]


@cache
def _read(module: str) -> _Code:
    """A module, and the modules of `seg` that it imports at any level, with the packages above them."""
    path = _path(module)
    if path is None:
        raise ValueError(f"module {module} has no file below {PACKAGE}; name one that exists")
    digest, names = _walk(path.read_text(encoding="utf-8"))
    ours = {name for name in names if name.split(".")[0] == "seg" and _path(name)}
    return _Code(digest, ours | {name[:i] for name in ours for i, letter in enumerate(name) if letter == "."})


def _path(module: str) -> Path | None:
    base = PACKAGE.parent.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _walk(source: str) -> _Code:
    """Write the tree in prefix form and collect what may be modules, in one go: every start of Snakemake waits for it.

    Empty fields are left out: newer Pythons add some, such as `type_params`.
    """
    tokens: list[str] = []
    names: set[str] = set()
    put = tokens.append

    def visit(node: object) -> None:
        if isinstance(node, ast.Constant):
            put(f"({type(node.value).__name__} {node.value!r})")
        elif isinstance(node, ast.AST):
            put(f"({type(node).__name__}")
            for field in _meaningful(node._fields):
                value = getattr(node, field, None)
                if field == "body" and isinstance(value, list):
                    value = _without_docstring(node, value)
                elif field == "values" and isinstance(node, ast.JoinedStr):
                    value = _joined(node.values)
                if value is not None and value != []:
                    put(f" {field}=")
                    visit(value)
            put(")")
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module)
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, list):
            put("[")
            for item in node:
                visit(item)
            put("]")
        else:
            put(repr(node))

    visit(ast.parse(source))
    return _Code(hashlib.sha256("".join(tokens).encode()).hexdigest(), names)


@cache
def _meaningful(fields: tuple[str, ...]) -> list[str]:
    return sorted(set(fields) - {"ctx", "kind", "type_comment"})


def _without_docstring(node: ast.AST, body: list[ast.stmt]) -> list[ast.stmt]:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return body
    return body if ast.get_docstring(node, clean=False) is None else body[1:]


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """Parts of an f-string with neighbouring texts as one: early 3.12 keeps them apart and adds empty ones."""
    parts: list[ast.expr] = []
    for value in values:
        last = parts[-1] if parts else None
        if isinstance(value, ast.Constant) and value.value == "":
            continue
        if isinstance(value, ast.Constant) and isinstance(last, ast.Constant):
            parts[-1] = ast.Constant(str(last.value) + str(value.value))
        else:
            parts.append(value)
    return parts
