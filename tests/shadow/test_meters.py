"""What is counted of sampled reads, and that it stays bounded; several processes as one."""

from __future__ import annotations

from proxy.admin.shadow import MAX_FINGERPRINTS, MAX_REASONS, OTHER, merge_shadows, shadow_status
from proxy.fleet.tallies import Counts
from proxy.shadow.meters import ShadowMeters, bucket
from proxy.shadow.outcomes import Done, Outcome


def done(outcome: Outcome = Outcome.MATCH, fingerprint: str = "a" * 16, **more: object) -> Done:
    values = {"source_seconds": 0.001, "store_seconds": 0.002, "statement": "select ?", **more}
    return Done(1, "shop", ("public.a", "public.b"), outcome, fingerprint=fingerprint, **values)  # type: ignore[arg-type]


def test_reads_are_counted_by_table_statement_and_reason() -> None:
    meters = ShadowMeters()
    meters.count(done())
    meters.count(done(Outcome.MISMATCH, reason="rows"))
    meters.count(done(Outcome.UNSUPPORTED, reason="LATERAL", store_seconds=None))
    meters.count(done(Outcome.IGNORED, accepted="column public.a.x"))
    meters.count(Done(0, "shop", ("public.a",), Outcome.DROPPED, "the queue is full"))
    report = meters.report(waiting=3, up=True, restarts=1)
    assert report.tables[0].outcomes == {
        "match": 1,
        "mismatch": 1,
        "unsupported": 1,
        "ignored": 1,
        "dropped": 1,
    }
    assert "dropped" not in report.tables[1].outcomes
    (statement,) = report.statements
    assert sum(statement.source) == 4
    assert sum(statement.store) == 3
    assert {(one.outcome, one.reason, one.count) for one in report.reasons} == {
        ("unsupported", "LATERAL", 1),
        ("ignored", "column public.a.x", 1),
        ("dropped", "the queue is full", 1),
    }


def test_totals_have_what_both_sides_answered() -> None:
    meters = ShadowMeters()
    assert meters.totals() == {}
    for outcome in Outcome:
        meters.count(done(outcome))
    assert meters.totals() == dict.fromkeys([("shop", "public.a"), ("shop", "public.b")], Counts(4, 1))


def test_statements_and_reasons_are_bounded() -> None:
    meters = ShadowMeters()
    for number in range(MAX_FINGERPRINTS + MAX_REASONS + 10):
        meters.count(done(Outcome.UNSUPPORTED, f"{number:016x}", reason=f"reason {number}"))
    report = meters.report(waiting=0, up=True, restarts=0)
    assert len(report.statements) == MAX_FINGERPRINTS + 1
    assert len(report.reasons) == MAX_REASONS + 1
    other = next(one for one in report.statements if one.fingerprint == OTHER)
    assert other.outcomes["unsupported"] == MAX_REASONS + 10


def test_several_processes_are_one() -> None:
    first, second = ShadowMeters(), ShadowMeters()
    first.count(done())
    second.count(done(source_seconds=1.0))
    second.count(done(Outcome.TRANSIENT, "b" * 16))
    merged = merge_shadows(
        (first.report(waiting=1, up=True, restarts=0), None, second.report(waiting=2, up=False, restarts=2))
    )
    assert merged is not None
    assert (merged.waiting, merged.up, merged.restarts) == (3, False, 2)
    assert merged.tables[0].outcomes == {"match": 2, "transient": 1}
    assert [sum(one.source) for one in merged.statements] == [2, 1]
    assert merge_shadows((None,)) is None


def test_both_sides_are_shown_side_by_side() -> None:
    meters = ShadowMeters()
    for _ in range(100):
        meters.count(done())
    meters.count(done(Outcome.MISMATCH, "b" * 16))
    status = shadow_status(meters.report(waiting=0, up=True, restarts=0))
    assert [one.fingerprint[0] for one in status.statements] == ["b", "a"]
    one = status.statements[1]
    assert 0.0005 < (one.postgres.p50 or 0) < 0.002
    assert (one.postgres.p50 or 0) < (one.store.p50 or 0) <= (one.store.p95 or 0) <= (one.store.p99 or 0)


def test_durations_fall_into_buckets() -> None:
    assert bucket(0.0) == 0
    assert bucket(1e-9) == 1
    assert bucket(1e9) == 39
