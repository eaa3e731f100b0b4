"""What the connections of one process need to capture writes, and which of them do."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from proxy.admin.counters import Counters
from proxy.mirror.port import MirrorPort
from proxy.serve.port import ServePort
from proxy.session.capture import CaptureOwner
from proxy.session.plans import Plans, SessionPlans
from proxy.session.requests import CapturingRelay
from proxy.session.serving import ServingRelay
from proxy.session.session import Session
from proxy.shadow.tap import SessionTap, ShadowPort
from proxy.wire.startup import StartupMessage


class Capturing:
    """Makes capturing relays for sessions whose database has a mirrored table."""

    def __init__(
        self,
        plans: Plans,
        mirror: MirrorPort,
        *,
        prepare: Callable[[str], Awaitable[None]],
        shadow: ShadowPort | None = None,
        serve: ServePort | None = None,
        dice: Callable[[], float] = random.random,
    ) -> None:
        """`prepare` returns once what is known of a database is as complete as it can be had in time; `shadow` gets
        the reads that are sampled, `serve` answers those of tables whose reads are served. `dice` is thrown once for
        each session."""
        self._shadow = shadow
        self._serve = serve
        self._dice = dice
        self.plans = plans
        self.mirror = mirror
        self.prepare = prepare

    def wants(self, message: StartupMessage | None) -> bool:
        """Whether the session must be captured now."""
        if message is None or message.parameters.get("replication"):
            return False
        ground = self.plans.ground(message.database)
        return ground is not None and bool(ground.tables)

    def relay(
        self, owner: CaptureOwner, session: Session, counters: Counters, *, status: int, high_water: int
    ) -> CapturingRelay:
        message = session.message
        assert message is not None
        plans = self.plans.session(
            message.database,
            message.user,
            message.parameters.get("options", "")
            + (" search_path" if "search_path" in message.parameters else "")
            + (" role" if "role" in message.parameters else ""),
            session.parameters,
        )
        relay = self._made(owner, counters, plans, status=status, high_water=high_water)
        if self._shadow is not None:
            settings = {**message.parameters, **session.parameters}
            options = message.parameters.get("options", "")
            relay.taps = SessionTap(plans, self._shadow, settings, options=options)
        return relay

    def _made(
        self, owner: CaptureOwner, counters: Counters, plans: SessionPlans, *, status: int, high_water: int
    ) -> CapturingRelay:
        if self._serve is None:
            return CapturingRelay(owner, counters, plans, self.mirror, status=status, high_water=high_water)
        serving = ServingRelay(
            owner,
            counters,
            plans,
            self.mirror,
            self._serve,
            status=status,
            high_water=high_water,
            thrown=self._dice(),
        )
        serving.reconsider()
        return serving
