"""What the connections of one process need to capture writes, and which of them do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from proxy.admin.counters import Counters
from proxy.mirror.port import MirrorPort
from proxy.session.capture import CaptureOwner
from proxy.session.plans import Plans
from proxy.session.requests import CapturingRelay
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
    ) -> None:
        """`prepare` returns once what is known of a database is as complete as it can be had in time; `shadow` gets
        the reads that are sampled."""
        self._shadow = shadow
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
        relay = CapturingRelay(owner, counters, plans, self.mirror, status=status, high_water=high_water)
        if self._shadow is not None:
            settings = {**message.parameters, **session.parameters}
            options = message.parameters.get("options", "")
            relay.taps = SessionTap(plans, self._shadow, settings, options=options)
        return relay
