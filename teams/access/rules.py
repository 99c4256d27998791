"""The rule of a route: open to all, signed in, an agent's token, or a verb of the permission table."""

from __future__ import annotations

from dataclasses import dataclass

from teams.models import Actor, Verb


@dataclass(frozen=True, slots=True)
class Rule:
    """`name` is open, signed_in, agent or verb. With a verb, the view itself asks `actor.require(verb, team)`
    for the object it found; this rule turns away everybody who holds the verb nowhere."""

    name: str
    verb: Verb | None = None
    platform: bool = False
    """Whether only a platform role opens it; holding the verb in a team is not enough."""

    def __str__(self) -> str:
        return str(self.verb) if self.verb else self.name

    def admits(self, actor: Actor) -> bool:
        """Whether `actor` gets past the door; what is behind it is still cut to what the actor may see."""
        if self.name == "open":
            return True
        if not actor.is_signed_in:
            return False
        if self.verb is None:
            return True
        return actor.everywhere(self.verb) if self.platform else actor.may(self.verb)


OPEN = Rule("open")
"""Anybody, also signed out; what is shown is still cut to what the actor may see."""
SIGNED_IN = Rule("signed_in")
AGENT = Rule("agent")
"""A gateway's agent with its bearer token; no person enters here."""


MONITOR = Rule("monitor")
"""The monitoring system with its own bearer token; no person enters here."""


def as_rule(rule: Rule | Verb) -> Rule:
    """A Verb is short for the rule that asks for it."""
    return rule if isinstance(rule, Rule) else Rule("verb", rule)


def platform_wide(verb: Verb) -> Rule:
    """The rule of a page about all teams: for those whom a platform role allows `verb`."""
    return Rule("verb", verb, platform=True)
