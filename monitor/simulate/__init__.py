"""A simulated fleet: agents of several roles at work, and scripted incidents among them.

It exists for the demo, for load tests and for trying things out. Its agents are far more regular
than real ones, so nothing that is measured on it says how good detection is.
"""

from monitor.simulate.fleet import Fleet
from monitor.simulate.incidents import KINDS, Incident
from monitor.simulate.work import Act, Actor

__all__ = ["KINDS", "Act", "Actor", "Fleet", "Incident"]
