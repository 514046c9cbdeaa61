"""The SQL store: SQLite files or PostgreSQL through the same SQLAlchemy Core code."""

from monitor.store.engine import Store, StoreError

__all__ = ["Store", "StoreError"]
