"""What becomes of a table's switch (`proxy.fleet.switches`) next, as one proxy sees it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from proxy.fleet.switches import Switch, Switched
from proxy.phases import Phase
from proxy.rulefiles.ruleset import RuleSet, TableRule


@dataclass(frozen=True, slots=True)
class View:
    """What a proxy knows of one table."""

    wanted: bool
    """The rules ask for `primary_switch` or more."""
    told: bool = False
    """Rules that ask for something else have come since the switch was written; see `Change.tells`."""
    inside: bool = False
    """The table is in `primary_switch` here, let in by the fleet."""
    ready: bool = False
    """All gates are open, and the table is at the phase before."""
    unseen: bool = False
    """A proxy does not mirror the table, and so writes past the documents."""
    others: bool = False
    """The rules of another proxy ask for `primary_switch`."""
    past: str = ""
    """The limit of `auto_rollback` that is passed; empty: none is."""


def move(switch: Switch | None, view: View) -> Switched | None:
    """The state that is to be written; None: as it is."""
    state = Switched.GATED if switch is None else switch.state
    if view.past and view.wanted and state is not Switched.ROLLED_BACK:
        return Switched.ROLLED_BACK
    if state is Switched.ROLLED_BACK:
        return Switched.GATED if view.told else None
    if state is Switched.ADMITTED:
        if view.wanted:
            return Switched.GATED if view.unseen else None
        return Switched.GATED if view.told or not view.others else None
    return Switched.ADMITTED if view.wanted and view.ready and not view.inside else None


@dataclass(frozen=True, slots=True)
class Change:
    """Rules that have taken the place of others."""

    old: RuleSet
    new: RuleSet

    def tells(self, switch: Switch | None, database: str, schema: str, table: str) -> bool:
        """Whether they ask for `primary_switch` where those before did not, or the other way round.

        Not the rules under which the switch was written: they only come late.
        """
        if switch is None or self.new.digest == switch.rules:
            return False
        before, after = (rules.lookup(database, schema, table) for rules in (self.old, self.new))
        return _served(before) != _served(after)


def _served(rule: TableRule | None) -> bool:
    return rule is not None and rule.phase >= Phase.PRIMARY_SWITCH
