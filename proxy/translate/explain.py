"""What a plan does, for people: the questions to the store, what the proxy does itself, indexes that would help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from proxy.translate.api import Explanation, OutputColumn
from proxy.translate.filters import safely
from proxy.translate.plan import Fetch
from proxy.translate.rewrite import queries
from proxy.translate.runtime import Run
from proxy.translate.tree import Derived, Join, Query, SetOperation, Shared, Values


def explanation(
    query: Query, fetches: Sequence[Fetch], columns: tuple[OutputColumn, ...], run: Run | None = None
) -> Explanation:
    """`run`: with parameters, to show the filters themselves."""
    return Explanation(
        tuple(_question(fetch, run) for fetch in fetches),
        tuple(dict.fromkeys(step for one in queries(query) for step in _steps(one))),
        tuple(dict.fromkeys(index for fetch in fetches for index in _indexes(fetch))),
        columns,
    )


def _question(fetch: Fetch, run: Run | None) -> Mapping[str, Any]:
    """What is filtered, looked up, sorted and cut."""
    mapping = fetch.scan.table.mapping
    made: dict[str, Any] = {"table": mapping.table, "collection": str(mapping.namespace)}
    if fetch.filter is not None:
        made["filter on"] = list(fetch.filter.fields)
        made["filter is exact"] = fetch.filter.exact and fetch.complete
        if run is not None:
            made["filter"] = dict(safely(fetch.filter, run)[0])
    if fetch.edges:
        made["looked up by"] = [edge.rule.name for edge in fetch.edges]
    if fetch.top is not None:
        made["sort"] = [f"{name} {'desc' if direction < 0 else 'asc'}" for name, direction in fetch.top.sort]
        made["limit"] = True
    if fetch.count:
        made["count"] = True
    else:
        made["fields"] = [name for name in fetch.decoder.projection() if name != "_cw"]
    return made


def _indexes(fetch: Fetch) -> Iterator[str]:
    name = fetch.scan.table.mapping.namespace
    for edge in fetch.edges:
        if edge.rule.name != "_id":
            yield f"{name}: {edge.rule.name}"
    if fetch.filter is not None and fetch.filter.fields and "_id" not in fetch.filter.fields:
        yield f"{name}: {', '.join(fetch.filter.fields)}"


def _steps(query: Query) -> Iterator[str]:
    if query.where is not None:
        yield "conditions are checked again"
    yield from _source(query.source)
    if query.grouped:
        yield "groups and aggregates" if query.group else "aggregates"
    if query.windows:
        yield "window functions"
    if query.distinct is not None:
        yield "DISTINCT ON" if query.distinct_on else "DISTINCT"
    if query.order:
        yield "sorting"
    if query.limit is not None or query.offset is not None:
        yield "limit and offset"


def _source(source: object) -> Iterator[str]:
    if isinstance(source, Join):
        yield f"{source.kind} join"
        yield from _source(source.left)
        yield from _source(source.right)
    elif isinstance(source, SetOperation):
        yield f"{source.kind}{' all' if source.every else ''}"
    elif isinstance(source, Derived | Shared):
        yield "derived tables"
    elif isinstance(source, Values):
        yield "values"
