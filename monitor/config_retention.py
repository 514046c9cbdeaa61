"""The settings that say what is kept, and for how long."""

from typing import Annotated

from pydantic import Field

from monitor.config_section import Section

Days = Annotated[float, Field(gt=0)]


class HistoryConfig(Section):
    """What agents did, record by record, for `tripswitch actions`. Payloads are not in it."""

    keep_days: Annotated[float, Field(ge=0, le=36_500)] = 7.0
    """For how long; 0: nothing is kept. A million actions take about a fifth of a gigabyte."""
    max_actions: Annotated[int, Field(ge=1)] = 5_000_000
    """About so many of the latest are kept at most."""

    @property
    def is_kept(self) -> bool:
        """Whether anything is."""
        return self.keep_days > 0


class RetentionConfig(Section):
    """How long the ledger keeps what is settled. What is in force is never forgotten."""

    anomalies_days: Days = 90.0
    """Anomalies, each with its evidence."""
    alerts_days: Days = 365.0
    """Alerts that are resolved, incidents, what profiles were taught, health conditions."""
    outbox_days: Days = 30.0
    """Messages that were sent or given up."""
    trips_days: Days = 730.0
    """Trips that are over, and orders about many that were lifted. An agent's last trip is kept."""
    decisions_days: Days = 365.0
    """Questions that were answered, pauses and mutes that ended."""
    grants_days: Days = 365.0
    """Grants after their own end. One without an end is kept once it is revoked, so that
    `grants import` cannot revive it. Tokens are kept, too: a name is used once."""
    audit_details_days: Days | None = None
    """Who, about whom, and every text of the audit; by default kept for ever. The chain stays.
    Example: `730`"""
