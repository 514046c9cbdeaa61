"""The command line. One module a group of commands; importing it registers them."""

from monitor.cli import alerts, audit, config, demo, grants, kill, replay, run, simulate, trips
from monitor.cli.app import main

__all__ = [
    "alerts",
    "audit",
    "config",
    "demo",
    "grants",
    "kill",
    "main",
    "replay",
    "run",
    "simulate",
    "trips",
]
