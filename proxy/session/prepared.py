"""The prepared statements and portals of one session, as far as they matter to mirroring."""

from __future__ import annotations

from proxy.session.plan import Plan, Step


class Prepared:
    """One prepared statement the session has."""

    __slots__ = (
        "batch",
        "generation",
        "origin",
        "plan",
        "rest",
        "spliced",
        "text",
        "twins",
        "unsure",
        "versions",
    )

    def __init__(
        self, text: bytes, rest: bytes, plan: Plan | None, generation: int, *, spliced: bool
    ) -> None:
        self.text = text
        """As the client wrote it; empty for one that SQL PREPARE made."""
        self.rest = rest
        """Of its Parse: the parameter types."""
        self.plan = plan
        """None: nothing in it matters."""
        self.generation = generation
        """Of the ground the plan was made on."""
        self.spliced = spliced
        """Whether what the server has under the name is spliced, so that its results hold our column."""
        self.origin: Step | None = None
        """The step as it was when it was spliced; None if it is not."""
        self.twins: dict[bool, bytes] = {}
        """Names of other copies, spliced (True) or not: for when what may be spliced has changed since."""
        self.versions: tuple[object, ...] | None = None
        """Of a read that might be served: the relations as they were when the server last accepted it."""

        self.unsure = False
        """Whether the server has not taken it yet, so that the name may still mean what it did before, and the results
        of one of the two hold our column."""
        self.batch = 0
        """In which batch it was sent; see `Queue.batch`."""

    @property
    def step(self) -> Step | None:
        if self.plan is None or not self.plan.steps:
            return None
        return self.plan.steps[0]


class Portal:
    """What a portal was bound to."""

    __slots__ = ("ahead", "pinned", "ran", "shown", "step", "unfetched")

    def __init__(self, step: Step | None, shown: Step | None, ahead: int = 0) -> None:
        self.step = step
        """What it does, as rules and catalogue are now."""
        self.shown = shown
        """What its results look like, if they hold our column."""
        self.pinned: tuple[tuple[str | None, ...], ...] = ()
        """The old keys of an UPDATE that changes its key, one for each of `step.pins`."""
        self.ahead = ahead
        """ReadyForQuery messages still to come for what was sent before it was bound: they do not end it."""
        self.ran = False
        """Whether an Execute of it was sent."""
        self.unfetched = False
        """Whether rows may be left in it that the client has not asked for."""
