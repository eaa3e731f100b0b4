"""Proxies of earlier tests in the store that all tests share: one that ended in the middle of something would be waited
for, as it should, for `proxy_lost_after`; and a backfill of theirs has a table of the same name."""

from __future__ import annotations

from typing import Any

from pymongo import MongoClient


def forget_fleet(uri: str) -> None:
    """Nothing is known of proxies that have ended, nor of gaps and backfills; those that live say so again with their
    next heartbeat."""
    with MongoClient[dict[str, Any]](uri) as client:
        for kind in ("proxies", "lost", "gaps", "backfill"):
            client["_causeway"][kind].delete_many({})
