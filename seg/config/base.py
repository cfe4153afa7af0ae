"""Types that several parts of `params.yaml` share."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)


def _number(value: Any) -> Any:
    """Read text such as `1e-3` as a number: YAML 1.1 requires a point in the mantissa and yields text without it."""
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


Number = Annotated[float, BeforeValidator(_number)]
Probability = Annotated[Number, Field(ge=0, le=1)]
Positive = Annotated[Number, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Frozen(BaseModel):
    """Immutable. Unknown keys and silent conversions (`"3"` or `1.5` for a count) are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _nothing_required(schema: dict[str, Any]) -> None:
    schema.pop("required", None)


class Part(Frozen):
    """A mapping that a row may give in part, because the rest is inherited.

    It is validated after the merge; the JSON schema, which sees the row alone, therefore requires no key.
    """

    model_config = ConfigDict(json_schema_extra=_nothing_required)
