"""What the rules and the table of permissions say of each route and each role: the expectation of the matrix.

Nothing here asks the product's `Actor`: roles are looked up in `teams/permissions.py` by name. A route whose
rule is a verb needs nothing here unless it asks for more than its rule; a route with an id that says no more
than "signed in" or "open" must stand in DOORS, or the matrix fails.
"""

from __future__ import annotations

from dataclasses import dataclass

from teams.access import AGENT, OPEN, SIGNED_IN
from teams.access.rules import MONITOR
from teams.permissions import PLATFORM_TABLE, SCOPE_OF, TEAM_TABLE, Scope, Verb
from tests.security.routes import Route
from tests.security.world import Role

API, CONSUMER, ANYWHERE, PLATFORM = "api", "consumer", "anywhere", "platform"
SELF, PERSON = "self", "person"


@dataclass(frozen=True, slots=True)
class Grant:
    """`verb` on the objects of one side: the API's team, the consuming team, any team, by platform role alone.
    SELF: things of the one person who owns the API's team. PERSON: whoever is no program. With a verb both ask for
    its scope."""

    verb: Verb | None
    side: str

    def holds(self, role: Role) -> bool:
        if self.verb is None and self.side == ANYWHERE:
            return role.signed_in
        if self.side in (SELF, PERSON):
            within = self.verb is None or SCOPE_OF[self.verb] in role.scopes
            return within and role.user is not None and (self.side == PERSON or role.at_api == "owner")
        assert self.verb is not None
        if SCOPE_OF[self.verb] not in role.scopes:
            return False
        if PLATFORM_TABLE[self.verb] & role.platform:
            return True
        held = {
            API: {role.at_api},
            CONSUMER: {role.at_consumer},
            ANYWHERE: {role.at_api, role.at_consumer, role.elsewhere},
            PLATFORM: set(),
        }[self.side]
        return bool(TEAM_TABLE[self.verb] & held)


@dataclass(frozen=True, slots=True)
class Door:
    """Who finds the object of a route at all (for everybody else it is a 404), and who of them is let in (else 403)."""

    sees: tuple[Grant, ...]
    may: tuple[Grant, ...]


def any_of(grants: tuple[Grant, ...], role: Role) -> bool:
    return any(grant.holds(role) for grant in grants)


def on(side: str, *verbs: Verb) -> tuple[Grant, ...]:
    return tuple(Grant(verb, side) for verb in verbs)


EVERYBODY = (Grant(None, ANYWHERE),)
OWN = (Grant(None, SELF),)
SEES_API = on(API, Verb.API_VIEW)
FINDS_API = (*SEES_API, *on(CONSUMER, Verb.API_VIEW))
"""In the catalogue: the API is private and shared with the consuming team."""
SEES_APPLICATION = on(CONSUMER, Verb.APPLICATION_VIEW)
SEES_GRANT = (*SEES_APPLICATION, *SEES_API)
"""A request or a subscription, which both sides see."""
SEES_RECEIVED = (*SEES_API, *on(PLATFORM, Verb.APPLICATION_VIEW))
SEES_GATEWAY = on(ANYWHERE, Verb.GATEWAY_VIEW)
SEES_USAGE = (*on(API, Verb.USAGE_VIEW), *on(CONSUMER, Verb.USAGE_VIEW))
SEES_FINDING = on(API, Verb.GATEWAY_VIEW)
"""Drift of an object of the API's team."""
SEES_AI = on(API, Verb.AI_VIEW)
"""A provider, model or route of the API's team."""
MANAGES_AI = Door(SEES_AI, on(API, Verb.AI_MANAGE))
NAMES_TEAM_OF_AI = Door(on(API, Verb.TEAM_VIEW), on(API, Verb.AI_MANAGE))
NAMES_APPROVERS = Door(on(API, Verb.TEAM_VIEW), on(API, Verb.REQUEST_DECIDE))
MANAGES_GATEWAY = Door(SEES_GATEWAY, on(PLATFORM, Verb.GATEWAY_MANAGE))
READS_API = Door(FINDS_API, FINDS_API)
READS_GRANT = Door(SEES_GRANT, SEES_GRANT)
CLOSES = Door(SEES_GRANT, (*on(CONSUMER, Verb.APPLICATION_EDIT), *on(API, Verb.SUBSCRIPTION_SUSPEND)))
DECIDES = Door(SEES_RECEIVED, on(API, Verb.REQUEST_DECIDE))
CHANGES_API = Door(SEES_API, on(API, Verb.API_EDIT))
PUBLISHES = Door(FINDS_API, on(API, Verb.API_PUBLISH))

SEES_AWS = on(API, Verb.AWS_VIEW)
"""An account that the API's team may use."""
SEES_FUNCTION = on(API, Verb.FUNCTION_VIEW)
MANAGES_AWS = Door(SEES_AWS, on(PLATFORM, Verb.AWS_MANAGE))
SEES_PROMPT = on(API, Verb.PROMPT_VIEW)
SEES_BUDGET = on(CONSUMER, Verb.BUDGET_VIEW)
"""One that the consuming team set for its application."""

SIDES: tuple[tuple[str, tuple[Grant, ...], str], ...] = (
    ("teams/", on(API, Verb.TEAM_VIEW), API),
    ("api/v1/teams/", on(API, Verb.TEAM_VIEW), API),
    ("publish/", SEES_API, API),
    ("upstreams/", SEES_API, API),
    ("api/v1/upstreams", SEES_API, API),
    ("apis/", FINDS_API, API),
    ("api/v1/apis", FINDS_API, API),
    ("usage/apis/", on(API, Verb.USAGE_VIEW), API),
    ("usage/spark/", on(API, Verb.USAGE_VIEW), API),
    ("usage/applications/", on(CONSUMER, Verb.USAGE_VIEW), CONSUMER),
    ("applications/", SEES_APPLICATION, CONSUMER),
    ("api/v1/applications", SEES_APPLICATION, CONSUMER),
    ("requests/", SEES_GRANT, CONSUMER),
    ("api/v1/access-requests", SEES_GRANT, CONSUMER),
    ("approvals/", SEES_RECEIVED, API),
    ("subscriptions/", SEES_GRANT, CONSUMER),
    ("api/v1/subscriptions", SEES_GRANT, CONSUMER),
    ("credentials/", SEES_GRANT, CONSUMER),
    ("api/v1/credentials", SEES_GRANT, CONSUMER),
    ("rotations/", SEES_GRANT, CONSUMER),
    ("api/v1/rotations", SEES_GRANT, CONSUMER),
    ("publications/", SEES_API, API),
    ("api/v1/publications", FINDS_API, API),
    ("gateways/", SEES_GATEWAY, ANYWHERE),
    ("api/v1/gateways", SEES_GATEWAY, ANYWHERE),
    ("deployments/", SEES_GATEWAY, ANYWHERE),
    ("api/v1/deployments", SEES_GATEWAY, ANYWHERE),
    ("environments/", EVERYBODY, PLATFORM),
    ("api/v1/environments", EVERYBODY, PLATFORM),
    ("audit/", EVERYBODY, ANYWHERE),
    ("api/v1/audit-events", on(API, Verb.AUDIT_VIEW), API),
    ("administration/", EVERYBODY, PLATFORM),
    ("ai/prompts/", SEES_PROMPT, API),
    ("offer/prompts/", SEES_PROMPT, API),
    ("api/v1/ai/prompts", SEES_PROMPT, API),
    ("api/v1/usage/", on(API, Verb.USAGE_VIEW), API),
    ("budgets/", SEES_BUDGET, CONSUMER),
    ("api/v1/budgets", SEES_BUDGET, CONSUMER),
    ("aws/", SEES_AWS, API),
    ("api/v1/aws-accounts", SEES_AWS, API),
    ("aws/functions/", SEES_FUNCTION, API),
    ("api/v1/aws-functions", SEES_FUNCTION, API),
    ("ai/", SEES_AI, API),
    ("api/v1/ai/", SEES_AI, API),
)
"""Whose object a route names: who sees it, and on which side the verb of its rule is held. The longest one counts."""

DOORS: dict[str, Door] = {
    # Own things: nobody else's exist.
    **dict.fromkeys(("token-revoke", "rest-token-detail", "notice-open", "rest-notice-detail",
                     "rest-notice-read"), Door(OWN, OWN)),
    "member-remove": Door(on(API, Verb.TEAM_MANAGE), on(API, Verb.TEAM_MANAGE)),
    "invitation": Door((), ()),
    "invitation-accept": Door((), ()),
    # Open or signed in, and cut to what the reader may see.
    **dict.fromkeys(("api-detail", "api-versions", "api-version", "api-reference", "api-plans", "version-openapi",
                     "addresses-of-version", "published-openapi", "rest-api", "rest-version-list", "rest-version",
                     "rest-version-spec", "rest-plan-list", "rest-plan", "rest-version-addresses",
                     "rest-publication-detail", "rest-publication-enforcement"), READS_API),
    **dict.fromkeys(("request-detail", "rest-access-request-detail", "subscription-detail", "enforcement",
                     "call-samples", "enforcement-preview", "rest-subscription-detail",
                     "rest-subscription-credentials", "rest-credential-detail", "rest-credential-enforcement",
                     "rest-subscription-enforcement", "rotation-detail", "rest-rotation-detail",
                     "rest-subscription-rotations"), READS_GRANT),
    **dict.fromkeys(("drift-finding", "rest-drift-finding"), Door(SEES_FINDING, SEES_FINDING)),
    **dict.fromkeys(("drift-overwrite", "drift-ignore", "rest-drift-overwrite", "rest-drift-ignore"),
                    Door(SEES_FINDING, on(PLATFORM, Verb.GATEWAY_MANAGE))),
    "rest-drift": Door(SEES_GATEWAY, SEES_GATEWAY),
    # Who decides over access is named by somebody who may decide; running the platform does not suffice.
    **dict.fromkeys(("approver-group-create", "approver-group-change"), NAMES_APPROVERS),
    # Adopting asks for the right to change the upstream too, and nobody here holds both.
    **dict.fromkeys(("drift-adopt", "rest-drift-adopt"), Door(SEES_FINDING, ())),
    "rest-environment": Door(EVERYBODY, EVERYBODY),
    "application-detail": Door(SEES_APPLICATION, SEES_APPLICATION),
    "subscribers": Door(SEES_API, SEES_API),
    "publications-of-version": Door(SEES_API, SEES_API),
    **dict.fromkeys(("publication-roll-back", "publication-withdraw"), Door(SEES_API, on(API, Verb.API_PUBLISH))),
    "approval-detail": Door(SEES_RECEIVED, SEES_RECEIVED),
    "approval-reject": Door(SEES_RECEIVED, SEES_RECEIVED),
    "approval-approve": DECIDES,
    **dict.fromkeys(("rest-access-request-approve", "rest-access-request-reject"), Door(SEES_GRANT, DECIDES.may)),
    "request-access": READS_API,
    **dict.fromkeys(("subscription-close", "rest-subscription-close"), CLOSES),
    **dict.fromkeys(("subscription-suspend", "subscription-resume", "rest-subscription-suspend",
                     "rest-subscription-resume"), Door(SEES_GRANT, on(API, Verb.SUBSCRIPTION_SUSPEND))),
    **dict.fromkeys(("usage-keys", "usage-quota", "usage-key", "rest-credential-usage",
                     "rest-subscription-quota", "usage-run", "rest-usage-ai-record"),
                    Door(SEES_USAGE, SEES_USAGE)),
    # What was said in a call is for members of the team of the API alone; whoever runs the platform is none.
    "rest-usage-ai-record-body": Door(SEES_USAGE, on(API, Verb.BODY_VIEW)),
    # They ask for more than the rule at their door.
    **dict.fromkeys(("gateway-edit", "gateway-token", "gateway-retire", "node-retire", "deployment-force",
                     "gateway-held"),
                    MANAGES_GATEWAY),
    **dict.fromkeys(("aws-account-edit", "aws-account-prove", "aws-account-template", "aws-account-external-id",
                     "aws-account-retire"), MANAGES_AWS),
    **dict.fromkeys(("ai-provider-edit", "ai-provider-pause", "ai-provider-resume", "ai-provider-remove",
                     "ai-provider-key-add", "ai-provider-key-edit", "ai-provider-key-replace",
                     "ai-provider-key-pause", "ai-provider-key-resume", "ai-provider-key-remove", "ai-model-add",
                     "ai-model-edit", "ai-model-switch", "ai-model-price", "ai-model-price-clear", "ai-route-edit",
                     "ai-route-retire"), MANAGES_AI),
}  # fmt: skip

WRITES: dict[str, Door] = {
    # Routes that read by the door above and write by this one.
    "rest-team-list": Door(EVERYBODY, on(PERSON, Verb.TEAM_MANAGE)),
    "rest-token-list": Door(EVERYBODY, on(PERSON, Verb.TEAM_MANAGE)),
    "rest-token-detail": Door(OWN, on(SELF, Verb.TEAM_MANAGE)),
    "rest-member-detail": Door(on(API, Verb.TEAM_VIEW), on(API, Verb.TEAM_MANAGE)),
    "rest-environment": Door(EVERYBODY, on(PLATFORM, Verb.ENVIRONMENT_MANAGE)),
    "rest-api": Door(FINDS_API, on(API, Verb.API_EDIT)),
    "rest-subscription-credentials": Door(SEES_GRANT, on(CONSUMER, Verb.CREDENTIAL_MANAGE)),
    **dict.fromkeys(("rest-plan", "rest-plan-list", "rest-version-list", "rest-version-spec", "plan-detail",
                     "upstream-detail"), CHANGES_API),
    **dict.fromkeys(("rest-publication-roll-back", "rest-publication-withdraw"), PUBLISHES),
    "approval-reject": DECIDES,
    **dict.fromkeys(("rest-approver-group-list", "rest-approver-group-detail"), NAMES_APPROVERS),
    # The body names the object.
    **dict.fromkeys(("rest-provider-list", "rest-model-route-list"), NAMES_TEAM_OF_AI),
    "rest-ai-model-list": MANAGES_AI,
    "rest-budget-list": Door(on(CONSUMER, Verb.TEAM_VIEW), on(CONSUMER, Verb.BUDGET_MANAGE)),
    "rest-api-list": Door(on(API, Verb.TEAM_VIEW), on(API, Verb.API_EDIT)),
    "rest-upstream-list": Door(on(API, Verb.TEAM_VIEW), on(API, Verb.API_EDIT)),
    "rest-application-list": Door(on(CONSUMER, Verb.TEAM_VIEW), on(CONSUMER, Verb.APPLICATION_EDIT)),
    "rest-access-request-list": Door(SEES_APPLICATION, on(CONSUMER, Verb.APPLICATION_EDIT)),
    **dict.fromkeys(("rest-publication-list", "rest-publication-preview"), PUBLISHES),
    "rest-prompt-list": Door(on(API, Verb.TEAM_VIEW), on(API, Verb.PROMPT_EDIT)),
    **dict.fromkeys(("rest-aws-function-list", "rest-aws-function-adopt"),
                    Door(on(API, Verb.TEAM_VIEW), on(API, Verb.FUNCTION_EDIT))),
    "ai-ticket": Door(SEES_PROMPT, on(API, Verb.PROMPT_EDIT)),
}  # fmt: skip
CHOICES: dict[str, Door] = {
    # Forms whose choices are cut to what the person may use: somebody else's is no valid choice, a 422.
    "api-create": Door(EVERYBODY, on(API, Verb.API_EDIT)),
    "prompt-create": Door(EVERYBODY, on(API, Verb.PROMPT_EDIT)),
    **dict.fromkeys(
        ("aws-function-create", "aws-function-adopt"), Door(EVERYBODY, on(API, Verb.FUNCTION_EDIT))
    ),
    "budget-create": Door(EVERYBODY, on(CONSUMER, Verb.BUDGET_MANAGE)),
    "application-create": Door(EVERYBODY, on(CONSUMER, Verb.APPLICATION_EDIT)),
    "request-access": Door(FINDS_API, on(CONSUMER, Verb.APPLICATION_EDIT)),
    **dict.fromkeys(("ai-provider-create", "ai-route-create"), Door(EVERYBODY, on(API, Verb.AI_MANAGE))),
}


def door_of(route: Route) -> Door:
    """Who sees and who may enter. A KeyError means: say in tests/security/doors.py whose object it is."""
    rule = route.rule
    assert rule is not None, route
    if route.is_write and route.name in WRITES:
        return WRITES[route.name]
    if route.is_write and route.name in CHOICES:
        return CHOICES[route.name]
    if route.name in DOORS:
        return DOORS[route.name]
    if rule.verb is None:
        if route.kwargs:
            raise KeyError(f"{route} says {rule} and names an object: say who may see it")
        return Door(EVERYBODY, EVERYBODY)
    if not route.kwargs and not route.path.startswith("api/v1/usage/"):
        where = PLATFORM if rule.platform else ANYWHERE
        return Door(on(where, rule.verb), on(where, rule.verb))
    return _by_side(route, rule.verb)


def _by_side(route: Route, verb: Verb) -> Door:
    for prefix, sees, side in sorted(SIDES, key=lambda each: -len(each[0])):
        if route.path.startswith(prefix):
            return Door(SEES_API if sees is FINDS_API else sees, on(side, verb))
    raise KeyError(f"{route} names an object of nobody: add its beginning to SIDES")


def expected(route: Route, role: Role) -> str:
    """What `role` gets from `route`, with real ids and a valid body: ok, 401, 403, 404, or sign in."""
    rule = route.rule
    assert rule is not None, route
    if rule == AGENT:
        return "401"
    if rule == MONITOR:
        return "404"  # there are no metrics without a token for the monitoring system
    if not route.is_rest and not role.has_session and rule != OPEN:
        return "sign in"  # pages know sessions alone: a token opens none
    if route.is_rest and route.is_write and role.scopes == {Scope.READ}:
        return "403"
    if route.is_rest and not role.signed_in and rule != OPEN:
        return "401"
    return _inside(route, role if route.is_rest or role.has_session else Role("anonymous"))


def _inside(route: Route, role: Role) -> str:
    rule, door = route.rule, door_of(route)
    assert rule is not None
    if rule.verb is not None and not any_of(on(PLATFORM if rule.platform else ANYWHERE, rule.verb), role):
        return "403" if route.is_rest else "404"
    if door.may is EVERYBODY and rule in (OPEN, SIGNED_IN):
        return "ok"
    if not any_of(door.sees, role):
        return "404"
    refused = "422" if route.is_write and route.name in CHOICES else "403"
    return "ok" if any_of(door.may, role) else refused


__all__ = ["DOORS", "Door", "door_of", "expected"]
