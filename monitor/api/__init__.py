"""The HTTP API: what gateways ask before each action, and what people order over the network.

It calls the same ledger functions as the command line and tells the same JSON documents. It keeps
nothing between two requests: what another process revokes is refused by the next answer.
"""
