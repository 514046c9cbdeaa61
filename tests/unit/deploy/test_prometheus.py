"""Alert rules and dashboard: PromQL that parses, about metrics that there are."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.kit.metric_names import idle_service, metric_names
from tests.unit.deploy.test_manifests import lost

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text("utf-8"))
DASHBOARD = json.loads((DEPLOY / "grafana" / "tripswitch.json").read_text("utf-8"))
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in ALERTS)
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    service = idle_service(tmp_path_factory.mktemp("idle"))
    with closing(service):
        return metric_names(service)


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_an_expression_is_promql_about_metrics_that_exist(expression: str, names: set[str]) -> None:
    promql_parser.parse(expression.replace("$__rate_interval", "5m"))
    asked = set(re.findall(r"\btripswitch_\w+", expression))
    assert asked <= names, asked - names
    assert asked or expression.startswith("up{")


def test_every_metric_is_documented(names: set[str]) -> None:
    readme = (ROOT / "monitor" / "README.md").read_text("utf-8")
    for name in {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}:
        assert f"`{name}`" in readme, name


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_has_what_prometheus_and_people_need(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Tripswitch\w+", rule["alert"])
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
    assert rule["labels"]["severity"] in ("info", "warning", "critical")
    assert rule["annotations"].keys() == {"summary", "description"}


def test_alerts_are_loaded_from_where_the_settings_of_prometheus_say() -> None:
    settings = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text("utf-8"))
    assert settings["rule_files"] == ["alerts.yaml"]
    (job,) = settings["scrape_configs"]
    assert f'up{{job="{job["job_name"]}"}}' in next(expressions())


def test_that_all_are_gone_is_told_also_where_targets_are_found_by_themselves() -> None:
    (rule,) = [rule for rule in ALERTS if rule["expr"].startswith("absent(")]
    assert rule["expr"] == "absent(tripswitch_ready)"  # of all processes, whatever the job is named
    assert (rule["for"], rule["labels"]["severity"]) == ("2m", "critical")


def misspelt(dashboard: dict[str, Any]) -> list[str]:
    """The keys that Grafana's own model of a dashboard does not have."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder  # late, as it takes a second
    from grafana_foundation_sdk.models.dashboard import Dashboard

    return lost(dashboard, json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder)))


def test_the_dashboard_is_one_to_grafana() -> None:
    assert misspelt(DASHBOARD) == []
    assert misspelt({**DASHBOARD, "titel": "x"}) == [".titel"]
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert len({tuple(panel["gridPos"].items()) for panel in DASHBOARD["panels"]}) == len(
        DASHBOARD["panels"]
    )
