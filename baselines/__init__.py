"""What happened and what is normal: events, windows, profiles. Pure: no clock, no I/O."""
