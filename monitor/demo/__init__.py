"""The demo: a real daemon, a simulated fleet, one hijack, and what becomes of it.

`stage` sets up a directory and starts the daemon, `play` lets the fleet live and follows what
happens in the ledger, `narrate` tells it.
"""

from monitor.demo.play import play
from monitor.demo.stage import DemoError

__all__ = ["DemoError", "play"]
