"""The ledger's rooms: each function works inside a transaction that its caller opened."""
