"""The demo: a real daemon, a simulated fleet, one hijack, and what becomes of it.

`stage` sets up a directory and starts the daemon, `play` lets the fleet live and waits for each
thing to happen, `follow` reads the ledger, `narrate` and `sum_up` tell it.
"""
