"""Servers of other versions: what is unpacked, what is refused, and that every one of them runs."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from devstack import prebuilt
from devstack.errors import DevstackError
from devstack.postgres import PASSWORD, start_postgres
from devstack.prebuilt import PREBUILT, ensure_prebuilt, unavailable, unpack, verify
from tests.support.versions import OTHERS


def archive(path: Path, files: Mapping[str, bytes], links: list[dict[str, str]] | None = None) -> Path:
    """As npm packs it: everything below `package`."""
    entries = {f"package/native/{name}": content for name, content in files.items()}
    if links is not None:
        entries["package/native/pg-symlinks.json"] = json.dumps(links).encode()
    with tarfile.open(path, "w:gz") as packed:
        for name, content in {"package/README.md": b"no part of it", **entries}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = 0o755 if "/bin/" in name else 0o644
            packed.addfile(member, io.BytesIO(content))
    return path


SERVER = {
    "bin/postgres": b"server",
    "lib/libz.so.1.2": b"library",
    "lib/libz.a": b"",
    "share/x.sql": b"select",
}


def test_what_a_server_reads_is_unpacked(tmp_path: Path) -> None:
    links = [{"source": "native/lib/libz.so.1.2", "target": "native/lib/libz.so.1"}]
    target = tmp_path / "pg"
    unpack(archive(tmp_path / "a.tgz", SERVER, links), target)
    found = sorted(str(path.relative_to(target)) for path in target.rglob("*") if not path.is_dir())
    assert found == ["bin/postgres", "lib/libz.so.1", "lib/libz.so.1.2", "share/x.sql"]
    assert (target / "lib/libz.so.1").read_bytes() == b"library"
    assert (target / "bin/postgres").stat().st_mode & 0o111
    assert not (target / "share/x.sql").stat().st_mode & 0o111


@pytest.mark.parametrize(
    ("files", "links", "complaint"),
    [
        ({"lib/x": b""}, None, "holds no package/native/bin/postgres"),
        ({**SERVER, "lib/../../x": b""}, None, "names a file outside itself"),
        (SERVER, [{"source": "native/lib/x", "target": "native/bin/x"}], "out of its directory"),
        (SERVER, [{"source": "native/../x", "target": "native/../y"}], "names a file outside itself"),
    ],
    ids=["no server", "path", "link", "link outside"],
)
def test_archives_that_are_refused(
    tmp_path: Path, files: dict[str, bytes], links: list[dict[str, str]] | None, complaint: str
) -> None:
    with pytest.raises(DevstackError, match=complaint):
        unpack(archive(tmp_path / "a.tgz", files, links), tmp_path / "pg")
    assert not (tmp_path / "x").exists()


def test_only_the_pinned_file_is_used(tmp_path: Path) -> None:
    file = tmp_path / "a.tgz"
    file.write_bytes(b"content")
    verify(file, base64.b64encode(hashlib.sha512(b"content").digest()).decode())
    with pytest.raises(DevstackError, match="was expected: not used"):
        verify(file, PREBUILT[13].sha512)


def test_pins() -> None:
    for major, pinned in PREBUILT.items():
        assert pinned.version.startswith(f"{major}.")
        assert len(base64.b64decode(pinned.sha512)) == 64


def test_other_machines_are_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert "linux on x86_64, and this is linux on riscv64" in unavailable()
    with pytest.raises(DevstackError, match="this is linux on riscv64"):
        ensure_prebuilt(13)


def test_no_other_versions() -> None:
    with pytest.raises(DevstackError, match="no prebuilt PostgreSQL 12 here, only 13, 14, 15, 16, 17"):
        ensure_prebuilt(12)


def test_a_registry_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho no such host\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setattr(prebuilt, "ensure_program", lambda *_: str(npm))
    monkeypatch.setattr(prebuilt, "unavailable", lambda: "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(DevstackError, match=r"(?s)Try: npm ping.*no such host"):
        ensure_prebuilt(13)
    assert not list((tmp_path / "cache" / "causeway").glob("prebuilt-*/"))


@pytest.mark.integration
@pytest.mark.parametrize("choice", OTHERS)
def test_every_version_runs(choice: str) -> None:
    with start_postgres(choice) as server:
        assert server.major == int(choice)
        assert server.psql("show wal_level") == "logical"
        server.restart("immediate")
        dsn = server.dsn("postgres", "causeway_scram", PASSWORD)
        done = subprocess.run(
            [str(server.pg_bin / "psql"), "-XAtc", "select current_user", dsn],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == "causeway_scram\n", done.stderr
