"""Whether a difference between two answers lasts: what several looks have found, while traffic goes on. Pure.

One look is: PostgreSQL is asked; the source's position p is noted; every queue of the fleet passes p; the store is
asked; PostgreSQL is asked again. Everything that the first answer rests on is in the store by then. A store whose
answer is another one is either *newer* than the first answer, and then the second answer is newer, too, or wrong.

* The second answer is like the first (the look is steady): nothing newer has come between, or it has come and gone.
* Two steady looks in a row with the same answers on both sides: the difference lasts. A row that is changed there and
  back within each of two looks, each time seen in the same wrong moment, is not believed in.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import Enum

MAX_LOOKS = 6
PAUSES = (0.0, 0.1, 0.3, 0.6, 1.0, 1.5)
"""Seconds before each look."""


class Verdict(Enum):
    EQUAL = "equal"
    """The difference was on its way."""
    DOUBT = "doubt"
    """Another answer of PostgreSQL's could have been as right."""
    LASTS = "lasts"
    AGAIN = "again"
    UNSETTLED = "unsettled"
    """It was written whenever it was looked at."""


@dataclass(frozen=True, slots=True)
class Look:
    equal: bool
    doubt: str = ""
    steady: bool = False
    source: Hashable = None
    """What PostgreSQL said, to be compared with the next look's."""
    store: Hashable = None


def verdict(looks: Sequence[Look]) -> Verdict:
    """Of all looks so far; at least one."""
    last = looks[-1]
    if last.equal:
        return Verdict.EQUAL
    if last.doubt:
        return Verdict.DOUBT
    if len(looks) > 1:
        before = looks[-2]
        same = before.source == last.source and before.store == last.store
        if before.steady and last.steady and same:
            return Verdict.LASTS
    return Verdict.AGAIN if len(looks) < MAX_LOOKS else Verdict.UNSETTLED
