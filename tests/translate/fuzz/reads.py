"""One random read of a class of what applications send: see `tests/translate/reads`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.translate.fuzz.expressions import Maker, Parameter
from tests.translate.fuzz.schema import Schema
from tests.translate.fuzz.shapes import SHAPES
from tests.translate.fuzz.wild import WILD

GROUPS = tuple(SHAPES)
_WEIGHTED = (*SHAPES, "7", "8", "12", "12", "14", "4", "6")
_WILD_SHARE = 0.15


@dataclass(frozen=True)
class Read:
    group: str
    """The number of its class."""
    sql: str
    parameters: tuple[Parameter, ...]


def make_read(random: Random, schema: Schema, groups: Sequence[str] = ()) -> Read:
    group = random.choice(groups or _WEIGHTED)
    maker = Maker(random, schema)
    sql = ""
    if group in WILD and random.random() < _WILD_SHARE:
        sql = random.choice(WILD[group])(maker)
    if not sql:
        maker = Maker(random, schema)
        sql = SHAPES[group](maker)
    return Read(group, sql, tuple(maker.parameters))
