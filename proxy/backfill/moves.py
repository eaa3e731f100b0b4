"""How the run of a backfill goes on, whoever does what in which order. Pure.

A worker *claims* the next chunk of keys, copies it and *finishes* it; each of these is a function from one `Run` to
the next, written by a compare-and-set on its revision (`Store.swap_state`). So nobody locks anything: who was slower
reads the document again and decides anew. Whatever is not finished is still among the claims, with both of its ends,
so a worker that is killed loses the chunks it had under way and nothing else; another takes them over. Copying a chunk
twice is harmless, and counts once: finishing needs a claim that is still one's own.

Chunk n is of the keys after `low` up to and including `high`; `low` of one is `high` of the one before, so the chunks
cut all keys up to the cursor into pieces that neither overlap nor leave one out.

One thing copying again does not mend. A seed looks for a tombstone *after* it has put its document in, and takes it
back; a worker that dies in between leaves the document of a row that was deleted meanwhile, and whoever reads the chunk
again does not meet that row any more. So a chunk that was given up casts a *doubt* on the run. It is done only when,
some time after the last doubt, what recent tombstones say is dead was swept out (`proxy.stores.convergence.sweep`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from proxy.backfill.run import Boundary, Claim, Counts, Run, Status, Worker

MAX_MARKS = 12
"""Moments kept to tell the rate from."""
MARK_EVERY = 5.0
"""Seconds between two of them."""


def claim_next(run: Run, owner: str, boundary: Boundary, now: datetime) -> tuple[Run, Claim | None]:
    """The run with the chunk up to `boundary` claimed. None: there is none left, or the cursor has moved on.

    Nothing is claimed of a run that does not go on.
    """
    if run.status is not Status.RUNNING or run.exhausted or run.cursor != boundary.low:
        return run, None
    if boundary.high is None:
        return _settled(replace(run, exhausted=True, updated=now), now), None
    claim = Claim(run.claimed + 1, run.cursor, boundary.high, owner, boundary.keys)
    after = replace(
        run,
        cursor=boundary.high,
        exhausted=boundary.last,
        claimed=claim.number,
        claims=(*run.claims, claim),
        updated=now,
    )
    return _marked(after, now), claim


def take_over(run: Run, owner: str, gone: Collection[str], now: datetime) -> tuple[Run, Claim | None]:
    """The run with the first claim of somebody in `gone`, or that was given back, made `owner`'s; None: there is none.

    Workers that are gone are left out from then on.
    """
    run = _without(run, gone, now)
    if run.status is not Status.RUNNING:
        return run, None
    for claim in run.claims:
        if not claim.owner:
            taken = replace(claim, owner=owner)
            claims = tuple(taken if one is claim else one for one in run.claims)
            return _marked(replace(run, claims=claims, updated=now), now), taken
    return run, None


def finish(
    run: Run,
    owner: str,
    number: int,
    counts: Counts,
    position: int,
    now: datetime,
    *,
    doubtful: bool = False,
) -> Run | None:
    """The run with the chunk done. None: it is not `owner`'s any more, and is somebody else's to finish.

    A chunk may be finished while the run is paused, or has failed; nothing counts after it was cancelled. `doubtful`:
    it was copied again after a write that failed.
    """
    claim = next((one for one in run.claims if one.number == number), None)
    if claim is None or claim.owner != owner or run.status.is_over:
        return None
    rest = tuple(one for one in run.claims if one is not claim)
    done = replace(counts, keys=claim.keys, chunks=1)
    after = replace(run, claims=rest, totals=run.totals + done, position=position, updated=now)
    if doubtful:
        after = replace(after, doubt=now)
    return _settled(_marked(after, now), now)


def owns(run: Run, owner: str, number: int) -> bool:
    """Whether the chunk is under way and `owner`'s."""
    return any(claim.number == number and claim.owner == owner for claim in run.claims)


def join(run: Run, owner: str, worker: Worker) -> Run:
    """The run with one worker more. One that had failed goes on."""
    workers = MappingProxyType({**run.workers, owner: worker})
    after = replace(run, workers=workers)
    return resume(after, worker.joined) if run.status is Status.FAILED else after


def leave(run: Run, owner: str, now: datetime) -> Run:
    """The run without a worker; what it had claimed and not finished is given back."""
    return _without(run, (owner,), now)


def needs_sweep(run: Run) -> bool:
    """Whether all is copied, and a doubt is left."""
    return run.exhausted and not run.claims and run.doubt is not None and not run.status.is_over


def swept(run: Run, doubt: datetime, now: datetime) -> Run | None:
    """The run after a sweep that began long enough after `doubt`. None: there is another doubt since."""
    if run.doubt != doubt:
        return None
    return _settled(replace(run, doubt=None, doubted_from=None, updated=now), now)


def say(run: Run, owner: str, throttled: str) -> Run:
    """The run that tells what holds a worker back."""
    worker = run.workers.get(owner)
    if worker is None or worker.throttled == throttled:
        return run
    return replace(
        run, workers=MappingProxyType({**run.workers, owner: replace(worker, throttled=throttled)})
    )


def pause(run: Run, reason: str, now: datetime, *, held: bool = False) -> Run:
    """No further chunk is begun; those under way are finished. Who pauses by hand also does where it is `held`."""
    if run.status is not Status.RUNNING and not (run.status is Status.PAUSED and run.held and not held):
        return run
    return replace(run, status=Status.PAUSED, reason=reason, held=held, updated=now)


def resume(run: Run, now: datetime) -> Run:
    """Goes on with a run that is paused or has failed."""
    if run.status not in (Status.PAUSED, Status.FAILED):
        return run
    after = replace(run, status=Status.RUNNING, reason="", held=False, ended=None, updated=now)
    return _settled(replace(after, marks=((now, run.totals.keys),)), now)


def fail(run: Run, reason: str, now: datetime) -> Run:
    """The run ends until somebody starts it again."""
    if run.status.is_over:
        return run
    return replace(run, status=Status.FAILED, reason=reason, ended=now, updated=now)


def cancel(run: Run, now: datetime) -> Run:
    """The run ends for good; what is copied stays."""
    if run.status.is_over:
        return run
    if run.claims:
        run = replace(run, doubt=now)
    return replace(
        run,
        status=Status.CANCELLED,
        reason="",
        ended=now,
        updated=now,
        claims=(),
        workers=MappingProxyType({}),
    )


def tune(run: Run, **changes: Any) -> Run:
    """The run with other settings; see `Tuning`."""
    return replace(run, tuning=replace(run.tuning, **changes))


def _without(run: Run, gone: Collection[str], now: datetime) -> Run:
    given_up = any(claim.owner in gone for claim in run.claims)
    if not given_up and not any(one in run.workers for one in gone):
        return run
    if given_up:
        run = replace(run, doubt=now)
    claims = tuple(replace(claim, owner="") if claim.owner in gone else claim for claim in run.claims)
    workers = {owner: worker for owner, worker in run.workers.items() if owner not in gone}
    return replace(run, claims=claims, workers=MappingProxyType(workers))


def _settled(run: Run, now: datetime) -> Run:
    """Done, if nothing is left: also of a run that was paused when its last chunk was under way."""
    if run.exhausted and not run.claims and run.doubt is None and not run.status.is_over:
        return replace(run, status=Status.DONE, reason="", ended=now)
    return run


def _marked(run: Run, now: datetime) -> Run:
    marks = run.marks
    if not marks or (now - marks[-1][0]).total_seconds() >= MARK_EVERY:
        marks = (*marks, (now, run.totals.keys))[-MAX_MARKS:]
    return replace(run, marks=marks)
