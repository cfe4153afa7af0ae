"""Base of all schemas, and descriptions of their fields: a docstring has them in a section `Attributes`.

One text then serves the reader of the code, the JSON schema (editors show it) and the reference in `docs/`.
"""

import inspect
import re
from typing import Any

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic_core import CoreSchema

_ENTRY = re.compile(r"    (\w+(?:, \w+)*): (.*)")


def parse_docstring(text: str) -> tuple[str, dict[str, str]]:
    """Text before the section `Attributes`, and the description of each field; fields may share one (`low, high: ...`).

    Raises:
        ValueError: a line of the section is neither an entry nor the continuation of one.
    """
    summary, _, section = inspect.cleandoc(text).partition("\nAttributes:\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in filter(str.strip, section.splitlines()):
        entry = _ENTRY.fullmatch(line)
        if entry:
            names = entry[1].split(", ")
            found |= dict.fromkeys(names, entry[2])
        elif names and line.startswith("        "):
            found |= dict.fromkeys(names, f"{found[names[0]]} {line.strip()}")
        else:
            raise ValueError(f"got {line!r} in a section `Attributes`, expected `name: description`")
    return summary.strip(), found


def field_descriptions(schema: type) -> dict[str, str]:
    """Description of each field of a class, also of the inherited ones."""
    found: dict[str, str] = {}
    for each in reversed(schema.__mro__):
        found |= parse_docstring(vars(each).get("__doc__") or "")[1]
    return found


class Strict(BaseModel):
    """Immutable. Unknown keys, NaN and silent conversions (`"3"` or `1.5` for a count) are errors."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Move the descriptions of the fields from that of the class to their places in its JSON schema."""
        schema = handler(core_schema)
        content, texts = handler.resolve_ref_schema(schema), field_descriptions(cls)
        for name, field in cls.model_fields.items():
            if name in texts:
                content["properties"][field.alias or name]["description"] = texts[name]
        if "description" in content:
            content["description"] = parse_docstring(content["description"])[0]
        return schema
