"""What becomes of a transaction: savepoints, two-phase commit, a story that is not PostgreSQL's."""

from __future__ import annotations

from tests.support.capture import CaptureScript, as_text, image, row
from tests.support.transcript import complete, error, query, ready

UPDATE = "UPDATE orders SET total = 1 WHERE id = 1"


def test_savepoints() -> None:
    script = CaptureScript(waits=False).begin()
    for text, tag in [(UPDATE, "UPDATE 1"), ("SAVEPOINT a", "SAVEPOINT"), (UPDATE, "UPDATE 1")]:
        script.client(query(text))
        if tag == "UPDATE 1":
            script.server(row(as_text(image())))
        script.server(complete(tag), ready("T"))
    script.client(query("SELECT broken")).server(error("42703"), ready("E"))
    script.client(query("ROLLBACK TO a")).server(complete("ROLLBACK"), ready("T"))
    script.client(query("RELEASE a")).server(complete("RELEASE"), ready("T"))
    script.client(query("COMMIT")).server(complete("COMMIT"), ready())
    assert script.mirror.heard() == ["secure i", "committed i"]


def test_a_savepoint_before_the_first_write_is_known_too() -> None:
    script = CaptureScript(waits=False).begin()
    script.client(query("SAVEPOINT a")).server(complete("SAVEPOINT"), ready("T"))
    script.client(query(UPDATE)).server(row(as_text(image())), complete("UPDATE 1"), ready("T"))
    script.client(query("ROLLBACK TO a")).server(complete("ROLLBACK"), ready("T"))
    script.client(query("COMMIT")).server(complete("COMMIT"), ready())
    assert script.mirror.heard()[-1] == "aborted nothing"


def test_two_phase_commit() -> None:
    script = CaptureScript(waits=False).begin()
    script.client(query(UPDATE)).server(row(as_text(image())), complete("UPDATE 1"), ready("T"))
    script.client(query("PREPARE TRANSACTION 'g1'")).server(complete("PREPARE TRANSACTION"), ready())
    script.mirror_heard("secure i", "prepared g1 i")
    script.client(query("COMMIT PREPARED 'g1'")).server(complete("COMMIT PREPARED"), ready())
    script.mirror_heard("settle g1")


def test_a_savepoint_nobody_has_seen_makes_everything_doubtful() -> None:
    script = CaptureScript(waits=False).begin()
    script.client(query(UPDATE)).server(row(as_text(image())), complete("UPDATE 1"), ready("T"))
    script.client(query("ROLLBACK TO elsewhere")).server(complete("ROLLBACK"), ready("T"))
    script.client(query("COMMIT")).server(complete("COMMIT"), ready())
    assert script.mirror.heard() == ["secure i,unobserved", "committed i,unobserved"]
