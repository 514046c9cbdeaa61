"""Enforcement points: adapters that take an agent's grants away and give them back."""
