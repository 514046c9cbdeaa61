"""The command line. One module a group of commands; importing it registers them."""

import gc

gc.disable()  # what modules make while they load stays: to look through it takes a seventh longer

from monitor.cli.app import main  # noqa: E402 # see above

gc.enable()

__all__ = ["main"]
