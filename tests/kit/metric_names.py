"""The metrics that the daemon really has."""

from io import StringIO
from pathlib import Path

from prometheus_client import CollectorRegistry

from monitor.config import Config, MetricsConfig, StoreConfig
from monitor.config_source import SourceConfig
from monitor.gauges import Gauges
from monitor.metrics import Metrics
from monitor.service import Service, build

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def idle_service(directory: Path) -> Service:
    """A daemon on an empty log, not running."""
    config = Config(
        source=SourceConfig(path=directory / "events.jsonl"),
        store=StoreConfig(url=f"sqlite:///{directory / 'ledger.db'}"),
        metrics=MetricsConfig(port=0),
    )
    return build(config, StringIO())


def metric_names(service: Service) -> set[str]:
    """Every name that a PromQL expression can ask for."""
    registries = [Metrics().registry, CollectorRegistry()]
    registries[1].register(Gauges(service.worker, service.health))
    families = [family for registry in registries for family in registry.collect()]
    return {family.name + suffix for family in families for suffix in _SUFFIXES[family.type]}
