"""The Dockerfile, without a Docker engine: what it copies exists, what it sets and runs is known."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

from proxy.addresses import TcpAddress
from proxy.config import Settings
from tests.packaging import dockerfile
from tests.packaging.dockerfile import Stage
from tests.packaging.settings import settings_from_environment

TOP = Path(__file__).parents[2]
IGNORE = (TOP / ".dockerignore").read_text()
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]


@pytest.fixture
def stages() -> list[Stage]:
    return dockerfile.parse((TOP / "Dockerfile").read_text())


@pytest.fixture
def runtime(stages: list[Stage]) -> Stage:
    return stages[-1]


@pytest.fixture
def settings(runtime: Stage, tmp_path: Path) -> Settings:
    return settings_from_environment(runtime.pairs("ENV"), tmp_path)


def test_parse_joins_continued_lines_across_comments() -> None:
    (stage,) = dockerfile.parse("# c\nFROM a AS b\nRUN x \\\n # note\n  && y\nENV A=1 \\\n    B=2\n")
    assert (stage.image, stage.name) == ("a", "b")
    assert stage.last("RUN").argument == "x && y"
    assert stage.pairs("ENV") == {"A": "1", "B": "2"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("proxy/cli.py", False),
        ("proxy/wire/_framing.c", False),
        ("proxy/wire/_framing.cpython-311-x86_64-linux-gnu.so", True),
        ("proxy/wire/__pycache__/x.pyc", True),
        ("proxy/_compiled.json", True),
        ("tests/test_cli.py", True),
        (".git/config", True),
        ("pyproject.toml", False),
    ],
)
def test_the_build_context_holds_only_what_is_needed(path: str, expected: bool) -> None:
    assert dockerfile.ignored(IGNORE, path) is expected


def test_everything_copied_exists_and_is_not_ignored(stages: list[Stage]) -> None:
    names = {stage.name for stage in stages}
    copied = 0
    for stage in stages:
        for copy in stage.all("COPY"):
            *sources, _ = copy.words
            if sources[0].startswith("--from="):
                assert sources[0].removeprefix("--from=") in names
                continue
            for source in sources:
                assert (TOP / source).exists(), source
                assert not dockerfile.ignored(IGNORE, source), source
                copied += 1
    assert copied >= 5


def test_what_the_package_metadata_names_is_copied(stages: list[Stage]) -> None:
    """pip builds from these; a forgotten one fails only on a machine with Docker."""
    copied = {word for copy in stages[0].all("COPY") for word in copy.words}
    assert {"pyproject.toml", "setup.py", PROJECT["readme"], *PROJECT["license-files"]} <= copied


def test_the_wheel_builds_from_what_is_copied_and_holds_the_whole_package(
    stages: list[Stage], tmp_path: Path
) -> None:
    """What `pip install .` does in the build stage, with only the files that are there."""
    context = tmp_path / "context"
    for copy in stages[0].all("COPY"):
        *sources, target = copy.words
        for source in sources:
            for path in [TOP / source, *(TOP / source).rglob("*")]:
                name = path.relative_to(TOP)
                if path.is_file() and not dockerfile.ignored(IGNORE, str(name)):
                    place = (
                        context
                        / target
                        / name.relative_to(Path(source).parent if len(sources) > 1 else source)
                    )
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, place)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    built = subprocess.run(
        [*command, "--disable-pip-version-check", "--wheel-dir", str(tmp_path), str(context)],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env={
            **os.environ,
            "CAUSEWAY_PURE_PYTHON": "1",
        },  # what is compiled is a minute's work, and in no list
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = tmp_path.glob("causeway_proxy-*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    files = [path for path in (TOP / "proxy").rglob("*") if path.is_file()]
    names = {str(path.relative_to(TOP)) for path in files if path.suffix not in (".c", ".pyc")}
    expected = {name for name in names if not dockerfile.ignored(IGNORE, name)}
    assert expected <= inside
    assert not [name for name in inside if name.startswith(("tests", "devstack", "bench", "demo"))]


def test_both_stages_run_the_same_python(stages: list[Stage]) -> None:
    """A virtual environment moves only between equal interpreters."""
    build, runtime = stages
    assert build.image == runtime.image
    assert runtime.image.startswith("python:3.11-slim")


def test_the_final_user_is_numeric_and_not_root(runtime: Stage) -> None:
    """Kubernetes can check runAsNonRoot only for a number."""
    user, group = runtime.last("USER").argument.split(":")
    assert int(user) > 0
    assert int(group) > 0
    after = runtime.instructions[runtime.instructions.index(runtime.last("USER")) + 1 :]
    assert not [item for item in after if item.name in ("COPY", "RUN", "ADD")]


def test_the_entry_point_is_the_installed_command(runtime: Stage) -> None:
    (command,) = runtime.last("ENTRYPOINT").exec_form
    assert command in PROJECT["scripts"]
    module, _, function = PROJECT["scripts"][command].partition(":")
    assert callable(getattr(import_module(module), function))
    assert runtime.last("CMD").exec_form == ["run"]
    assert runtime.last("STOPSIGNAL").argument == "SIGTERM"


def test_nothing_needs_a_shell_at_run_time(runtime: Stage) -> None:
    assert not runtime.all("RUN")
    _, _, check = runtime.last("HEALTHCHECK").argument.partition("CMD ")
    python, option, program = dockerfile.Instruction("CMD", check).exec_form
    assert python.endswith("/python")
    assert option == "-c"
    ast.parse(program)


def test_the_health_check_asks_the_admin_server_where_it_listens(runtime: Stage, settings: Settings) -> None:
    assert isinstance(settings.admin, TcpAddress)
    assert f"'http://127.0.0.1:{settings.admin.port}/healthz'" in runtime.last("HEALTHCHECK").argument


def test_ports_exposed_are_those_listened_on(runtime: Stage, settings: Settings) -> None:
    (listen,) = settings.listen
    assert isinstance(listen, TcpAddress)
    assert isinstance(settings.admin, TcpAddress)
    assert runtime.last("EXPOSE").words == [str(listen.port), str(settings.admin.port)]


def test_the_only_writable_path_is_the_spool(runtime: Stage, settings: Settings) -> None:
    assert [item.argument for item in runtime.all("VOLUME")] == [str(settings.spool)]
    assert runtime.last("WORKDIR").argument == str(settings.spool)


def test_the_version_is_the_package_version(runtime: Stage) -> None:
    assert f"VERSION={PROJECT['version']}" in [item.argument for item in runtime.all("ARG")]
    labels = runtime.pairs("LABEL")
    assert labels["org.opencontainers.image.licenses"] == PROJECT["license"]
    assert {"title", "description", "version", "revision"} <= {key.rpartition(".")[2] for key in labels}
