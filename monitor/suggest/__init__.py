"""Drafts of boundaries: from what an agent has done to what it may be declared to do."""
