"""Types shared by several parts of `params.yaml`, and dotted keys."""

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from seg.system.console import nearest
from seg.system.strict import Strict

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)


def _number(value: Any) -> Any:
    """Read text such as `1e-3` as a number: YAML 1.1 requires a point in the mantissa and yields text without it."""
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


Number = Annotated[float, BeforeValidator(_number)]
Probability = Annotated[Number, Field(ge=0, le=1)]
Positive = Annotated[Number, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Frozen(Strict):
    """A mapping that a user writes: the error of an unknown key names the nearest known one."""

    @model_validator(mode="wrap")
    @classmethod
    def _suggest_keys(cls, content: Any, validate: Callable[[Any], Self]) -> Self:
        try:
            return validate(content)
        except ValidationError as error:
            problems: list[Any] = error.errors()
            for problem in problems:
                if problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1:
                    hint = ValueError(f"unknown; {nearest(str(problem['loc'][0]), cls.model_fields)}")
                    problem |= {"type": "value_error", "ctx": {"error": hint}}
            raise ValidationError.from_exception_data(error.title, problems) from None


class Part(Frozen):
    """A mapping that a row may give in part, because the rest is inherited.

    It is validated after the merge; the JSON schema, which validates the row alone, therefore requires no key.
    """

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("required", None))


class Reading(Part):
    """How a source is read where it is silent, ambiguous, contradictory or not followed.

    Attributes:
        source: section or table; by default the source as a whole.
        says: what stands there, or what is missing in a silent source.
        done: what is done here.
        why: the reason.
    """

    source: str = "Source"
    says: str
    done: str
    why: str = ""

    def text(self) -> str:
        """The reading as a footnote."""
        reason = f", because {self.why}" if self.why else ""
        return f"{self.source}: {self.says}. Here: {self.done}{reason}."


Readings = dict[str, Reading | None]  # by the value that they explain; null clears an inherited one


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values in nested mappings by dotted key (`schedule.name`). An empty mapping is a value."""
    if not isinstance(value, dict) or not value:
        yield path, value
        return
    for key, item in value.items():
        yield from leaves(item, f"{path}.{key}" if path else key)
