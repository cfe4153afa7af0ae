"""Markdown tables of fields: names, values, defaults and descriptions, from JSON schemas."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from seg.config.schema import NULLABLE

_SIGNS = {
    "minimum": "≥",
    "ge": "≥",
    "exclusiveMinimum": ">",
    "gt": ">",
    "maximum": "≤",
    "le": "≤",
    "exclusiveMaximum": "<",
    "lt": "<",
}
_TYPES = {"integer": "integer", "number": "number", "string": "text", "boolean": "`true` or `false`", "null": "`null`"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in line) + " |" for line in lines)


def sentence(text: str) -> str:
    """The text with a period."""
    return text.rstrip(".") + "." if text else ""


def contents(head: str, texts: Mapping[str, str]) -> str:
    """A table of names and what they contain."""
    return table([head, "content"], [[f"`{name}`", sentence(text)] for name, text in texts.items()])


def kind(schema: Mapping[str, Any], links: Mapping[str, str]) -> str:
    """What values a field takes, in words."""
    if "$ref" in schema:
        return links.get(schema["$ref"].rpartition("/")[2], "[model](models.md)")
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        kinds = [kind(each, links) for each in choices]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    match schema.get("type"):
        case "array":
            items = schema.get("prefixItems") or [schema["items"]]
            number = f" of {len(items)}" if "prefixItems" in schema else ""
            return f"list{number}: {kind(items[0], links)}" if items[0] else "list"
        case "object":
            values = next(iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties"))
            return f"mapping to {kind(values, links)}" if isinstance(values, dict) else "mapping"
        case name:
            return _TYPES.get(str(name), "any value") + _bounds(schema)


def _bounds(schema: Mapping[str, Any]) -> str:
    found = [f"{sign} {schema[key]:g}" for key, sign in _SIGNS.items() if abs(schema.get(key, 2**31)) < 2**31]
    return f" {', '.join(found)}" if found else ""


def default(value: Any) -> str:
    """A default value as in YAML."""
    if isinstance(value, dict) or value == "" or (isinstance(value, list) and any(isinstance(x, dict) for x in value)):
        return ""
    return f"`{yaml.safe_dump(value, default_flow_style=True, width=10**6).strip().removesuffix(chr(10) + '...')}`"


def fields(schema: Mapping[str, Any], names: Iterable[str], links: Mapping[str, str], inherited: bool) -> str:
    """Table of fields; where they are inherited, no default is shown and `null` only where it is a value."""
    rows = []
    for name in names:
        field = schema["properties"][name]
        kinds = kind(field, links)
        if inherited and name not in NULLABLE:
            kinds = kinds.removesuffix(" or `null`")
        value = default(field["default"]) if "default" in field else "required"
        rows.append([f"`{name}`", kinds, value, sentence(field["description"])])
    if inherited:
        return table(["key", "values", "meaning"], [[row[0], row[1], row[3]] for row in rows])
    return table(["key", "values", "default", "meaning"], rows)
