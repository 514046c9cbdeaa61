"""The two groups of tables, and a kind of column."""

from sqlalchemy import BigInteger, Integer, MetaData

ledger = MetaData()
"""What happened and must never be lost."""
state = MetaData()
"""What a shard knows and where it stands."""

SEQ = BigInteger().with_variant(Integer, "sqlite")
"""A large number. SQLite's INTEGER is of eight bytes, too, and no other type counts up there."""
