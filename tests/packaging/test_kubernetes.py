"""k8s/: every rendered object against the Kubernetes schemas, and what the schemas cannot know."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from proxy.addresses import TcpAddress
from proxy.config import Settings
from proxy.phases import Phase
from proxy.rules import load_rules
from proxy.units import parse_size
from tests.packaging import kustomize
from tests.packaging.kustomize import Object
from tests.packaging.settings import settings_from_environment

TOP = Path(__file__).parents[2]
RENDERED = [TOP / "k8s/base", TOP / "k8s/overlays/production"]

OLDEST = (1, 29)
"""The first release with native sidecars switched on."""
SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
VERSIONS = sorted(
    {
        (int(major), int(minor))
        for directory in SCHEMAS.iterdir()
        for major, minor, _ in [directory.name.removeprefix("v").split("-")[0].split(".")]
        if (int(major), int(minor)) >= OLDEST
    }
)


@pytest.fixture(params=RENDERED, ids=lambda path: path.name)
def directory(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def objects(directory: Path) -> list[Object]:
    return kustomize.build(directory)


def only(objects: list[Object], kind: str) -> Object:
    (found,) = [item for item in objects if item["kind"] == kind]
    return found


@pytest.fixture
def deployment(objects: list[Object]) -> Object:
    return only(objects, "Deployment")


@pytest.fixture
def pod(deployment: Object) -> Object:
    spec: Object = deployment["spec"]["template"]["spec"]
    return spec


@pytest.fixture
def causeway(pod: Object) -> Object:
    (container,) = [item for item in pod["initContainers"] if item["name"] == "causeway"]
    return dict(container)


def environment(container: Object) -> dict[str, str]:
    return {item["name"]: item["value"] for item in container["env"]}


@pytest.fixture
def settings(causeway: Object, tmp_path: Path) -> Settings:
    return settings_from_environment(environment(causeway), tmp_path)


def test_there_are_schemas_for_several_releases() -> None:
    assert VERSIONS[0] == OLDEST
    assert len(VERSIONS) >= 3


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: ".".join(map(str, version)))
def test_every_object_fits_the_schema(objects: list[Object], version: tuple[int, int]) -> None:
    validated = set()
    for item in objects:
        if item["apiVersion"].startswith("monitoring.coreos.com/"):
            continue  # a custom resource; test_pod_monitor looks at it
        kubernetes_validate.validate(item, ".".join(map(str, version)), strict=True)
        validated.add(item["kind"])
    assert validated == {"ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget"}


def test_the_schema_check_can_fail(deployment: Object) -> None:
    deployment["spec"]["template"]["spec"]["initContainers"][0]["restartpolicy"] = "Always"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, "1.29", strict=True)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_renders_the_same(directory: Path, objects: list[Object]) -> None:
    text = subprocess.run(
        ["kubectl", "kustomize", str(directory)], capture_output=True, text=True, check=True, timeout=60
    ).stdout

    def in_order(items: list[Object]) -> list[Object]:
        return sorted(
            (_unordered(item) for item in items), key=lambda item: (item["kind"], item["metadata"]["name"])
        )

    assert in_order(list(yaml.safe_load_all(text))) == in_order(objects)


def _unordered(value: Any) -> Any:
    """Lists of named objects as mappings: kustomize may reorder them."""
    if isinstance(value, dict):
        return {key: _unordered(item) for key, item in value.items()}
    if isinstance(value, list):
        key = "mountPath" if all(isinstance(item, dict) and "mountPath" in item for item in value) else "name"
        if value and all(isinstance(item, dict) and key in item for item in value):
            return {item[key]: _unordered(item) for item in value}
        return [_unordered(item) for item in value]
    return value


def test_native_sidecar(causeway: Object, pod: Object) -> None:
    assert causeway["restartPolicy"] == "Always"
    assert causeway["args"] == ["run"]
    assert [item["name"] for item in pod["containers"]] == ["shop"]


def test_every_variable_is_a_setting_and_its_value_is_accepted(settings: Settings) -> None:
    assert settings.store is not None
    assert settings.log_format == "json"


def test_the_application_talks_to_the_sidecar_over_loopback(pod: Object, settings: Settings) -> None:
    (application,) = pod["containers"]
    variables = environment(application)
    assert settings.listen == (TcpAddress(variables["PGHOST"], int(variables["PGPORT"])),)
    assert variables["PGHOST"] == "127.0.0.1"


def test_probes_ask_the_admin_server_where_it_listens(causeway: Object, settings: Settings) -> None:
    ports = {port["name"]: port["containerPort"] for port in causeway["ports"]}
    assert isinstance(settings.admin, TcpAddress)
    assert settings.admin.host == "0.0.0.0", "the kubelet does not come over the pod's loopback"
    paths = {}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        request = causeway[probe]["httpGet"]
        assert ports[request["port"]] == settings.admin.port
        paths[probe] = request["path"]
    assert paths == {"startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}


def test_scraping_finds_the_admin_port(objects: list[Object], deployment: Object, settings: Settings) -> None:
    assert isinstance(settings.admin, TcpAddress)
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(settings.admin.port)
    assert annotations["prometheus.io/path"] == "/metrics"
    policy = only(objects, "NetworkPolicy")["spec"]
    assert [rule["ports"] for rule in policy["ingress"]] == [
        [{"protocol": "TCP", "port": settings.admin.port}]
    ]
    assert all(rule["from"] for rule in policy["ingress"])


def test_pod_monitor() -> None:
    objects = kustomize.build(TOP / "k8s/overlays/production")
    monitor = only(objects, "PodMonitor")["spec"]
    ports = [
        port["name"]
        for item in kustomize.containers(only(objects, "Deployment"))
        for port in item.get("ports", ())
    ]
    assert [endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]] == ports
    assert [endpoint["path"] for endpoint in monitor["podMetricsEndpoints"]] == ["/metrics"]


def test_selectors_select_the_pods(objects: list[Object], deployment: Object) -> None:
    labels = deployment["spec"]["template"]["metadata"]["labels"].items()
    selectors = [deployment["spec"]["selector"]]
    for item in objects:
        spec = item.get("spec", {})
        if item["kind"] in ("PodDisruptionBudget", "PodMonitor"):
            selectors.append(spec["selector"])
        if item["kind"] == "NetworkPolicy":
            selectors.append(spec["podSelector"])
    assert len(selectors) >= 3
    assert all(selector["matchLabels"].items() <= labels for selector in selectors)


def test_the_pod_ends_only_after_the_drain(pod: Object, settings: Settings) -> None:
    (application,) = pod["containers"]
    sleep = int(application["lifecycle"]["preStop"]["exec"]["command"][1])
    needed = sleep + 2 * (settings.drain_timeout + settings.store_timeout)
    assert pod["terminationGracePeriodSeconds"] >= needed + 10


def test_no_hook_drains_while_the_application_still_works(causeway: Object) -> None:
    """A sidecar's preStop hook runs when the pod begins to end, not when its own turn comes (KEP-753)."""
    assert "lifecycle" not in causeway


def test_every_container_fits_the_restricted_pod_security_standard(deployment: Object, pod: Object) -> None:
    for container in kustomize.containers(deployment):
        context = container["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] >= 1
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)


def test_every_container_states_its_resources(deployment: Object) -> None:
    for container in kustomize.containers(deployment):
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]


def mounted(pod: Object, container: Object) -> dict[str, Object]:
    """The volume behind each mount path."""
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    return {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}


def test_rules_are_mounted_as_a_directory_that_is_updated(
    objects: list[Object], pod: Object, causeway: Object, settings: Settings
) -> None:
    assert not [mount for mount in causeway["volumeMounts"] if {"subPath", "subPathExpr"} & set(mount)]
    volume = mounted(pod, causeway)[str(settings.rules)]
    assert volume["configMap"] == {"name": only(objects, "ConfigMap")["metadata"]["name"]}


def test_rules_load_from_a_volume_as_the_kubelet_lays_it_out(objects: list[Object], tmp_path: Path) -> None:
    version = tmp_path / "..2026_01_01_00_00_00.123456789"
    version.mkdir()
    (tmp_path / "..data").symlink_to(version.name)
    for name, text in only(objects, "ConfigMap")["data"].items():
        (version / name).write_text(text)
        (tmp_path / name).symlink_to(f"..data/{name}")
    rules = load_rules(tmp_path)
    assert {rule.phase for rule in rules.tables.values()} <= {Phase.DUAL_WRITE}


def test_the_spool_is_writable_and_bounded(pod: Object, causeway: Object, settings: Settings) -> None:
    volume = mounted(pod, causeway)[str(settings.spool)]
    limits = [volume["emptyDir"]["sizeLimit"], causeway["resources"]["limits"]["ephemeral-storage"]]
    space, all_space = (parse_size(limit + "B") for limit in limits)
    # SQLite needs room beside what it holds, and an emptyDir past its limit has the pod evicted.
    assert space >= 2 * settings.spool_size
    assert all_space > space
    assert pod["securityContext"]["fsGroup"] == causeway["securityContext"]["runAsGroup"]


def test_the_store_comes_from_a_secret_that_is_not_kept_here(
    objects: list[Object], pod: Object, causeway: Object
) -> None:
    path = Path(environment(causeway)["CAUSEWAY_STORE_FILE"])
    assert mounted(pod, causeway)[str(path.parent)]["secret"]["secretName"] == "causeway-store"
    assert "CAUSEWAY_STORE" not in environment(causeway)
    assert not [item for item in objects if item["kind"] == "Secret"]


def test_production_mirrors_with_a_role_of_its_own(tmp_path: Path) -> None:
    objects = kustomize.build(TOP / "k8s/overlays/production")
    pod = only(objects, "Deployment")["spec"]["template"]["spec"]
    (causeway,) = pod["initContainers"]
    path = Path(environment(causeway)["CAUSEWAY_CONTROL_DSN_FILE"])
    assert mounted(pod, causeway)[str(path.parent)]["secret"]["secretName"] == "causeway-control"
    assert "CAUSEWAY_CONTROL_DSN" not in environment(causeway)
    for name, text in only(objects, "ConfigMap")["data"].items():
        (tmp_path / name).write_text(text)
    rules = load_rules(tmp_path)
    assert [str(rule.name) for rule in rules.tables.values()] == ["shop.public.orders"]
    assert {rule.phase for rule in rules.tables.values()} == {Phase.DUAL_WRITE}


def test_production_verifies_the_upstream_with_a_mounted_certificate() -> None:
    pod = only(kustomize.build(TOP / "k8s/overlays/production"), "Deployment")["spec"]["template"]["spec"]
    (causeway,) = pod["initContainers"]
    upstream = Settings.model_validate({"upstream": environment(causeway)["CAUSEWAY_UPSTREAM"]}).upstream
    assert upstream.tls.mode == "verify-full"
    assert len(upstream.hosts) == 2
    assert upstream.tls.root_cert is not None
    assert str(Path(upstream.tls.root_cert).parent) in mounted(pod, causeway)
