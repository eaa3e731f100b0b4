"""The states of comparisons in the store, which any process may change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from proxy.backfill.report import KIND, Verification, parse_verification
from proxy.stores.protocol import Document, Store

Change = Callable[[Verification | None], Verification | None]


def parsed(document: Document) -> Verification | None:
    """None for what another version of Causeway has written otherwise."""
    try:
        return parse_verification(document)
    except (LookupError, ValueError, TypeError, AttributeError):
        return None


async def all_states(store: Store) -> dict[str, Verification]:
    """By the name of the table, with its database."""
    found = {name: parsed(document) for name, document in (await store.get_state(KIND)).items()}
    return {name: state for name, state in found.items() if state is not None}


async def keep(store: Store, name: str, change: Change) -> Verification | None:
    """Changes the state of a table by compare-and-set; None where `change` gives None, and nothing is done."""
    while True:
        found = await store.state(KIND, name)
        revision = 0 if found is None else int(found["revision"])
        after = change(None if found is None else parsed(found))
        if after is None:
            return None
        if await store.swap_state(KIND, name, revision, after.document()):
            return replace(after, revision=revision + 1)
