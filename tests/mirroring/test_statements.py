"""Every kind of statement, sent in every way, alone and in a transaction: the table must equal its collection."""

from __future__ import annotations

import random

import pytest

from tests.mirroring.actions import Action, Sight, Where, available
from tests.mirroring.conftest import on_every_version
from tests.mirroring.drivers import MODES, Client, Refused, connect
from tests.mirroring.rig import Rig
from tests.mirroring.workload import EXPECTED

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

PATIENCE = 3.0
"""Seconds a kind of statement may take to arrive before it counts as lost."""


async def perform(client: Client, action: Action, dice: random.Random) -> None:
    for inside in (False, True):
        if action.where is (Where.OUTSIDE if inside else Where.INSIDE):
            continue
        if inside:
            await client.run("begin")
        try:
            await action.run(client, dice)
            if inside:
                await client.run("commit")
        except Refused as error:
            if error.code not in EXPECTED:
                raise
            await client.run("rollback")


@on_every_version
async def test_every_kind_arrives(rig: Rig) -> None:
    address = (await rig.started(1))[0].address
    dice = random.Random(3)
    clients = [await connect(address, mode) for mode in MODES]
    lost: list[str] = []
    try:
        await rig.agree()
        for action in available(rig.source.major, *Sight):
            try:
                for client in clients:
                    await perform(client, action, dice)
            except Refused as error:
                lost.append(f"{action.name} ({client.mode}): {error}")
                client_number = clients.index(client)
                await client.close()
                clients[client_number] = await connect(address, client.mode)
            try:
                await rig.agree(patience=PATIENCE)
            except AssertionError as error:
                lost.append(f"{action.name}: {str(error)[:2000]}")
                rig.forgive()
    finally:
        for client in clients:
            await client.close()
    assert not lost, "\n\n".join(lost)
