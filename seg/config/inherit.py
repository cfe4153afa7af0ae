"""Inheritance between rows of `params.yaml`: `like` in a variant's row, and `cluster.training_of` over `training`.

Rows are merged before they are validated. The path at which each inherited value was written is kept for error messages
and `seg show`.
"""

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from seg.config.schema import NULLABLE
from seg.system.console import nearest

RawRow = Mapping[str, Any]


class Inherited(NamedTuple):
    """Content of `params.yaml` with complete rows; the path that each inherited path comes from; errors."""

    content: dict[str, Any]
    sources: dict[str, str]
    problems: list[str]

    def written_at(self, path: str) -> str:
        """The path at which a value, or the mapping that should contain it, was written."""
        keys = path.split(".")
        for end in range(len(keys), 0, -1):
            if source := self.sources.get(".".join(keys[:end])):
                return self.written_at(".".join([source, *keys[end:]]))
        return path


def apply_inheritance(content: RawRow) -> Inherited:
    """Complete the rows that inherit. `problems` has one line per invalid `like`; the rest may be invalid as well."""
    result = Inherited(dict(content), {}, [])
    if studies := mapping(content.get("studies")):
        result.content["studies"] = {name: _complete_study(name, study, result) for name, study in studies.items()}
    cluster = mapping(content.get("cluster"))
    if jobs := mapping(cluster.get("training_of")):
        training = mapping(cluster.get("training"))
        complete = {
            name: _merge(training, job, "cluster.training", f"cluster.training_of.{name}", result.sources, job.keys())
            if isinstance(job, dict)
            else job
            for name, job in jobs.items()
        }
        result.content["cluster"] = {**cluster, "training_of": complete}
    return result


def _complete_study(study: str, content: Any, result: Inherited) -> Any:
    """A study with complete rows of its variants. Adds to `sources` and `problems`."""
    rows = mapping(mapping(content).get("variants"))
    path = f"studies.{study}.variants"
    complete: dict[str, Any] = {}
    for variant in rows:
        try:
            chain = _chain(variant, rows)
        except ValueError as error:
            line = f"{path}.{error}"
            if line not in result.problems:  # every row that inherits from it reports the same one
                result.problems.append(line)
            continue
        merged = rows[chain[0]]
        for parent, heir in pairwise(chain):
            inherited = {key: value for key, value in mapping(merged).items() if key not in ("like", "enabled")}
            merged = _merge(inherited, rows[heir], f"{path}.{parent}", f"{path}.{heir}", result.sources, NULLABLE)
        complete[variant] = merged
    return {**content, "variants": {**rows, **complete}} if complete else content


def _chain(variant: str, rows: RawRow) -> list[str]:
    """The rows that a variant inherits from, and itself last. Raises ValueError for an unknown name or a cycle."""
    chain = [variant]
    while isinstance(like := mapping(rows[chain[0]]).get("like"), str):
        if like not in rows:
            raise ValueError(f"{chain[0]}.like: '{like}' is unknown; {nearest(like, rows)}")
        if like in chain:
            cycle = chain[chain.index(like) :: -1]
            start = cycle.index(min(cycle, key=list(rows).index))  # so that all of its members report the same line
            names = [*cycle[start:], *cycle[:start], cycle[start]]
            raise ValueError(f"{names[0]}.like: got the cycle {' -> '.join(names)}; remove one `like`")
        chain.insert(0, like)
    return chain


def _merge(
    inherited: RawRow, row: RawRow, parent: str, heir: str, sources: dict[str, str], nullable: Collection[str] = ()
) -> RawRow:
    """Merge a row over an inherited one: mappings key by key, null clears what is inherited. Adds to `sources`.

    Args:
        inherited: the complete row at the path `parent`.
        row: the row at the path `heir`.
        sources: gets the path below `parent` of each inherited path below `heir`.
        nullable: keys whose null is a value.
    """
    merged = dict(inherited)
    for key, value in row.items():
        before = merged.get(key)
        if value is None and key in merged and key not in nullable:
            del merged[key]
        elif isinstance(value, dict) and isinstance(before, dict) and not _renamed(before, value):
            merged[key] = _merge(before, value, f"{parent}.{key}", f"{heir}.{key}", sources)
        else:
            merged[key] = value
    sources.update({f"{heir}.{key}": f"{parent}.{key}" for key in merged if key not in row})
    return merged


def _renamed(before: RawRow, value: RawRow) -> bool:
    """Whether a mapping such as `model` or `schedule` gets another name, which the inherited keys do not belong to."""
    return "name" in before and "name" in value and before["name"] != value["name"]


def mapping(value: Any) -> RawRow:
    """The value if it is a mapping, else an empty one: raw content may contain anything."""
    return value if isinstance(value, dict) else {}
