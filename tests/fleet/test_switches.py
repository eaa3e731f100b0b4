"""The documents in which the fleet keeps what it has agreed on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import bson
import pytest

from proxy.fleet.switches import Switch, Switched, parse_switch

AT = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)
OPTIONS: bson.CodecOptions[Mapping[str, Any]] = bson.CodecOptions(tz_aware=True)


@pytest.mark.parametrize("state", Switched)
def test_a_switch_survives_the_store(state: Switched) -> None:
    switch = Switch(state, "digest", AT, "proxy", "mismatch rate 3 % > 1 %", 7)
    document = {**switch.document(), "revision": 7}
    assert parse_switch(bson.decode(bson.encode(document), OPTIONS)) == switch
    assert parse_switch(bson.decode(bson.encode(document))) == switch, "a time without a zone is UTC"


def test_why_a_table_is_kept_out() -> None:
    switch = Switch(Switched.ROLLED_BACK, "digest", AT, "proxy", "mirror lag 40.0 s > 30s")
    assert switch.rolled_back == "rolled back by itself on 2026-03-01 at 12:30:05Z: mirror lag 40.0 s > 30s"
    assert not switch.admitted
    let_in = Switch(Switched.ADMITTED, "digest", AT, "proxy")
    assert let_in.admitted
    assert let_in.rolled_back == ""
