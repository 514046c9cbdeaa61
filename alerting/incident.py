"""An incident: alerts of one or many agents that are one story, told in one thread."""

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from alerting.alert import AlertState
from detectors.finding import SeverityField

MAX_NAMED: Final = 20
"""So many agents are named; of the others there is a count."""

Bond = Literal["agent", "trace", "delegation", "version", "role", "fleet"]
"""What its agents have in common: `agent` where there is but one, `fleet` in a storm."""


class Incident(BaseModel):
    """One story. Its severity only rises; its thread is the same until it is over.

    Attributes
    ----------
    agents
        Those that turned odd first, at most `MAX_NAMED`; of all there are `agent_count`.
    bond, common
        What the agents have in common, and which: a trace's id, a version, a role.
    owner
        Who is responsible, as the settings say.
    """

    model_config = ConfigDict(frozen=True)

    incident_id: str
    state: AlertState = "open"
    severity: SeverityField
    opened_at: datetime
    last_anomaly_at: datetime
    agents: tuple[str, ...]
    agent_count: int = 1
    anomaly_count: int = 1
    detectors: tuple[str, ...] = ()
    bond: Bond = "agent"
    common: str | None = None
    owner: str | None = None
