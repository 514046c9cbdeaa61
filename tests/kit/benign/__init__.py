"""Generated benign agents: seeded, weeks of event time, for what a false alarm may be measured by.

`kinds.KINDS` names them, `kinds.crowd` makes some of one kind; `agent.Agent.until` gives an agent's
events in time order. The same seed gives the same events, on any machine.
"""
