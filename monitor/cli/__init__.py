"""The command line. One module a group of commands; importing it registers them."""

from monitor.cli.app import main

__all__ = ["main"]
