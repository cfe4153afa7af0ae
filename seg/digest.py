"""Digest of the code behind a stage: the module and everything it imports from `seg`, without comments and docstrings.

Snakemake keeps the digest as a parameter of a rule, so a change of the code reruns exactly the results that it can
affect. Messages (the arguments of exceptions and of `say`) do not count. The syntax tree is serialized by this module,
because `ast.dump` and `ast.unparse` differ between Python versions.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parent
# Packages and modules that cannot affect a result. The values of `seg.config` reach a stage in its recipe. The others
# only read, write and print; files of another format are refused by their schema version.
EXEMPT = (
    "seg.cli",
    "seg.plan",
    "seg.config",
    "seg.results",
    "seg.system",
    "seg.digest",
    "seg.data.pack_format",
    "seg.models.checkpoint",
    "seg.training.events",
    "seg.training.outputs",
    "seg.training.resume",
    "seg.training.run_identity",
)


@cache
def code_digest(*modules: str) -> str:
    """SHA-256 (the first 16 hexadecimal digits) over `modules` and everything they import from `seg`, directly or not.

    Modules that are imported by a computed name (the file of a model or of a dataset layout) are not found; pass
    them as well.

    Raises:
        ValueError: a module has no file.
    """
    exempt = tuple(f"{name}." for name in EXEMPT)
    found: set[str] = set()
    queue = list(modules)
    while queue:
        module = queue.pop()
        if module != "seg" and module not in found and not f"{module}.".startswith(exempt):
            found.add(module)
            queue.extend(_read(module).imports)
    digest = hashlib.sha256()
    for module in sorted(found):
        digest.update(f"{module} {_read(module).digest}\n".encode())
    return digest.hexdigest()[:16]


def tree_digest(source: str) -> str:
    """SHA-256 of the syntax tree of `source`; comments, docstrings, messages and layout do not count."""
    return _walk(source).digest


class _Code(NamedTuple):
    """Digest of a module and the names that it imports."""

    digest: str
    imports: set[str]


@cache
def _read(module: str) -> _Code:
    """Digest of a module, and the modules of `seg` that it imports anywhere, with their parent packages."""
    path = _path(module)
    if path is None:
        raise ValueError(f"module {module} has no file below {PACKAGE}; name one that exists")
    digest, names = _walk(path.read_text(encoding="utf-8"))
    modules = {name for name in names if name.split(".")[0] == "seg" and _path(name)}
    return _Code(digest, modules | {name[:i] for name in modules for i, letter in enumerate(name) if letter == "."})


def _path(module: str) -> Path | None:
    base = PACKAGE.parent.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _walk(source: str) -> _Code:
    """Serialize the tree and collect the imported names in one pass, because every start of Snakemake waits for it.

    Empty fields are left out, because newer Python versions add some, such as `type_params`.
    """
    tokens: list[str] = []
    names: set[str] = set()
    put = tokens.append

    def visit(node: object) -> None:
        node = _without_message(node)
        if isinstance(node, ast.Constant):
            put(f"({type(node.value).__name__} {node.value!r})")
        elif isinstance(node, ast.AST):
            put(f"({type(node).__name__}")
            for field in _meaningful(node._fields):
                value = getattr(node, field, None)
                if field == "body" and isinstance(value, list):
                    value = _without_docstring(node, value)
                elif field == "values" and isinstance(node, ast.JoinedStr):
                    value = _merged(node.values)
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


def _without_message(node: object) -> object:
    """A `raise` without the arguments of the exception, a call of `say` without arguments; any other node unchanged."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return ast.Raise(node.exc.func, node.cause)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
        return ast.Call(node.func, [], [])
    return node


def _merged(values: list[ast.expr]) -> list[ast.expr]:
    """Parts of an f-string with adjacent constants merged: early releases of 3.12 split them and add empty ones."""
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
