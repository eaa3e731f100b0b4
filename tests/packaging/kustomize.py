"""What `kubectl kustomize` does, as far as k8s/ uses it, so that the tests need no kubectl.

Anything beyond that is an error here, never silently skipped. Where kubectl is installed, a test compares
the two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

_KNOWN = {
    "apiVersion",
    "kind",
    "resources",
    "components",
    "configMapGenerator",
    "patches",
    "namespace",
    "images",
    "replicas",
}


def build(directory: Path) -> list[Object]:
    """The objects of the kustomization in `directory`."""
    return _apply(directory, [])


def _apply(directory: Path, objects: list[Object]) -> list[Object]:
    step = yaml.safe_load((directory / "kustomization.yaml").read_text())
    if unknown := set(step) - _KNOWN:
        raise NotImplementedError(f"{directory}: {sorted(unknown)}")
    for resource in step.get("resources", ()):
        path = directory / resource
        objects = (
            [*objects, *build(path)] if path.is_dir() else [*objects, *yaml.safe_load_all(path.read_text())]
        )
    for generator in step.get("configMapGenerator", ()):
        objects = _generate(directory, generator, objects)
    for component in step.get("components", ()):
        objects = _apply(directory / component, objects)
    for patch in step.get("patches", ()):
        change = yaml.safe_load((directory / patch["path"]).read_text())
        objects = [merge(item, change) if _targets(patch, change, item) else item for item in objects]
    for item in objects:
        if "namespace" in step:
            item["metadata"]["namespace"] = step["namespace"]
        for replicas in step.get("replicas", ()):
            if item["kind"] == "Deployment" and item["metadata"]["name"] == replicas["name"]:
                item["spec"]["replicas"] = replicas["count"]
        for image in step.get("images", ()):
            for container in containers(item):
                if container["image"].partition(":")[0] == image["name"]:
                    container["image"] = f"{image['newName']}:{image['newTag']}"
    return objects


def _generate(directory: Path, generator: Object, objects: list[Object]) -> list[Object]:
    if set(generator) - {"name", "files", "options", "behavior"}:
        raise NotImplementedError(f"{directory}: {generator}")
    if generator["options"] != {"disableNameSuffixHash": True}:
        raise NotImplementedError(f"{directory}: name suffixes")
    data = {Path(name).name: (directory / name).read_text() for name in generator["files"]}
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generator["name"]}, "data": data}
    others = [item for item in objects if not _same(item, made)]
    replaces = generator.get("behavior") == "replace"
    if replaces == (len(others) == len(objects)):
        raise ValueError(f"{directory}: {generator['name']} must exist exactly when it is replaced")
    return [*others, made]


def _same(one: Object, other: Object) -> bool:
    return (one["kind"], one["metadata"]["name"]) == (other["kind"], other["metadata"]["name"])


def _targets(patch: Object, change: Object, item: Object) -> bool:
    target = patch.get("target")
    if target is None:
        return _same(change, item)
    if set(target) != {"kind", "labelSelector"}:
        raise NotImplementedError(str(target))
    label, _, value = target["labelSelector"].partition("=")
    labels = item["metadata"].get("labels", {})
    return bool(item["kind"] == target["kind"] and labels.get(label) == value)


def merge(base: Any, change: Any, path: tuple[str, ...] = ()) -> Any:
    """A strategic merge: objects by key, lists of named objects by name (mounts by path), the rest replaced.

    The name of the patched object stays its own.
    """
    if isinstance(base, dict) and isinstance(change, dict):
        return base | {
            key: base[key]
            if (*path, key) == ("metadata", "name")
            else merge(base.get(key), value, (*path, key))
            for key, value in change.items()
        }
    if isinstance(base, list) and isinstance(change, list):
        key = "mountPath" if path[-1] == "volumeMounts" else "name"
        if all(isinstance(item, dict) and key in item for item in (*base, *change)):
            merged = {item[key]: item for item in base}
            for item in change:
                merged[item[key]] = merge(merged.get(item[key]), item, path)
            return list(merged.values())
    return change


def containers(item: Object) -> list[Object]:
    """Init containers and containers of a Deployment's pods; none for other kinds."""
    if item["kind"] != "Deployment":
        return []
    pod = item["spec"]["template"]["spec"]
    return [*pod.get("initContainers", ()), *pod["containers"]]
