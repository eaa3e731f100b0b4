"""Proxies of earlier tests in the store that all tests share: one that ended in the middle of something would be waited
for, as it should, for `proxy_lost_after`."""

from __future__ import annotations

from typing import Any

from pymongo import MongoClient


def forget_fleet(uri: str) -> None:
    """Nothing is known of proxies that have ended, nor of gaps; those that live say so again with their next
    heartbeat."""
    with MongoClient[dict[str, Any]](uri) as client:
        for kind in ("proxies", "lost", "gaps"):
            client["_causeway"][kind].delete_many({})
