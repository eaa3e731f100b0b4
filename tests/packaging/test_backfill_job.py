"""k8s/backfill-job.yaml: against the Kubernetes schemas, and its command against the command line itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from typer.main import get_command

from proxy.backfill.cli_backfill import app
from proxy.config import Settings
from tests.packaging.kustomize import Object
from tests.packaging.settings import settings_from_environment
from tests.packaging.test_kubernetes import TOP, VERSIONS, environment, mounted

PATH = TOP / "k8s/backfill-job.yaml"


@pytest.fixture
def job() -> Object:
    found: Object = yaml.safe_load(PATH.read_text())
    return found


@pytest.fixture
def pod(job: Object) -> Object:
    found: Object = job["spec"]["template"]["spec"]
    return found


@pytest.fixture
def container(pod: Object) -> Object:
    [found] = pod["containers"]
    return dict(found)


@pytest.fixture
def settings(container: Object, tmp_path: Path) -> Settings:
    return settings_from_environment(environment(container), tmp_path)


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: ".".join(map(str, version)))
def test_it_fits_the_schema(job: Object, version: tuple[int, int]) -> None:
    kubernetes_validate.validate(job, ".".join(map(str, version)), strict=True)


def test_several_pods_work_at_once_and_each_may_fail_alone(job: Object) -> None:
    spec = job["spec"]
    assert spec["completionMode"] == "Indexed"
    assert spec["parallelism"] == spec["completions"] > 1
    assert spec["backoffLimitPerIndex"] > 0
    assert spec["template"]["spec"]["restartPolicy"] == "Never", "backoffLimitPerIndex needs it"


def test_the_command_is_one_that_there_is(container: Object) -> None:
    name, *arguments = container["args"]
    assert name == "backfill"
    group: Any = get_command(app)
    context = group.make_context("backfill", list(arguments))
    _, command, rest = group.resolve_command(context, [*context._protected_args, *context.args])
    parsed = command.make_context("start", list(rest)).params
    assert parsed["every"] is True
    assert parsed["as_json"] is True
    assert parsed["rate"] == 20000.0
    assert parsed["max_store_latency"] == "1s"


def test_variables_are_settings_and_secrets_come_from_files(
    pod: Object, container: Object, settings: Settings
) -> None:
    assert settings.store is not None
    assert settings.control_dsn is not None
    volumes = mounted(pod, container)
    for variable, secret in (
        ("CAUSEWAY_STORE_FILE", "causeway-store"),
        ("CAUSEWAY_CONTROL_DSN_FILE", "causeway-control"),
    ):
        path = Path(environment(container)[variable])
        assert volumes[str(path.parent)]["secret"]["secretName"] == secret
    assert volumes[str(settings.rules)]["configMap"] == {"name": "causeway-rules"}


def test_it_fits_the_restricted_pod_security_standard(pod: Object, container: Object) -> None:
    context = container["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["securityContext"]["fsGroup"] == context["runAsGroup"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert "memory" in container["resources"]["limits"]
