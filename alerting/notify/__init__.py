"""Receivers: adapters that deliver a message to people."""
