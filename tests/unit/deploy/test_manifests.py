"""Compose, Kubernetes, systemd and the image: what cannot be run here is held against schemas."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import make_url

from monitor import config
from monitor.errors import UsageError

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


def test_a_pod_starts_beside_services_of_our_name_and_its_shell_has_the_same_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pod = read(DEPLOY / "k8s" / "deployment.yaml")["spec"]["template"]["spec"]
    (only,) = pod["containers"]
    told = {variable["name"]: variable["value"] for variable in only["env"]}
    (mount,) = [one["mountPath"] for one in only["volumeMounts"] if one["name"] == "config"]
    assert told == {"TRIPSWITCH_CONFIG": f"{mount}/tripswitch.toml"}
    assert "--config" not in only["args"]  # the same file stands in one place
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    config.load(DEPLOY / "k8s" / "tripswitch.toml")
    monkeypatch.setenv("TRIPSWITCH_SERVE_SERVICE_HOST", "10.0.0.1")  # as service links would
    with pytest.raises(UsageError, match="TRIPSWITCH_SERVE_SERVICE_HOST"):
        config.load(DEPLOY / "k8s" / "tripswitch.toml")
    assert pod["enableServiceLinks"] is False


def test_an_upgrade_has_no_old_process_beside_it_and_time_for_the_tables() -> None:
    deployment = read(DEPLOY / "k8s" / "deployment.yaml")
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    probe = container(deployment)["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 600


def test_the_image_that_is_pulled_is_this_version_s() -> None:
    (image,) = read(DEPLOY / "k8s" / "kustomization.yaml")["images"]
    assert image["name"] == container(read(DEPLOY / "k8s" / "deployment.yaml"))["image"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert image["newTag"] == project["version"]
    assert "/" in image["newName"]  # no registry but a public one is asked for a bare name


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


def test_compose_can_put_its_secrets_into_what_is_read_only() -> None:
    document = read(DEPLOY / "compose.yaml")
    ignored = (DEPLOY / ".gitignore").read_text("utf-8").splitlines()
    used = [
        name
        for service in document["services"].values()
        if service.get("read_only")
        for name in service.get("secrets", ())
    ]
    assert used
    for name in used:  # from a variable it would be copied in: docker/compose#12531 refuses that
        assert set(document["secrets"][name]) == {"file"}
        assert document["secrets"][name]["file"].removeprefix(".") in ignored


def test_kafka_writes_to_its_volume() -> None:
    kafka = read(DEPLOY / "compose.yaml")["services"]["kafka"]
    mounts = [mount.split(":")[1] for mount in kafka["volumes"]]
    assert kafka["environment"]["KAFKA_LOG_DIRS"] in mounts


@pytest.mark.parametrize(("extra", "asked"), [("", []), ("fast", ["--extra", "fast"])])
def test_an_extra_is_put_into_the_image_only_if_it_is_asked_for(
    extra: str, asked: list[str]
) -> None:
    steps = instructions((DEPLOY / "Dockerfile").read_text("utf-8"))
    assert steps.index(("ARG", 'EXTRA=""')) > steps.index(
        ("FROM", "python:3.11-slim-bookworm AS build")
    )  # above it would not hold within
    (made,) = [what for step, what in steps if step == "RUN" and "uv pip compile" in what]
    (command,) = [part for part in made.split("&&") if "uv pip compile" in part]
    script = 'uv() { printf "%s\\n" "$@"; }\n' + command
    told = subprocess.run(
        ["sh", "-c", script], env={"EXTRA": extra}, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {extra} - {""} <= project["optional-dependencies"].keys()
    at = told.index("requirements.lock") + 1
    assert told[at : told.index("--output-file")] == asked


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


def test_people_s_commands_and_the_unit_s_have_one_store(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (DEPLOY / "systemd" / "tripswitch.service").read_text("utf-8")
    told = re.search(r'^#\s+url = "(.*)"$', text, re.MULTILINE)
    home = re.search(r"^Environment=.*XDG_STATE_HOME=(\S+)", text, re.MULTILINE)
    mode = re.search(r"^StateDirectoryMode=(\d+)$", text, re.MULTILINE)
    assert told
    assert home
    assert mode
    monkeypatch.setenv("XDG_STATE_HOME", home[1])
    assert make_url(told[1]).database == str(config.state_dir() / "ledger.db")
    assert int(mode[1], 8) == 0o2770  # what people make there stays the group's
    installed = re.sub(r"\n# ", " ", text.partition("[Unit]")[0])
    for page in re.findall(r"^Documentation=file://(\S+)$", text, re.MULTILINE):
        assert page in installed


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
