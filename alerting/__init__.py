"""What to tell whom and what to stop. Policy is pure; `notify` and `revoke` are the adapters."""
