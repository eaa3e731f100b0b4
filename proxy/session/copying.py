"""COPY FROM STDIN into mirrored tables: the keys are taken from the data as it passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.mirror.effects import Cause, Rows, Unseen
from proxy.session.expected import COPY_END
from proxy.session.extended import ExtendedQueries
from proxy.session.plan import Step
from proxy.wire import messages

if TYPE_CHECKING:
    from proxy.sql.copydata import CopyKeys


class CopyData(ExtendedQueries):
    """CopyData, CopyDone and CopyFail messages."""

    __slots__ = ("_copy_keys", "_copy_step")

    _copy_keys: CopyKeys | None
    _copy_step: Step | None

    def _begin_copy(self, step: Step) -> None:
        copy = step.copy
        if copy is None:
            return
        from proxy.sql.copydata import CopyKeys

        self._copy_step = step
        self._copy_keys = CopyKeys(
            copy.layout,
            copy.positions,
            types=copy.types,
            encoding=self.plans.codec,
            max_rows=self.plans.shared.max_copy_keys,
        )

    def _copy_data(self, message: bytes) -> bool:
        if self._copy_keys is not None:
            self._copy_keys.feed(message[5:])
        self._out.append(message)
        return True

    def _copy_ends(self, message: bytes) -> bool:
        if self._copy_keys is not None and message[0] == messages.COPY_DONE:
            if not self._cleared:
                self._copied()
            if self._strict and not self._cleared and self._secure():
                return False
        self._cleared = False
        self._copy_keys = self._copy_step = None
        self._out.append(message)
        if self.copying:
            self.copying = False
        elif self._expected.head is not None:
            self._expected.append(COPY_END)
        return True

    def _copied(self) -> None:
        step, keys = self._copy_step, self._copy_keys
        if step is None or keys is None or step.copy is None:
            return
        found = keys.finish()
        copy = step.copy
        if found is None:
            effect = Unseen(Cause.COPY, copy.table, None, keys.failure or "its keys are not known")
        elif not found:
            return
        else:
            effect = Unseen(Cause.COPY, copy.table, Rows(copy.key, tuple(found)))
        self._begun().add((effect,))
