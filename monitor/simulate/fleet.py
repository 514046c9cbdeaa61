"""The fleet: every agent's normal work and the incidents, merged into one stream in time order."""

import heapq
import itertools
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from monitor.errors import UsageError
from monitor.simulate.incidents import KINDS, Incident
from monitor.simulate.roles import ROLES
from monitor.simulate.work import Act, Actor, Role

_HOUR_S: Final = 3600.0


class Fleet:
    """Agents at work; what they do is a function of the arguments alone.

    Parameters
    ----------
    seed
        The same seed gives the same events, to the byte.
    agents
        How many; the roles are dealt out in turn.
    start_s
        When the stream begins, in seconds since the epoch.
    incidents
        What happens to whom, and when.
    tempo
        How many times as many runs as usual; 1 is a working day as it is.
    time_zone_s
        What to add to UTC for the fleet's local time, in seconds. Any value is taken, so that
        a demo at night can show a working day.

    Raises
    ------
    UsageError
        If an incident is of no known kind or names an agent that is not in the fleet.
    """

    def __init__(
        self,
        seed: int,
        agents: int,
        start_s: float,
        incidents: Sequence[Incident] = (),
        *,
        tempo: float = 1.0,
        time_zone_s: float = 0.0,
    ) -> None:
        self._seed = seed
        self._start_s = start_s
        self._tempo = tempo
        self._time_zone_s = time_zone_s
        self.roles: dict[str, Role] = {}
        for i in range(agents):
            role = ROLES[i % len(ROLES)]
            self.roles[f"{role.name}-{i // len(ROLES) + 1:02d}"] = role
        self._index = {agent_id: i for i, agent_id in enumerate(self.roles)}
        chooser = np.random.default_rng([seed, agents])
        self.incidents = [self._settle(incident, chooser) for incident in incidents]

    def acts(self) -> Iterator[Act]:
        """What the agents do, in time order and without end."""
        work = [self._work(agent_id) for agent_id in self.roles]
        wrong = [self._incident(number) for number in range(len(self.incidents))]
        return heapq.merge(*work, *wrong, key=lambda act: act.event.time)

    def scopes(self) -> dict[str, set[str]]:
        """The grants that each agent needs for its work and holds when it goes wrong."""
        scopes = {
            agent_id: {step.scope for step in role.steps()} for agent_id, role in self.roles.items()
        }
        for incident in self.incidents:
            assert incident.agent_id is not None
            scopes[incident.agent_id].update(step.scope for step in KINDS[incident.kind].steps)
        return scopes

    def _settle(self, incident: Incident, chooser: np.random.Generator) -> Incident:
        """The incident with its agent named."""
        if incident.kind not in KINDS:
            raise UsageError(f"incident {incident.kind!r}: one of {', '.join(KINDS)}")
        if incident.agent_id is not None:
            if incident.agent_id not in self.roles:
                known = ", ".join(itertools.islice(self.roles, 8))
                raise UsageError(
                    f"incident {incident.kind}: no agent {incident.agent_id!r} in this fleet, "
                    f"which has {known}{', …' if len(self.roles) > 8 else ''}"
                )
            return incident
        wanted = KINDS[incident.kind].role
        fitting = [a for a, role in self.roles.items() if role.name == wanted] or list(self.roles)
        return incident._replace(agent_id=fitting[int(chooser.integers(len(fitting)))])

    def _work(self, agent_id: str) -> Iterator[Act]:
        """One agent's runs: a Poisson process thinned by the role's daily rhythm."""
        actor = self._actor(agent_id, strand=0)
        role, rng = actor.role, actor.rng
        tasks = list(role.tasks)
        shares = np.cumsum(list(role.tasks.values()))
        pace = role.runs_per_hour * self._tempo * float(rng.lognormal(sigma=0.3))
        at_s = self._start_s
        while True:
            at_s += float(rng.exponential(_HOUR_S / pace))
            if rng.random() >= role.activity(at_s + self._time_zone_s):
                continue
            task = tasks[int(np.searchsorted(shares[:-1], rng.random()))]
            for event in actor.run(task, at_s):
                yield Act(event, None)
                at_s = event.time.timestamp()

    def _incident(self, number: int) -> Iterator[Act]:
        incident = self.incidents[number]
        assert incident.agent_id is not None
        actor = self._actor(incident.agent_id, strand=number + 1)
        label = f"{incident.kind}-{number + 1}"
        for event in KINDS[incident.kind].script(actor, incident.start_s):
            yield Act(event, label)

    def _actor(self, agent_id: str, strand: int) -> Actor:
        return Actor(agent_id, self._index[agent_id], self.roles[agent_id], self._seed, strand)
