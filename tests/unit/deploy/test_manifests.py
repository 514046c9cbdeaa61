"""Compose, Kubernetes, systemd and the image: what cannot be run here is held against schemas."""

import json
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor import config

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy"
K8S = [path for path in sorted((DEPLOY / "k8s").glob("*.yaml")) if path.stem != "kustomization"]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def lost(given: Any, kept: Any, at: str = "") -> list[str]:
    """What a tool's own model did not take over from a document: misspelt, or in a wrong place."""
    if isinstance(given, dict):
        here = [f"{at}.{key}" for key in given if key not in (kept or {})]
        inner = [lost(given[key], kept[key], f"{at}.{key}") for key in given if key in (kept or {})]
        return here + [path for paths in inner for path in paths]
    if isinstance(given, list):
        pairs = zip(given, kept or [None] * len(given), strict=True)
        return [p for n, pair in enumerate(pairs) for p in lost(*pair, f"{at}[{n}]")]
    return []


@cache
def kinds() -> dict[str, Any]:
    """The kinds of Kubernetes objects that are used. Imported late, as it takes seconds."""
    from cloudcoil.models.keda.v1alpha1 import ScaledObject
    from cloudcoil.models.kubernetes.apps.v1 import Deployment
    from cloudcoil.models.kubernetes.core.v1 import Service, ServiceAccount
    from cloudcoil.models.kubernetes.networking.v1 import NetworkPolicy
    from cloudcoil.models.kubernetes.policy.v1 import PodDisruptionBudget

    used = (Deployment, NetworkPolicy, PodDisruptionBudget, ScaledObject, Service, ServiceAccount)
    return {kind.__name__: kind for kind in used}


def misspelt(document: dict[str, Any]) -> list[str]:
    """The keys of a Kubernetes object that its kind does not have."""
    made = kinds()[document["kind"]].model_validate(document)
    return lost(document, made.model_dump(mode="json", by_alias=True, exclude_unset=True))


def container(document: dict[str, Any]) -> dict[str, Any]:
    (only,) = document["spec"]["template"]["spec"]["containers"]
    assert isinstance(only, dict)
    return only


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", dockerfile, flags=re.MULTILINE))
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line]


@pytest.mark.parametrize("path", K8S, ids=lambda path: path.stem)
def test_a_manifest_is_what_its_kind_says(path: Path) -> None:
    assert misspelt(read(path)) == []


def test_a_misspelt_key_would_be_found() -> None:
    document = read(DEPLOY / "k8s" / "deployment.yaml")
    container(document)["livenesProbe"] = {}
    assert misspelt(document) == [".spec.template.spec.containers[0].livenesProbe"]


def test_the_manifests_belong_together() -> None:
    kustomization = read(DEPLOY / "k8s" / "kustomization.yaml")
    assert sorted(kustomization["resources"]) == [path.name for path in K8S]
    made = {path.stem: read(path) for path in K8S}
    spec = made["deployment"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    for selector in (
        spec["selector"]["matchLabels"],
        made["service"]["spec"]["selector"],
        made["poddisruptionbudget"]["spec"]["selector"]["matchLabels"],
        made["networkpolicy"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    only = container(made["deployment"])
    assert only["securityContext"]["readOnlyRootFilesystem"]
    assert spec["template"]["spec"]["securityContext"]["runAsNonRoot"]
    paths = {probe: only[probe]["httpGet"]["path"] for probe in only if probe.endswith("Probe")}
    assert paths == {"startupProbe": "/livez", "livenessProbe": "/livez",
                     "readinessProbe": "/readyz"}  # fmt: skip
    chosen = config.load(DEPLOY / "k8s" / "tripswitch.toml")
    assert [port["containerPort"] for port in only["ports"]] == [chosen.metrics.port]
    trigger = made["scaledobject"]["spec"]["triggers"][0]["metadata"]
    assert trigger["topic"] == chosen.source.topic
    assert trigger["consumerGroup"] == chosen.kafka.group_id
    assert trigger["bootstrapServers"] == chosen.kafka.bootstrap_servers


def test_compose_fits_its_specification() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec",
         "--no-cache", str(DEPLOY / "compose.yaml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout


def test_compose_sets_settings_that_exist_and_mounts_what_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services = read(DEPLOY / "compose.yaml")["services"]
    assert {"kafka", "postgres", "tripswitch", "prometheus", "grafana"} <= services.keys()
    ours = services["tripswitch"]
    assert ours["read_only"]
    assert ours["cap_drop"] == ["ALL"]
    (tmp_path / "postgres").write_text("secret")
    for name, value in ours["environment"].items():
        told = re.sub(r"\$\{\w+:-(\w*)\}", r"\1", value)
        monkeypatch.setenv(name, told.replace("/run/secrets", str(tmp_path)))
    chosen = config.load()
    assert chosen.source.kind == "kafka"
    assert chosen.store.password is not None
    for service in services.values():
        for mount in service.get("volumes", ()):
            if mount.startswith("./"):
                assert (DEPLOY / mount.split(":")[0]).exists(), mount


def test_the_image_runs_as_nobody_and_is_made_of_what_is_there() -> None:
    steps = instructions((DEPLOY / "Dockerfile").read_text("utf-8"))
    assert [what for step, what in steps if step == "FROM"] == [
        "python:3.11-slim-bookworm AS build",
        "python:3.11-slim-bookworm",
    ]
    last = steps[[n for n, (step, _) in enumerate(steps) if step == "FROM"][-1] :]
    assert ("USER", "10001:10001") in last
    assert json.loads(dict(last)["ENTRYPOINT"]) == ["tripswitch"]
    assert json.loads(dict(last)["CMD"]) == ["run"]
    kept = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"
    }
    assert all((ROOT / name).exists() for name in kept)
    packages = re.search(
        r"^packages = \[(.*)\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE
    )
    assert packages is not None
    assert set(re.findall(r'"(\w+)"', packages[1])) < kept


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
def test_the_unit_is_valid_and_hardened(tmp_path: Path) -> None:
    unit = tmp_path / "tripswitch.service"
    text = (DEPLOY / "systemd" / "tripswitch.service").read_text("utf-8")
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    told = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert "tripswitch.service" not in told.stderr, told.stderr
    exposure = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert exposure.returncode == 0, exposure.stdout[-300:]
