"""What the admin interface is told, of a proxy of one process or of several."""

from __future__ import annotations

from datetime import UTC, datetime

from proxy.admin.counters import Snapshot, merge
from proxy.admin.status import ProcessReport, Readiness, Status, combine, readiness
from proxy.instance import Instance
from proxy.workers import Supervisor


class ProcessSource:
    """A proxy that is this process."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    async def counters(self) -> Snapshot:
        return self._instance.counters.snapshot()

    async def status(self) -> Status:
        return combine([self._instance.report()], workers=1)

    async def ready(self) -> Readiness:
        return readiness(await self.status())


class WorkersSource:
    """A proxy whose processes are asked one by one."""

    def __init__(self, supervisor: Supervisor, workers: int) -> None:
        self._supervisor = supervisor
        self._workers = workers
        self._last: Status | None = None

    async def counters(self) -> Snapshot:
        """The sum over the workers that live; what a dead one had counted is gone, as with any restart."""
        total = merge(await self._supervisor.ask_all("counters"))
        total["worker_restarts"] = self._supervisor.restarts
        return total

    async def status(self) -> Status:
        """Of the workers that answer; while none does, the last that was known, without its processes."""
        answers = await self._supervisor.ask_all("report")
        reports = [ProcessReport.model_validate(answer) for answer in answers]
        if reports:
            self._last = combine(reports, workers=self._workers, worker_restarts=self._supervisor.restarts)
            return self._last
        if self._last is None:
            raise RuntimeError(f"no worker has answered at {datetime.now(UTC).isoformat(timespec='seconds')}")
        state = "draining" if self._supervisor.stopping else "starting"
        return self._last.model_copy(update={"state": state, "processes": []})

    async def ready(self) -> Readiness:
        return readiness(await self.status())
