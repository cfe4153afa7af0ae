"""Inheritance between rows of `params.yaml`: `like` in a variant's row, and `cluster.training_of` over `training`.

Rows are merged before they are validated, and the path that each inherited value was written at is kept for error
messages and `seg show`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from seg.config.schema import NULLABLE
from seg.system.console import nearest

RawRow = Mapping[str, Any]
_NOT_INHERITED = ("like", "enabled")


class Inherited(NamedTuple):
    """Content of `params.yaml` with complete rows; for each inherited path, the path it was written at; errors."""

    content: dict[str, Any]
    written: dict[str, str]
    problems: list[str]

    def written_at(self, path: str) -> str:
        """The path at which a value, or the mapping that should hold it, was written."""
        parent, _, key = path.rpartition(".")
        return self.written.get(path) or (f"{self.written_at(parent)}.{key}" if parent else path)


def apply_inheritance(content: RawRow) -> Inherited:
    """Complete the rows that inherit. `problems` has one line per invalid `like`; the rest may be invalid, too."""
    result = Inherited(dict(content), {}, [])
    studies = mapping(content.get("studies"))
    if studies:
        result.content["studies"] = {**studies}
    for name, study in studies.items():
        rows = mapping(mapping(study).get("variants"))
        if any("like" in mapping(row) for row in rows.values()):
            variants = _complete(f"studies.{name}.variants", rows, result)
            result.content["studies"][name] = {**study, "variants": {**rows, **variants}}
    cluster = mapping(content.get("cluster"))
    training = mapping(cluster.get("training"))
    if jobs := mapping(cluster.get("training_of")):
        complete = {name: {**training, **job} if isinstance(job, dict) else job for name, job in jobs.items()}
        result.content["cluster"] = {**cluster, "training_of": complete}
        for name, job in jobs.items():
            keys = set(training) - set(mapping(job))
            result.written.update({f"cluster.training_of.{name}.{key}": f"cluster.training.{key}" for key in keys})
    return result


def _complete(path: str, rows: RawRow, result: Inherited) -> dict[str, RawRow]:
    """Complete rows of the variants that inherit. Adds to `written` and `problems`."""
    complete: dict[str, RawRow] = {}
    for variant in rows:
        try:
            chain = _chain(variant, rows)
        except ValueError as error:
            result.problems.append(f"{path}.{error}")
            continue
        if len(chain) == 1:
            continue
        merged = mapping(rows[chain[-1]])
        for name in reversed(chain[:-1]):
            merged = _merge(merged, rows[name], _NOT_INHERITED, NULLABLE)
        complete[variant] = merged
        for keys in _paths(merged):
            source = next(name for name in chain if _has(rows[name], keys))
            if source != variant:
                key = ".".join(keys)
                result.written[f"{path}.{variant}.{key}"] = f"{path}.{source}.{key}"
    result.problems[:] = dict.fromkeys(result.problems)  # every heir reports the same one
    return complete


def _chain(variant: str, rows: RawRow) -> list[str]:
    """A variant and those that it inherits from, nearest first. Raises ValueError for an unknown name or a cycle."""
    chain = [variant]
    while isinstance(like := mapping(rows[chain[-1]]).get("like"), str):
        if like not in rows:
            raise ValueError(f"{chain[-1]}.like: '{like}' is unknown; {nearest(like, rows)}")
        if like in chain:
            cycle = chain[chain.index(like) :]
            start = cycle.index(min(cycle, key=list(rows).index))  # so that all of its members report the same line
            names = [*cycle[start:], *cycle[:start], cycle[start]]
            raise ValueError(f"{names[0]}.like: {' is like '.join(names)}; remove one of them")
        chain.append(like)
    return chain


def _merge(
    inherited: RawRow, row: RawRow, omitted: tuple[str, ...] = (), nullable: frozenset[str] = frozenset()
) -> RawRow:
    """Merge a row over an inherited one: mappings key by key, null clears what is inherited."""
    merged = {key: value for key, value in inherited.items() if key not in omitted}
    for key, value in row.items():
        before = merged.get(key)
        if value is None and key in merged and key not in nullable:
            del merged[key]
        elif isinstance(value, dict) and isinstance(before, dict) and not _renamed(before, value):
            merged[key] = _merge(before, value)
        else:
            merged[key] = value
    return merged


def _renamed(before: RawRow, value: RawRow) -> bool:
    """Whether a mapping such as `model` or `schedule` gets another name, which the inherited keys do not belong to."""
    return "name" in before and "name" in value and before["name"] != value["name"]


def _paths(row: RawRow, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in row.items():
        yield (*above, key)
        yield from _paths(mapping(value), (*above, key))


def _has(row: RawRow, keys: tuple[str, ...]) -> bool:
    value: Any = row
    for key in keys:
        if key not in mapping(value):
            return False
        value = value[key]
    return True


def mapping(value: Any) -> RawRow:
    """The value if it is a mapping, else an empty one: raw content may hold anything."""
    return value if isinstance(value, dict) else {}
