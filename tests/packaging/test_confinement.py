"""The proxy started as the image starts it: the image's environment, another user, a read-only root file system.

bubblewrap stands in for the container runtime.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import urllib.request
from pathlib import Path

import pytest

from devstack.ports import free_port
from tests.packaging import dockerfile

TOP = Path(__file__).parents[2]
STAGE = dockerfile.parse((TOP / "Dockerfile").read_text())[-1]

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        shutil.which("bwrap") is None and "CI" not in os.environ, reason="bubblewrap is not installed"
    ),
]


def confined(writable: list[Path], command: list[str]) -> list[str]:
    """`command` as the image's user, with nothing writable but `writable`; killed with this process."""
    user, group = STAGE.last("USER").argument.split(":")
    argv = ["bwrap", "--unshare-user", "--uid", user, "--gid", group, "--unshare-pid", "--die-with-parent"]
    argv += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--chdir", "/"]
    for path in writable:
        argv += ["--bind", str(path), str(path)]
    return [*argv, "--", *command]


async def answer(url: str, process: asyncio.subprocess.Process) -> int:
    """The status code of `url`, as soon as somebody listens there."""
    async with asyncio.timeout(30):
        while process.returncode is None:
            try:
                with await asyncio.to_thread(urllib.request.urlopen, url, timeout=5) as response:
                    return int(response.status)
            except urllib.error.URLError as error:
                if not isinstance(error.reason, ConnectionRefusedError):
                    raise
                await asyncio.sleep(0.05)  # nobody tells when a port of another process is listened on
    pytest.fail(f"the proxy ended with {process.returncode}")


@pytest.mark.parametrize("workers", [1, 2])
async def test_it_runs_confined_and_ends_on_the_stop_signal(workers: int, tmp_path: Path) -> None:
    listen, admin = free_port(), free_port()
    spool = tmp_path / "spool"
    spool.mkdir()
    scratch = Path(tempfile.mkdtemp(prefix="causeway-"))  # short: the path of a socket has 107 bytes at most
    variables = STAGE.pairs("ENV") | {
        "CAUSEWAY_LISTEN": f"127.0.0.1:{listen}",
        "CAUSEWAY_ADMIN": f"127.0.0.1:{admin}",
        "CAUSEWAY_UPSTREAM": f"127.0.0.1:{free_port()}",
        "CAUSEWAY_RULES": str(TOP / "rules"),
        "CAUSEWAY_SPOOL": str(spool),
        "CAUSEWAY_WORKERS": str(workers),
        "PATH": os.defpath,
        "PYTHONPATH": str(TOP),
        "HOME": "/nonexistent",
        "TMPDIR": str(scratch),
    }
    process = await asyncio.create_subprocess_exec(
        *confined(
            [spool, scratch] if workers > 1 else [spool],
            [sys.executable, "-m", "proxy", *STAGE.last("CMD").exec_form],
        ),
        env=variables,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert await answer(f"http://127.0.0.1:{admin}/healthz", process) == 200
        check = STAGE.last("HEALTHCHECK").argument.partition("CMD ")[2]
        _, option, program = dockerfile.Instruction("CMD", check).exec_form
        health = await asyncio.create_subprocess_exec(
            sys.executable, option, program.replace(":9187/", f":{admin}/")
        )
        assert await health.wait() == 0
        # bwrap passes no signals on: the proxy is the only child of the only child in the process name space.
        (inside,) = await children(process.pid)
        os.kill(inside, 15)
        async with asyncio.timeout(30):
            _, log = await process.communicate()
        assert process.returncode == 0, log.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        shutil.rmtree(scratch)


async def children(pid: int) -> list[int]:
    """The process that runs the command: bwrap has a child, init of the name space, which has it as its child."""
    found = await asyncio.to_thread(Path(f"/proc/{pid}/task/{pid}/children").read_text)
    (init,) = map(int, found.split())
    inner = await asyncio.to_thread(Path(f"/proc/{init}/task/{init}/children").read_text)
    return [int(word) for word in inner.split()]
