"""YAML that people write: the content that JSON can express, without duplicate keys; errors with line and column."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from yaml.reader import ReaderError

from seg.config.messages import one_per_line

_MOST_VALUES = 100_000  # with repeated aliases expanded; params.yaml has about 1,000
_TAG = "tag:yaml.org,2002:"
_NUMBERED = ("ids", "names")  # mappings with whole numbers as keys
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,39})")
_FLOAT = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_CONTROL = re.compile(r"[^\t\n -\x7e\xa0-\ud7ff\ue000-\U0010ffff]")  # neither printable nor white space
_DECIMAL = "write a finite number in decimal digits, or put text in quotes"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

# Likely cause by what the parser reports.
_CAUSES = {
    r"found character '\\t'": "a tab; indent with spaces",
    r"found character '(.)' that cannot start": "text cannot begin with {}; put it in quotes",
    r"undefined alias": "text that begins with * is an alias; put it in quotes",
    r"expected alphabetic or numeric character": "text cannot begin with * or &; put it in quotes",
    r"expected ',' or '[]}]'": "a comma or a bracket is missing after the bracket in line {line}",
    r"expected the node content": "a value is missing, or a bracket is not closed",
    r"while scanning a quoted scalar": "the closing quote is missing; the text begins in line {line}",
    r"could not find expected ':'": "a key without a colon, or text that needs quotes",
    r"expected <block end>": "text after a closing quote or bracket, or another indentation than in line {line}",
    r"expected a single document": "a second document begins; remove the line ---, or keep one document",
}


def read_yaml(path: Path) -> Any:
    """Content of a YAML file in UTF-8.

    Raises:
        ValueError: the file cannot be read as YAML, or contains more than JSON can express; one line per error.
        OSError: the file cannot be read.
    """
    raw = path.read_bytes()
    if raw.startswith(_UTF16) or b"\0" in raw[:2]:
        raise ValueError(f"{path}: encoded as UTF-16; save it as UTF-8")
    try:
        return parse_yaml(raw.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig")
        raise ValueError(
            f"{path}, {_position(before)}: byte 0x{raw[error.start]:02x} is not UTF-8 (perhaps Latin-1);"
            " save the file as UTF-8"
        ) from None


def read_mapping(path: Path, keys: str) -> dict[str, Any]:
    """Content of a YAML file that has keys at its top level, such as `keys`. Raises ValueError as `read_yaml`."""
    content = read_yaml(path)
    if not isinstance(content, dict):
        got = "an empty file" if content is None else "a list" if isinstance(content, list) else repr(content)
        raise ValueError(f"{path}: got {got}, expected keys such as {keys}")
    return content


def parse_yaml(text: str, where: str) -> Any:
    """Content of YAML text: mappings with text as keys, lists, text, finite numbers, booleans and null.

    Args:
        text: the YAML.
        where: its origin, for messages.

    Raises:
        ValueError: the text is not YAML or contains anything else; one line per error.
    """
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is None:
            return None
        if problems := dict.fromkeys(_faults(root)):
            raise ValueError(one_per_line(f"{where}, {problem}" for problem in problems))
        return loader.construct_document(root)
    except ReaderError as error:
        at = f"{where}, {_position(text[: error.position])}"
        raise ValueError(f"{at}: control character U+{error.character:04X}; remove it") from None
    except yaml.MarkedYAMLError as error:
        raise ValueError(f"{where}, {_explained(error, text)}") from None
    except RecursionError:
        raise ValueError(f"{where}: nested too deeply; remove brackets or levels") from None


def _position(before: str) -> str:
    """Line and column of the character after some text, counted from 1."""
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


def _explained(error: yaml.MarkedYAMLError, text: str) -> str:
    """Place, problem and likely cause of an error of the parser."""
    mark: Any = error.problem_mark or error.context_mark
    at, line = _at(mark), (error.context_mark or mark).line + 1
    problem = f"{error.context or ''} {error.problem or ''}"
    if "mapping values are not allowed" in problem:
        before = text.splitlines()[mark.line][: mark.column]
        if re.search(r":\s", before):
            return f"{at}: a second colon; put text that contains ': ' in quotes"
        return f"{at}: unexpected key; indent it as its neighbours, and write a space after the colon in the line above"
    for pattern, cause in _CAUSES.items():
        if found := re.search(pattern, problem):
            return f"{at}: {cause.format(*found.groups(), line=line)}"
    return f"{at}: not YAML: {' '.join(problem.split())}"


class _Item(NamedTuple):
    """A node of a document, its path, and the mappings and lists that contain it."""

    node: yaml.Node
    path: str
    parents: tuple[yaml.Node, ...]


def _faults(root: yaml.Node) -> Iterator[str]:
    """Place, path and fix of everything that JSON cannot express, and of keys that are given twice."""
    stack = [_Item(root, "", ())]
    for _ in range(_MOST_VALUES):
        if not stack:
            return
        item = stack.pop()
        if any(item.node is parent for parent in item.parents):
            yield f"{_at(item.node.start_mark)}: {_named(item.path)}an alias of what contains it; remove the alias"
        elif isinstance(item.node, yaml.ScalarNode):
            if fault := _scalar_fault(item.node):
                yield f"{_at(item.node.start_mark)}: {_named(item.path)}{fault}"
        elif item.node.tag not in (_TAG + "map", _TAG + "seq"):
            yield f"{_at(item.node.start_mark)}: {_named(item.path)}unknown tag {item.node.tag}; remove it"
        else:
            children, faults = _children(item)
            stack += reversed(children)
            yield from faults
    yield f"{_at(root.start_mark)}: more than {_MOST_VALUES} values; aliases repeat too much"


def _children(item: _Item) -> tuple[list[_Item], list[str]]:
    """Values of a mapping or list, and the faults of its keys."""
    parents, path = (*item.parents, item.node), f"{item.path}." if item.path else ""
    if isinstance(item.node, yaml.SequenceNode):
        return [_Item(node, f"{path}{i}", parents) for i, node in enumerate(item.node.value)], []
    children, faults, lines = [], [], dict[str, int]()
    for key, value in item.node.value:
        at, line = _at(key.start_mark), key.start_mark.line + 1
        if key.tag == _TAG + "merge":  # the values of another mapping
            children.append(_Item(value, item.path, parents))
        elif key.tag != _TAG + "str" and not _is_label_value(key, item.path):
            faults.append(f"{at}: {_named(item.path)}{_key(key)}, expected text; put it in quotes")
        elif key.value in lines:
            faults.append(f"{at}: {path}{key.value}: already given in line {lines[key.value]}; keep one")
        else:
            lines[key.value] = line
            children.append(_Item(value, f"{path}{key.value}", parents))
            if fault := _scalar_fault(key):
                faults.append(f"{at}: {_named(item.path)}key {key.value!r}: {fault}")
    return children, faults


def _is_label_value(key: yaml.Node, path: str) -> bool:
    """Whether a key is a whole number where keys are label values or ids of classes."""
    numbered = path.rpartition(".")[2] in _NUMBERED
    return numbered and key.tag == _TAG + "int" and bool(_INTEGER.fullmatch(key.value))


def _scalar_fault(node: yaml.ScalarNode) -> str:
    """What is wrong with a scalar, and how to fix it; empty if nothing is."""
    text, fault = node.value, ""
    match node.tag.removeprefix(_TAG):
        case "null":
            pass
        case "str":
            if found := _CONTROL.search(text):
                fault = f"contains the control character U+{ord(found[0]):04X}; remove it"
        case "int":
            if not _INTEGER.fullmatch(text):
                fault = f"got {text[:40]}; {_DECIMAL}"
        case "float":
            if not _FLOAT.fullmatch(text) or not math.isfinite(float(text)):
                fault = f"got {text[:40]}; {_DECIMAL}"
        case "bool":
            if text.lower() not in yaml.SafeLoader.bool_values:
                fault = f"got {text}; write true or false"
        case "timestamp":
            fault = f"{text} is read as a date; put it in quotes"
        case _:
            fault = f"unknown tag {node.tag}; remove it"
    return fault


def _key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        return "the key is a list or a mapping"
    kinds = {"int": "a number", "float": "a number", "bool": "true or false", "timestamp": "a date"}
    kind = node.tag.removeprefix(_TAG)
    return f"key {node.value} is read as {kinds.get(kind, kind)}"


def _at(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"


def _named(path: str) -> str:
    return f"{path}: " if path else ""
