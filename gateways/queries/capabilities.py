"""What a gateway can enforce, and what of an API it cannot: said before publishing, never found out later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from apis.models import Environment, Revision, UpstreamBinding
from aws.models import Feature as AccountFeature
from gateways.drivers import driver_class
from gateways.engine.driver import Feature
from gateways.models import Gateway
from gateways.queries import aws_capabilities as at_aws

INDISPENSABLE = {
    Feature.KEY_AUTH: _("%(gateway)s cannot check keys, so nothing can be published on it."),
    Feature.RATE_LIMIT: _("%(gateway)s cannot keep rate limits. Choose another gateway."),
}

LACKS = {
    Feature.QUOTA_BLOCK: _("Quotas are counted and shown, and not enforced here."),
    Feature.PROBLEM_ANSWERS: _("Errors are answered in the gateway's own form, not as problem details."),
    Feature.USAGE_FEED: _("Calls are not counted here: usage pages stay empty for them."),
    Feature.CORS: _("Browsers of other sites cannot call it: no CORS answers."),
    Feature.SLOW_RATES: _("Plans slower than one call a minute are kept at one call a minute here."),
    Feature.RATE_HEADERS: _(
        "Answers do not say what is left of the rate; a call over it is told when to return."
    ),
    Feature.ENDLESS_STREAMS: _(
        "Calls that go on while the configuration changes are ended after 10 seconds. So long a removal may wait."
    ),
}


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing that an API may ask of a gateway, in words: how it is done there, or what is done instead."""

    name: Any
    words: Any
    tone: str
    note: Any = ""


def features_of(gateway: Gateway) -> frozenset[Feature]:
    """What the gateway's driver supports; calls at AWS are counted where the account is used for that."""
    supported = driver_class(gateway.kind).supports
    account = gateway.aws_account
    is_uncounted = account is not None and AccountFeature.USAGE not in account.features
    return supported - {Feature.USAGE_FEED} if is_uncounted else supported


def refusals_of(
    gateway: Gateway, environment: Environment, binding: UpstreamBinding, revision: Revision
) -> Iterator[Any]:
    """Why `revision` cannot be published there, one text each."""
    lacking = INDISPENSABLE.keys() - features_of(gateway)
    for feature in sorted(lacking):
        yield INDISPENSABLE[feature] % {"gateway": gateway}
    host = gateway.listeners.filter(environment=environment).exclude(host="").exists()
    if host and Feature.HOST_ROUTING not in features_of(gateway):
        yield _("%(gateway)s cannot tell hosts apart, and this listener needs it.") % {"gateway": gateway}
    if gateway.is_at_aws:
        yield from at_aws.refusals_at_aws(gateway, environment, binding, revision)


def shortfalls_of(
    gateway: Gateway, binding: UpstreamBinding | None, revision: Revision | None = None
) -> list[Any]:
    """What the gateway cannot enforce or do for this API, with the fallback; empty when it can do it all."""
    lacking = set(Feature) - features_of(gateway)
    found = [words for feature, words in LACKS.items() if feature in lacking]
    if gateway.kind == Gateway.Kind.AWS and Feature.USAGE_FEED not in lacking:
        found.append(
            _(
                "Calls are counted some minutes after they were made, and a quota that is used up ends as late."
            )
        )
    if binding is not None and binding.health_path and Feature.HEALTH_CHECK in lacking:
        found.append(
            _("The upstream's health is not checked here; a dead target gets calls until they fail.")
        )
    if gateway.is_at_aws:
        if binding is not None and revision is not None:
            found += at_aws.shortfalls_at_aws(gateway, binding, revision)
    elif binding is not None and len(binding.targets) > 1 and Feature.WEIGHTED_TARGETS in lacking:
        found.append(_("Calls are spread evenly here; the weights of the targets are not kept."))
    return found


def limits_on(gateway: Gateway, live_nodes: int) -> list[Capability]:
    """How rate and quota are kept there, for whoever decides on a request."""
    features = features_of(gateway)
    if gateway.is_at_aws:
        return [
            Capability(_("Rate"), _("best effort of AWS"), "hold", at_aws.plan_costs(gateway)),
            Capability(_("Quota"), _quota_at_aws(features), "hold"),
        ]
    rate = (
        _("per node, approximate: each of %(n)s nodes counts its share") % {"n": live_nodes}
        if live_nodes > 1
        else _("by the gateway")
    )
    quota = (
        _("by metering: calls are counted afterwards, then answered 429")
        if Feature.QUOTA_BLOCK in features
        else _("not enforced here")
    )
    return [
        Capability(
            _("Rate"),
            rate if Feature.RATE_LIMIT in features else _("not enforced here"),
            "live" if Feature.RATE_LIMIT in features else "hold",
        ),
        Capability(_("Quota"), quota, "live" if Feature.QUOTA_BLOCK in features else "hold"),
    ]


def _quota_at_aws(features: frozenset[Feature]) -> Any:
    if Feature.USAGE_FEED in features:
        return _("by metering: calls are counted afterwards, then answered 403")
    return _("not enforced here: calls are not counted")
