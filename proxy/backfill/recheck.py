"""Whether a difference lasts: what was seen in several looks at one key, while traffic goes on. Pure.

One look is: the row is read; the source's position p is noted; every queue of the fleet passes p; then the document is
read, with its pair (v, r). So an image of the row as it was read, or of anything before, is in the store by then, and
a document that differs is either *newer* than the row that was read, or wrong.

* Two looks in a row that find the same pair: nothing newer has come in between. What the second look read of the row
  had been in PostgreSQL before its p, and what the document holds was there before the first look's end: it is not
  newer. The difference is real, whether or not the row has changed (a change that nobody mirrors shows like that).
* The pair has grown: the document is being written. Look again. A row that is written in every one of many looks is
  one that the mirror follows: each image is a whole row and overwrites whatever was there.

A row that changes and changes back between its two reads does not deceive this: its images have made the pair grow.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from proxy.stores.convergence import Pair

MAX_LOOKS = 4


class Verdict(Enum):
    EQUAL = "equal"
    """It was only on its way."""
    FOLLOWED = "followed"
    """It is written all the time, and the mirror follows."""
    LASTS = "lasts"
    AGAIN = "again"
    UNSETTLED = "unsettled"
    """Others keep repairing it; it has not been found equal."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look has found of a key."""

    differs: bool
    pair: Pair
    """Of the document, or of what says that there is none."""


def verdict(before: Look | None, now: Look, looks: int) -> Verdict:
    """`looks`: how many there have been, this one among them."""
    if not now.differs:
        return Verdict.EQUAL
    if before is None:
        return Verdict.AGAIN
    if now.pair == before.pair:
        return Verdict.LASTS
    if looks < MAX_LOOKS:
        return Verdict.AGAIN
    return Verdict.FOLLOWED if now.pair.version > before.pair.version else Verdict.UNSETTLED
